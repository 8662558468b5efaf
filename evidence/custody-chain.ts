import { hash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from './canonical-json.ts';
import { keyidOf } from './dsse.ts';
import { fromBase64 } from './note/base64.ts';
import { signText, type SigningKey, type VerifierKey, verifiedBy } from './note/key.ts';

/**
 * Chain of custody: who handled the evidence, when and why. One act a line, in canonical JSON; each names the SHA-256 of
 * the line before it and is signed, so that none can be removed from between, moved or dated back unseen. Acts up to
 * sealing are in the bundle; later ones are in a file beside it whose first line goes on from the last one inside.
 * A last line that is gone shows only where acts are kept elsewhere too: the notary's log has them.
 */
export const CUSTODY_SCHEMA = 'custody.act/v1';

/** `previous` of the first act. */
export const FIRST_PREVIOUS = '0'.repeat(64);

const text = z.string().min(1).max(512);
const hash64 = z.string().regex(/^[0-9a-f]{64}$/);

const actSchema = z.strictObject({
  schema: z.literal(CUSTODY_SCHEMA),
  act_id: z.uuid(),
  /** From 0, without gaps. */
  seq: z.int().nonnegative(),
  action: z.enum(['collect', 'seal', 'transfer', 'open', 'note', 'copy', 'attach', 'redact', 'dispose']),
  actor: text,
  role: text,
  approver: text.optional(),
  from: text.optional(),
  to: text.optional(),
  location: text.optional(),
  reason: text,
  case: text,
  tool: text,
  time_ms: z.int().nonnegative(),
  /** What the time was read from, such as `system clock`. */
  time_source: text,
  /** SHA-256 of the bundle file; every act after sealing has it. */
  bundle_digest: hash64.optional(),
  /** SHA-256 of the line before, without its end. */
  previous: hash64,
  /** `<name>+<key id>` of who signed; a hint. */
  key: text,
  /** Ed25519 over the canonical JSON of everything else, base64. */
  signature: z.string().max(128),
});

/** A signed act. Its texts were given by operators: escape them wherever they are shown. */
export type CustodyAct = z.infer<typeof actSchema>;
/** What whoever acts states; the chain adds its place and the signature. */
export type CustodyStatement = Omit<CustodyAct, 'schema' | 'seq' | 'previous' | 'key' | 'signature'>;

/** The end of a chain: what the next act goes on from. */
export interface CustodyHead {
  /** Number of acts. */
  readonly count: number;
  /** `previous` of the next act. */
  readonly previous: string;
  readonly timeMs: number;
}

export const EMPTY_CHAIN: CustodyHead = { count: 0, previous: FIRST_PREVIOUS, timeMs: 0 };

/** SHA-256 of a line without its end: what the next act names. */
export const custodyLineHash = (line: string): string => hash('sha256', line, 'hex');

/**
 * Signs an act that follows `head`; gives its line without the end. A time before the last act's becomes the last act's.
 * Throws a RangeError that names the field of a statement that cannot be an act.
 */
export function signAct(
  statement: CustodyStatement,
  head: CustodyHead,
  key: SigningKey,
): { readonly line: string; readonly act: CustodyAct; readonly head: CustodyHead } {
  const time_ms = Math.max(statement.time_ms, head.timeMs);
  const place = {
    schema: CUSTODY_SCHEMA,
    seq: head.count,
    previous: head.previous,
    key: keyidOf(key),
  } as const;
  const unsigned = { ...statement, ...place, time_ms };
  const signature = Buffer.from(signText(key, canonicalJson(unsigned), 0n).signature).toString('base64');
  const parsed = actSchema.safeParse({ ...unsigned, signature });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new RangeError(`${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
  }
  const act = parsed.data;
  const line = canonicalJson(act);
  return { line, act, head: { count: head.count + 1, previous: custodyLineHash(line), timeMs: time_ms } };
}

/**
 * `CUSTODY_LINK`: an act is missing, moved, changed or dated back. `CUSTODY_SIGNATURE`: its signature is not that of the
 * key it names. `CUSTODY_KEY`: no known key signed it, which says nothing against it.
 */
export type CustodyCause = 'CUSTODY_LINK' | 'CUSTODY_SIGNATURE' | 'CUSTODY_KEY';

export interface CustodyFinding {
  readonly cause: CustodyCause;
  /** Of the file, from 1. */
  readonly line: number;
  readonly detail: string;
}

export interface CheckedChain {
  readonly acts: readonly CustodyAct[];
  readonly findings: readonly CustodyFinding[];
  readonly head: CustodyHead;
}

export interface ChainExpectation {
  /** Keys that may sign acts. */
  readonly keys: readonly VerifierKey[];
  /** What the file goes on from; default: it is the beginning. */
  readonly after?: CustodyHead;
  /** SHA-256 of the bundle every act must name: for acts after sealing. */
  readonly bundleDigest?: string;
}

const MAX_ACTS = 10_000;
const FINDINGS_MAX = 100;

/** Reads attacker-controlled text: a chain as one file has it. Judges every act, also after the first bad one. */
export function checkCustodyChain(file: string, expected: ChainExpectation): CheckedChain {
  const acts: CustodyAct[] = [];
  const findings: CustodyFinding[] = [];
  let head = expected.after ?? EMPTY_CHAIN;
  const lines = file.split('\n', MAX_ACTS + 2);
  const report = (cause: CustodyCause, line: number, detail: string) => {
    if (findings.length < FINDINGS_MAX) findings.push({ cause, line, detail });
  };
  if (lines.at(-1) === '') lines.pop();
  else report('CUSTODY_LINK', lines.length, 'the last line does not end');
  if (lines.length > MAX_ACTS) {
    report('CUSTODY_LINK', MAX_ACTS, `more than ${MAX_ACTS} acts`);
    lines.length = MAX_ACTS;
  }
  for (const [index, line] of lines.entries()) {
    const number = index + 1;
    const act = parseAct(line);
    if (act === undefined) {
      report('CUSTODY_LINK', number, 'not an act in canonical form');
      head = { ...head, count: head.count + 1, previous: custodyLineHash(line) };
      continue;
    }
    acts.push(act);
    if (act.seq !== head.count)
      report('CUSTODY_LINK', number, `act ${act.seq} where act ${head.count} belongs`);
    else if (act.previous !== head.previous)
      report('CUSTODY_LINK', number, 'it does not name the act before it');
    if (act.time_ms < head.timeMs) report('CUSTODY_LINK', number, 'it is dated before the act before it');
    if (expected.bundleDigest !== undefined && act.bundle_digest !== expected.bundleDigest)
      report('CUSTODY_LINK', number, 'it is about another bundle file');
    const wrong = checkSignature(act, expected.keys);
    if (wrong !== undefined) report(wrong.cause, number, wrong.detail);
    head = {
      count: act.seq + 1,
      previous: custodyLineHash(line),
      timeMs: Math.max(head.timeMs, act.time_ms),
    };
  }
  return { acts, findings, head };
}

function parseAct(line: string): CustodyAct | undefined {
  try {
    const parsed = actSchema.safeParse(JSON.parse(line));
    return parsed.success && canonicalJson(parsed.data) === line ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

function checkSignature(
  { signature, ...unsigned }: CustodyAct,
  keys: readonly VerifierKey[],
): { readonly cause: CustodyCause; readonly detail: string } | undefined {
  const key = keys.find((known) => keyidOf(known) === unsigned.key);
  const bytes = fromBase64(signature);
  if (key === undefined) return { cause: 'CUSTODY_KEY', detail: 'no known key signed it' };
  const note = {
    text: canonicalJson(unsigned),
    signatures: bytes === undefined ? [] : [{ name: key.name, keyId: key.keyId, signature: bytes }],
  };
  return verifiedBy(note, [key]).by.length === 1
    ? undefined
    : { cause: 'CUSTODY_SIGNATURE', detail: 'the signature is not that of the key it names' };
}
