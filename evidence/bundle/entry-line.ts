import { hash } from 'node:crypto';
import { ENTRY_VERSION } from '../entry.ts';
import { fromBase64 } from '../note/base64.ts';

/** An entry as a bundle has it, with what its preimage says. */
export interface EntryLine {
  readonly seq: bigint;
  readonly log: string;
  /** Leaf of the entry before, lower-case hex. */
  readonly prev: string;
  readonly partition: number;
  readonly appendTimeMs: number;
  readonly leaf: Uint8Array;
  /** Whether the body has the hash that the preimage says. */
  readonly isBodyIntact: boolean;
}

const PREIMAGE = new RegExp(
  String.raw`^${ENTRY_VERSION}\n([\x21-\x7e]{1,256})\n(0|[1-9]\d{0,18})\n([0-9a-f]{64})\n[A-Za-z0-9._-]{1,249}\/(0|[1-9]\d{0,8})\/(?:0|[1-9]\d{0,18})\n(0|-?[1-9]\d{0,15})\n(?:event|malformed|control)\n([0-9a-f]{64})\n$`,
);
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a line of data/entries; gives the reason where it is none. Only the one way to write an entry is read, so that two
 * readers cannot see two things in it. Reads attacker-controlled bytes.
 */
export function readEntryLine(bytes: Uint8Array): EntryLine | { readonly reason: string } {
  let line: string;
  let json: unknown;
  try {
    line = strictUtf8.decode(bytes);
    json = JSON.parse(line);
  } catch {
    return { reason: 'the line is not JSON' };
  }
  if (typeof json !== 'object' || json === null || JSON.stringify(json) !== line)
    return { reason: 'the line is not written as JSON.stringify writes it' };
  const names = Object.keys(json).join();
  if (names !== 'seq,preimage,body' && names !== 'seq,preimage,body_base64')
    return { reason: 'the line is no entry' };
  const { seq, preimage, body, body_base64 } = json as Record<
    'seq' | 'preimage' | 'body' | 'body_base64',
    unknown
  >;
  const content = body_base64 === undefined ? body : body_base64;
  if (typeof seq !== 'string' || typeof preimage !== 'string' || typeof content !== 'string')
    return { reason: 'the line is no entry' };
  const bodyBytes = body_base64 === undefined ? utf8Of(content) : fromBase64(content);
  if (bodyBytes === undefined) return { reason: 'the body is neither UTF-8 nor base64' };
  const [, log, decimal, prev, partition, time, bodySha] = PREIMAGE.exec(preimage) ?? [];
  if (log === undefined || decimal === undefined || prev === undefined)
    return { reason: 'the preimage is not that of an entry of version 1' };
  if (decimal !== seq) return { reason: 'the preimage is that of another seq' };
  return {
    seq: BigInt(seq),
    log,
    prev,
    partition: Number(partition),
    appendTimeMs: Number(time),
    leaf: hash('sha256', `\0${preimage}`, 'buffer'),
    isBodyIntact: hash('sha256', bodyBytes, 'hex') === bodySha,
  };
}

/** A half of a character has no UTF-8: it would be written as another character. */
function utf8Of(text: string): Buffer | undefined {
  return /\p{Surrogate}/u.test(text) ? undefined : Buffer.from(text, 'utf8');
}
