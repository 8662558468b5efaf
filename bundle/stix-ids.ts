import { hash } from 'node:crypto';
import { canonicalJson } from '../evidence/canonical-json.ts';

/** Namespace of ids of cyber-observable objects (STIX 2.1 §2.9). */
const OBSERVABLE_NAMESPACE = '00abedb4-aa42-466c-9c01-fed23315a9b7';
/** Our own, for everything else: the UUIDv5 of `https://custody.dev/stix` as a URL. */
const OBJECT_NAMESPACE = uuidV5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'https://custody.dev/stix');

/** Name-based UUID, version 5 (RFC 9562 §5.5). */
export function uuidV5(namespace: string, name: string): string {
  const bytes = Buffer.concat([Buffer.from(namespace.replaceAll('-', ''), 'hex'), Buffer.from(name, 'utf8')]);
  const digest = Buffer.from(hash('sha1', bytes, 'buffer').subarray(0, 16));
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x50, 6);
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = digest.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Id of an observable from the properties the standard names for its type: the same in every product. */
export const observableId = (type: string, contributing: Readonly<Record<string, string>>): string =>
  `${type}--${uuidV5(OBSERVABLE_NAMESPACE, canonicalJson(contributing))}`;

/** Id of another object from what makes it the one it is; the same case gives the same ids. */
export const objectId = (type: string, ...parts: readonly string[]): string =>
  `${type}--${uuidV5(OBJECT_NAMESPACE, canonicalJson([type, ...parts]))}`;
