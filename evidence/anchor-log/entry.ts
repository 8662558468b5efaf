import { z } from 'zod';
import { canonicalJson } from '../canonical-json.ts';
import { hash } from 'node:crypto';

/**
 * The anchor log: one per deployment, an RFC 6962 tree of its own. Its entries are what the notary vouches for: the head
 * of every data log, and every act that changes what may be missing or whose signature counts. Only its checkpoints go
 * to anchors, so one anchored checkpoint covers every log of every tenant.
 *
 * An entry is one JSON object in canonical form (RFC 8785). Its leaf is SHA-256(0x00 || bytes). The entries of one cycle
 * of the notary share `time_ms`, which grows from cycle to cycle; a signed checkpoint ends each cycle.
 */
export const ANCHOR_SCHEMA = 'custody.anchor/v1';

/** Id of a deployment's anchor log, and name of the key that signs it. Never a data log's id, which has four parts. */
export const anchorOrigin = (deployment: string): string => `${deployment}/anchor`;

const decimal = z.string().regex(/^(?:0|[1-9]\d{0,18})$/);
const hash64 = z.string().regex(/^[0-9a-f]{64}$/);
const day = z.string().regex(/^\d{4}-\d{2}-\d{2}$/);
const text = z.string().min(1).max(512);
const logId = z.string().min(1).max(256);
const key = z.string().min(1).max(400);
const base = { schema: z.literal(ANCHOR_SCHEMA), time_ms: z.int().nonnegative() };
const act = { operator: text, reason: text };

/** Closed set of anchor entries; sizes and seqs are decimal strings, hashes lower-case hex, keys as C2SP writes them. */
export const anchorEntrySchema = z.discriminatedUnion('type', [
  z.strictObject({ ...base, type: z.literal('genesis'), deployment: text, verifier_key: key }),
  /** The data log has `size` entries; `root` is the tree's, `leaf` that of entry size-1. */
  z.strictObject({
    ...base,
    type: z.literal('checkpoint'),
    log: logId,
    size: decimal,
    root: hash64,
    leaf: hash64,
  }),
  /**
   * Entries below `first_seq` of the log will be removed. `leaf` is that of entry first_seq-1 and `range` the compact range
   * [0, first_seq), so that the rest verifies without them. `day` is the last day that goes.
   */
  z.strictObject({
    ...base,
    ...act,
    type: z.literal('pruned'),
    log: logId,
    first_seq: decimal,
    leaf: hash64,
    range: z.array(hash64).max(64),
    day,
    retention_days: z.int().nonnegative(),
  }),
  /** Every partition up to `day` has been dropped. */
  z.strictObject({ ...base, ...act, type: z.literal('prune_done'), day }),
  /** Nothing of these days may be removed; without a tenant of anybody's. */
  z.strictObject({
    ...base,
    ...act,
    type: z.literal('hold'),
    hold_id: text,
    tenant: text.optional(),
    from_day: day.optional(),
    to_day: day.optional(),
  }),
  z.strictObject({ ...base, ...act, type: z.literal('hold_released'), hold_id: text }),
  /** `proof`: the new key's signature (base64) of `keyRotationText`; both keys sign the checkpoint that covers it. */
  z.strictObject({ ...base, ...act, type: z.literal('key_rotated'), old: key, new: key, proof: text }),
  /** Checkpoints of the key count below `since_size`, and from it on only where somebody outside holds them. */
  z.strictObject({ ...base, ...act, type: z.literal('key_compromised'), key, since_size: decimal }),
  /** The key that the fields of a subject were encrypted with is destroyed; `subject` is a pseudonym. */
  z.strictObject({ ...base, ...act, type: z.literal('erased'), tenant: text, subject: text, key_id: text }),
  /** An evidence bundle was made, opened or handed on; `digest` is the SHA-256 of the file. */
  z.strictObject({
    ...base,
    ...act,
    type: z.literal('bundle'),
    act: z.enum(['created', 'opened', 'transferred', 'attached']),
    digest: hash64,
    case: text,
  }),
  /** Entries were written again from the log after a loss. */
  z.strictObject({
    ...base,
    ...act,
    type: z.literal('repaired'),
    log: logId,
    from_seq: decimal,
    to_seq: decimal,
  }),
]);

export type AnchorEntry = z.infer<typeof anchorEntrySchema>;
export type AnchorEntryOf<Type extends AnchorEntry['type']> = Extract<AnchorEntry, { type: Type }>;
/** What an operator or another part asks the notary to enter; the notary adds schema and time. */
export type AnchorAct = AnchorEntry extends infer Entry
  ? Entry extends AnchorEntry
    ? Omit<Entry, 'schema' | 'time_ms'>
    : never
  : never;

export function formatAnchorEntry(entry: AnchorEntry): Uint8Array {
  return Buffer.from(canonicalJson(entry), 'utf8');
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads attacker-controlled bytes; `undefined` for anything but the canonical form of a known entry. */
export function parseAnchorEntry(body: Uint8Array): AnchorEntry | undefined {
  let json: unknown;
  try {
    json = JSON.parse(strictUtf8.decode(body));
  } catch {
    return undefined;
  }
  const parsed = anchorEntrySchema.safeParse(json);
  if (!parsed.success) return undefined;
  return Buffer.compare(formatAnchorEntry(parsed.data), body) === 0 ? parsed.data : undefined;
}

/** RFC 6962 leaf hash of an entry's bytes. */
export function anchorLeaf(body: Uint8Array): Uint8Array {
  return hash('sha256', Buffer.concat([Buffer.from([0]), body]), 'buffer');
}

/** What the new key signs to take over from the old one. */
export const keyRotationText = (origin: string, oldKey: string, newKey: string): string =>
  `custody/key-rotation/v1\n${origin}\n${oldKey}\n${newKey}\n`;
