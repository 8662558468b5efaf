import { hash } from 'node:crypto';

/**
 * Ledger entry, version 1. The preimage is eight LF-terminated lines, ASCII, decimals without leading zeros,
 * lower-case hex:
 *
 *   mcp-audit/entry/v1
 *   <log id>
 *   <seq, from 0>
 *   <leaf hash of entry seq-1; 64 zeros for seq 0>
 *   <topic>/<partition>/<offset>
 *   <append time, ms>
 *   <kind: event | malformed | control>
 *   <sha256 of the body bytes>
 *
 * leaf = SHA-256(0x00 || preimage), which is the RFC 6962 §2.1 leaf hash and the next entry's link at once.
 */
export const ENTRY_VERSION = 'mcp-audit/entry/v1';

export type EntryKind = 'event' | 'malformed' | 'control';

export interface EntryPlace {
  readonly logId: string;
  readonly seq: bigint;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly appendTimeMs: number;
  readonly kind: EntryKind;
}

/** Link of the first entry of a log. */
export const ZERO_LINK = '0'.repeat(64);

/** SHA-256 of the exact body bytes, lower-case hex. */
export function bodyHash(body: Uint8Array): string {
  return hash('sha256', body, 'hex');
}

/** A place as a verifier reads it: values as stored, not yet known to be in range. */
export interface ReadPlace extends Omit<EntryPlace, 'appendTimeMs' | 'kind'> {
  readonly appendTimeMs: number | bigint;
  readonly kind: string;
}

export function entryPreimage(place: ReadPlace, prev: string, bodySha: string): string {
  return `${ENTRY_VERSION}\n${place.logId}\n${place.seq}\n${prev}\n${place.topic}/${place.partition}/${place.offset}\n${place.appendTimeMs}\n${place.kind}\n${bodySha}\n`;
}

/** RFC 6962 leaf hash of the preimage, lower-case hex. */
export function leafHash(preimage: string): string {
  return hash('sha256', `\0${preimage}`, 'hex');
}
