import { bodyHash, ENTRY_VERSION } from '../entry.ts';
import { parseLogId } from '../log-id.ts';

/** A ledger entry as a proof carries it: its preimage and the body that the preimage has the hash of. */
export interface ProvenEntry {
  /** Eight lines (`evidence/entry.ts`); hashing it gives the leaf. */
  readonly preimage: string;
  readonly body: Uint8Array;
}

/** What a preimage says. */
export interface EntryFacts {
  readonly log: string;
  readonly tenant: string;
  readonly seq: bigint;
  /** Leaf of the entry before, lower-case hex. */
  readonly prev: string;
  readonly appendTimeMs: number;
  readonly kind: string;
  readonly bodySha: string;
}

const LINES = 8;
const LF = 0x0a;
const DECIMAL = /^(?:0|[1-9]\d{0,18})$/;
const HASH = /^[0-9a-f]{64}$/;
/** Longer is no preimage of ours. */
const PREIMAGE_MAX_BYTES = 2048;

/** The `extra` of a proof of a ledger entry: the preimage's eight lines, then the body's exact bytes. */
export function formatEntryExtra({ preimage, body }: ProvenEntry): Uint8Array {
  return Buffer.concat([Buffer.from(preimage, 'utf8'), body]);
}

/** Reads attacker-controlled bytes; `undefined` where there are no eight lines of ASCII. */
export function parseEntryExtra(extra: Uint8Array): ProvenEntry | undefined {
  let end = -1;
  for (let line = 0; line < LINES; line += 1) {
    end = extra.indexOf(LF, end + 1);
    if (end < 0 || end >= PREIMAGE_MAX_BYTES) return undefined;
  }
  const preimage = Buffer.from(extra.subarray(0, end + 1));
  if (preimage.some((byte) => byte >= 0x80)) return undefined;
  return { preimage: preimage.toString('latin1'), body: extra.subarray(end + 1) };
}

/** Reads attacker-controlled text strictly; `undefined` for anything but a preimage of entry version 1. */
export function parsePreimage(preimage: string): EntryFacts | undefined {
  const lines = preimage.split('\n');
  const [version, log = '', seq = '', prev = '', , timeMs = '', kind = '', bodySha = '', end] = lines;
  const name = parseLogId(log);
  if (lines.length !== LINES + 1 || version !== ENTRY_VERSION || end !== '' || name === undefined)
    return undefined;
  if (!DECIMAL.test(seq) || !DECIMAL.test(timeMs) || !HASH.test(prev) || !HASH.test(bodySha))
    return undefined;
  const appendTimeMs = Number(timeMs);
  if (!Number.isSafeInteger(appendTimeMs)) return undefined;
  return { log, tenant: name.tenant, seq: BigInt(seq), prev, appendTimeMs, kind, bodySha };
}

/** Whether the body is the one that the preimage has the hash of. */
export const hasBody = (facts: EntryFacts, body: Uint8Array): boolean => bodyHash(body) === facts.bodySha;
