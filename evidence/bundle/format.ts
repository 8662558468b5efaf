import { z } from 'zod';
import { TENANT_PATTERN } from '../../schemas/event.ts';

/**
 * Files of an evidence bundle, version 1 (docs/spec/bundle.md): what one who writes it and one who verifies it agree on.
 * Sizes and seqs are decimal strings, hashes lower-case hex, times milliseconds since the epoch.
 */
export const BUNDLE_SCHEMA = 'custody.bundle/v1';
export const BUNDLE_PREDICATE_TYPE = 'https://custody.dev/attestation/bundle/v1';
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';

/** Names that mean something. Every one but `sealTimestamp` and `trustPolicy` must be there. */
export const FILE = {
  bagit: 'bagit.txt',
  bagInfo: 'bag-info.txt',
  manifest: 'manifest-sha256.txt',
  tagManifest: 'tagmanifest-sha256.txt',
  seal: 'seal.dsse.json',
  sealTimestamp: 'seal.tsr',
  case: 'data/case.json',
  logs: 'data/logs.json',
  anchorNote: 'data/checkpoints/anchor.note',
  rotations: 'data/checkpoints/rotations.json',
  anchors: 'data/anchors/anchors.json',
  custody: 'data/custody/custody.jsonl',
  /** Informative: who verifies has keys from elsewhere. */
  trustPolicy: 'data/keys/trust-policy.json',
} as const;

/** The whole of bagit.txt (RFC 8493 §2.1.1). */
export const BAGIT_TEXT = 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n';

/** One JSON object a line, each `{"seq":…,"preimage":…,"body":…}` as JSON.stringify writes it, by seq. */
export const entriesFile = (index: string): string => `data/entries/${index}.jsonl`;
export const proofFile = (index: string): string => `data/proofs/${index}.json`;
/** The data log's own checkpoint; a convenience that must be right where it is there. */
export const logNoteFile = (index: string): string => `data/checkpoints/logs/${index}.note`;
/** The token of a `timestamp` in anchors.json once more, as a file for openssl. */
export const timestampFile = (anchor: string): string => `data/anchors/${anchor}.tsr`;

/** Parts of letters, digits, `.`, `_`, `-`, none of them beginning with a dot. */
export const FILE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}){0,7}$/;

const decimal = z.string().regex(/^(?:0|[1-9]\d{0,18})$/);
const hash64 = z.string().regex(/^[0-9a-f]{64}$/);
/** A proof has at most one hash, a compact range at most two for each bit of a size. */
const hashes = z.array(hash64).max(128);
const text = z.string().min(1).max(4096);
const logId = z.string().regex(/^[a-z0-9][a-z0-9._/-]{0,255}$/);
const timeMs = z.int().nonnegative();
const mode = z.enum(['range', 'selection']);
const tool = z.strictObject({ name: text, version: text });

export const caseSchema = z.strictObject({
  schema: z.literal(BUNDLE_SCHEMA),
  case: text,
  question: text.optional(),
  mode,
  deployment: z.string().regex(TENANT_PATTERN),
  tenant: z.string().regex(TENANT_PATTERN),
  /** What was asked for, by the exporter's word; what is proven is in logs.json. */
  from_ms: timeMs,
  to_ms: timeMs,
  filters: z.record(z.string().max(64), z.string().max(4096)),
  created_ms: timeMs,
  operator: text,
  reason: text,
  tool,
  anchor_origin: text,
  /** What the exporter claims, in words; a verifier says what it found itself. */
  claim: text.optional(),
  /** What could have been in the bundle and is not, in words. */
  left_out: z.array(text).max(1000).optional(),
  /** Contradictions the exporter met and exported all the same: such a bundle is never valid. */
  findings: z
    .array(
      z.strictObject({
        cause: z.string().max(64),
        log: z.string().max(256),
        seq: z.string().max(20).nullable(),
        detail: z.string().max(4096),
      }),
    )
    .max(1000)
    .optional(),
  /** Version 1 has none: an entry without its body cannot be verified. */
  redactions: z.array(z.never()),
});
export type BundleCase = z.infer<typeof caseSchema>;

export const logWindowSchema = z.strictObject({
  log: logId,
  /** Name of its files. */
  index: z.string().regex(/^\d{4,6}$/),
  mode,
  from_seq: decimal,
  /** Inclusive. */
  to_seq: decimal,
  entries: z.int().positive(),
});
export type BundleLog = z.infer<typeof logWindowSchema>;

/** By index; no log and no index twice. */
export const logsSchema = z.array(logWindowSchema).max(100_000);

/** The `checkpoint` entry of the anchor log that states size, root and last leaf of the data log. */
const anchorProof = z.strictObject({
  seq: decimal,
  /** Exact JSON text. */
  entry: z.string().max(4096),
  /** Of the anchor log; the size of anchor.note. */
  size: decimal,
  /** Inclusion proof, from the leaf's neighbour up. */
  hashes,
});

const proofBase = { log: logId, size: decimal, root: hash64, anchor: anchorProof };

export const proofSchema = z.discriminatedUnion('mode', [
  z.strictObject({
    mode: z.literal('range'),
    ...proofBase,
    from_seq: decimal,
    to_seq: decimal,
    /** Compact range [0, from_seq). */
    before: hashes,
    /** Compact range [to_seq + 1, size). */
    after: hashes,
  }),
  z.strictObject({
    mode: z.literal('selection'),
    ...proofBase,
    /** One for each entry, by seq. */
    items: z.array(z.strictObject({ seq: decimal, hashes })).max(200_000),
  }),
]);
export type BundleProof = z.infer<typeof proofSchema>;
export type BundleProofOf<Mode extends BundleProof['mode']> = Extract<BundleProof, { mode: Mode }>;

/**
 * What anchors gave back. `size` is that of the checkpoint it is about: only what is about anchor.note counts. `evidence`: the
 * signature line for type `cosignature`, the token in base64 for `timestamp`, the place in words for any other.
 */
export const anchorsSchema = z
  .array(
    z.strictObject({
      anchor: z.string().min(1).max(256),
      type: z.string().min(1).max(32),
      size: decimal,
      evidence: z.string().max(262_144),
    }),
  )
  .max(1000);

const sealSubject = <Name extends string>(name: Name) =>
  z.strictObject({ name: z.literal(name), digest: z.strictObject({ sha256: hash64 }) });

/** The in-toto Statement v1 in the seal: who made which bundle, over both manifests. */
export const sealStatementSchema = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.tuple([sealSubject(FILE.manifest), sealSubject(FILE.tagManifest)]),
  predicateType: z.literal(BUNDLE_PREDICATE_TYPE),
  predicate: z.strictObject({
    case: text,
    mode,
    created_ms: timeMs,
    tool,
    /** The windows of logs.json, in its order. */
    logs: z.array(z.strictObject({ log: logId, from_seq: decimal, to_seq: decimal })).max(100_000),
  }),
});
export type SealStatement = z.infer<typeof sealStatementSchema>;

/** What verifiers hold in memory of one file at most; a larger one is refused as TOO_LARGE. */
export const LIMITS = {
  files: 200_000,
  jsonBytes: 64 * 1024 * 1024,
  noteBytes: 1024 * 1024,
  lineBytes: 64 * 1024 * 1024,
} as const;
