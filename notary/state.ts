import { z } from 'zod';
import type { CompactRange } from '../evidence/merkle/compact-range.ts';
import { IntegrityError } from '../runtime/errors.ts';
import type { Publication } from '../sinks/store/store.ts';

/** What a notary knows of a data log it signed: enough to go on without reading a signed entry again. */
export interface SignedLog {
  readonly topic: string;
  /** Leaf of the last signed entry, lower-case hex. */
  readonly leaf: string;
  readonly offset: bigint;
  readonly appendTimeMs: number;
  /** `[0, size)` of the log's tree. */
  readonly range: CompactRange;
  /** Entries below may be gone: this notary entered the announcement. */
  readonly prunedBelow?: bigint | undefined;
}

/**
 * What a notary must never forget: every tree it signed, as heads. It is the only authority on what was signed; what the
 * store has of it is a copy.
 */
export interface NotaryState {
  readonly origin: string;
  /** The key in force, as C2SP writes it. */
  readonly verifierKey: string;
  /** Time of the last cycle; the next one's is later. */
  readonly timeMs: number;
  /** `[0, size)` of the anchor log's tree. */
  readonly anchor: CompactRange;
  /** The anchor log's newest checkpoint; empty before the first. */
  readonly note: string;
  readonly logs: ReadonlyMap<string, SignedLog>;
  /** By `<topic>/<partition>`: append time up to which every entry is signed. */
  readonly signedUpToMs: ReadonlyMap<string, number>;
  /** Of the last cycle: may not be in the store yet. */
  readonly publication: Publication | undefined;
}

const decimal = z.string().regex(/^\d{1,19}$/);
const hash64 = z.string().regex(/^[0-9a-f]{64}$/);
const range = z.strictObject({ size: decimal, hashes: z.array(hash64) });
const publicationSchema = z.strictObject({
  entries: z.array(z.strictObject({ seq: decimal, body: z.string() })),
  checkpoints: z.array(
    z.strictObject({
      origin: z.string(),
      size: decimal,
      root: hash64,
      time_ms: z.int(),
      note: z.string(),
    }),
  ),
  subtrees: z.array(z.strictObject({ log: z.string(), level: z.int(), index: decimal, hash: hash64 })),
});
type PublicationJson = z.infer<typeof publicationSchema>;
const stateJson = z.strictObject({
  v: z.literal(1),
  origin: z.string(),
  verifier_key: z.string(),
  time_ms: z.int(),
  anchor: range,
  note: z.string(),
  logs: z.record(
    z.string(),
    z.strictObject({
      topic: z.string(),
      leaf: hash64,
      offset: decimal,
      append_time_ms: z.int(),
      range,
      pruned_below: decimal.optional(),
    }),
  ),
  signed_up_to_ms: z.record(z.string(), z.int()),
  publication: publicationSchema.optional(),
});
type StateJson = z.infer<typeof stateJson>;

/** State of a notary that has signed nothing. */
export const emptyState = (origin: string, verifierKey: string): NotaryState => ({
  origin,
  verifierKey,
  timeMs: 0,
  anchor: { begin: 0n, end: 0n, hashes: [] },
  note: '',
  logs: new Map(),
  signedUpToMs: new Map(),
  publication: undefined,
});

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const rangeJson = ({ end, hashes }: CompactRange) => ({ size: String(end), hashes: hashes.map(hex) });
const rangeOf = ({ size, hashes }: z.infer<typeof range>): CompactRange => ({
  begin: 0n,
  end: BigInt(size),
  hashes: hashes.map((each) => Buffer.from(each, 'hex')),
});

export function formatState(state: NotaryState): string {
  const { publication } = state;
  const json: StateJson = {
    v: 1,
    origin: state.origin,
    verifier_key: state.verifierKey,
    time_ms: state.timeMs,
    anchor: rangeJson(state.anchor),
    note: state.note,
    logs: Object.fromEntries(
      [...state.logs].map(([log, { topic, leaf, offset, appendTimeMs, range: of, prunedBelow }]) => [
        log,
        {
          ...{ topic, leaf, offset: String(offset), append_time_ms: appendTimeMs, range: rangeJson(of) },
          ...(prunedBelow === undefined ? {} : { pruned_below: String(prunedBelow) }),
        },
      ]),
    ),
    signed_up_to_ms: Object.fromEntries(state.signedUpToMs),
    ...(publication === undefined ? {} : { publication: publicationJson(publication) }),
  };
  return `${JSON.stringify(json)}\n`;
}

function publicationJson({ entries, checkpoints, subtrees }: Publication): PublicationJson {
  return {
    entries: entries.map(({ seq, body }) => ({ seq: String(seq), body: Buffer.from(body).toString('utf8') })),
    checkpoints: checkpoints.map(({ origin, size, root, timeMs, note }) => ({
      origin,
      size: String(size),
      root: hex(root),
      time_ms: timeMs,
      note,
    })),
    subtrees: subtrees.map(({ log, level, index, hash }) => ({
      log,
      level,
      index: String(index),
      hash: hex(hash),
    })),
  };
}

/** @throws IntegrityError for text that is no state. */
export function parseState(text: string, path: string): NotaryState {
  let json: StateJson;
  try {
    json = stateJson.parse(JSON.parse(text));
  } catch (cause) {
    throw new IntegrityError(`cannot use ${path}: it is not the state of a notary`, { cause });
  }
  const { publication } = json;
  return {
    origin: json.origin,
    verifierKey: json.verifier_key,
    timeMs: json.time_ms,
    anchor: rangeOf(json.anchor),
    note: json.note,
    logs: new Map(
      Object.entries(json.logs).map(
        ([log, { topic, leaf, offset, append_time_ms, range: of, pruned_below }]) => [
          log,
          {
            ...{ topic, leaf, offset: BigInt(offset), appendTimeMs: append_time_ms, range: rangeOf(of) },
            prunedBelow: pruned_below === undefined ? undefined : BigInt(pruned_below),
          },
        ],
      ),
    ),
    signedUpToMs: new Map(Object.entries(json.signed_up_to_ms)),
    publication: publication && publicationOf(json.origin, publication),
  };
}

function publicationOf(anchorLog: string, { entries, checkpoints, subtrees }: PublicationJson): Publication {
  return {
    origin: anchorLog,
    entries: entries.map(({ seq, body }) => ({ seq: BigInt(seq), body: Buffer.from(body) })),
    checkpoints: checkpoints.map(({ origin, size, root, time_ms, note }) => ({
      origin,
      size: BigInt(size),
      root: Buffer.from(root, 'hex'),
      timeMs: time_ms,
      note,
    })),
    subtrees: subtrees.map(({ log, level, index, hash }) => ({
      log,
      level,
      index: BigInt(index),
      hash: Buffer.from(hash, 'hex'),
    })),
  };
}

/** One line, without its end. */
export const formatPublication = (publication: Publication): string =>
  JSON.stringify(publicationJson(publication));

/** `undefined` for text that is none, such as a line that was being written when the machine stopped. */
export function parsePublication(origin: string, line: string): Publication | undefined {
  try {
    return publicationOf(origin, publicationSchema.parse(JSON.parse(line)));
  } catch {
    return undefined;
  }
}
