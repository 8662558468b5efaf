import { hash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';

/** One named piece of the engine's state; `undefined` removes it. */
export interface StateChange {
  readonly name: string;
  readonly value: Uint8Array | undefined;
}

/** The stored state was written by another version of the engine or of a detector: start from the log instead. */
export class SnapshotVersionError extends Error {
  constructor(found: string, expected: string, cause?: unknown) {
    super(
      `cannot restore detector state: it is of version ${found}, this is ${expected}`,
      cause === undefined ? undefined : { cause },
    );
    this.name = 'SnapshotVersionError';
  }
}

export const engineName = 'engine';
export const policiesName = 'policies';
export const tenantName = (tenant: string) => `tenant/${tenant}`;
export const sharedName = (detectorId: string) => `shared/${detectorId}`;
export const changesName = (detectorId: string) => `changes/${detectorId}`;
/** Session keys come from outside: a hash makes a name of bounded length and alphabet. */
export const sessionName = (tenant: string, key: string) =>
  `session/${tenant}/${hash('sha256', key, 'hex').slice(0, 32)}`;

/** V8's structured serialisation with the version in front, so that the version is read before anything else. */
export function encodeState(version: string, state: unknown): Uint8Array {
  const head = Buffer.from(`${version}\n`);
  return Buffer.concat([head, serialize(state)]);
}

/** Throws SnapshotVersionError for another version or for bytes that are no snapshot. */
export function decodeState(version: string, value: Uint8Array): unknown {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const end = bytes.indexOf(10);
  const found = end < 0 || end > 512 ? 'unknown' : bytes.toString('utf8', 0, end);
  if (found !== version) throw new SnapshotVersionError(found, version);
  try {
    return deserialize(bytes.subarray(end + 1));
  } catch (cause) {
    throw new SnapshotVersionError('unreadable', version, cause);
  }
}
