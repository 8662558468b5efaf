import { anchorOrigin } from '../../evidence/anchor-log/entry.ts';
import type { ExternalHead } from '../../evidence/anchor-log/external-heads.ts';
import type { PinnedTrust } from '../../evidence/anchor-log/pinned-keys.ts';
import {
  type AnchorLogVerifier,
  type AnchorView,
  createAnchorLogVerifier,
} from '../../evidence/anchor-log/verify.ts';
import { NoteFormatError, parseSignatures, type NoteSignature } from '../../evidence/note/note.ts';
import { readRows } from './clickhouse-store.ts';
import { sqlString } from './sql-text.ts';
import type { RawQuery } from './store.ts';
import { checkNotes, reportColumn, rootOf, wrongColumns } from './verify-notes.ts';
import type { FindingLog } from './verify-report.ts';

export interface SignedEvidence {
  readonly raw: RawQuery;
  readonly deployment: string;
  readonly trust: PinnedTrust;
  /** Read before the store: it can only have grown since. */
  readonly external: readonly ExternalHead[];
  readonly findings: FindingLog;
}

/** Entries asked for at once; an endpoint bounds what one answer may hold. */
const PAGE_ENTRIES = 100_000n;

/** How far the notary had published, in one look: what comes later is left out. */
interface Published {
  readonly size: bigint;
  readonly timeMs: bigint;
  /** Newest checkpoint of a data log. */
  readonly logTimeMs: bigint;
}

/**
 * Reads and verifies the anchor log and every stored checkpoint. `undefined` when the deployment has no checkpoints and
 * nobody says that it must, or when they could not be read, which is a finding.
 */
export async function readAnchorView(evidence: SignedEvidence): Promise<AnchorView | undefined> {
  const { raw, deployment, trust, external, findings } = evidence;
  const origin = anchorOrigin(deployment);
  const published = await publishedBound(evidence, origin);
  if (published === undefined) return undefined;
  if (published.size === 0n && published.logTimeMs === 0n && external.every(({ size }) => size === 0n)) {
    const detail = 'keys of a notary are pinned, and no checkpoint is stored';
    if (trust.source === 'pinned')
      findings.add({ cause: 'CHECKPOINT_MISSING', log: origin, seq: null, column: null, detail });
    return undefined;
  }
  const verifier = createAnchorLogVerifier({
    origin,
    trust,
    external,
    onFinding: (found) => findings.add(found),
  });
  try {
    await feed(evidence, origin, published.size, verifier);
  } catch (error) {
    findings.readFailure(origin, error);
    return undefined;
  }
  const view = verifier.finish();
  if (published.logTimeMs > published.timeMs) {
    const detail = 'checkpoints of data logs are stored that no stored checkpoint of the anchor log covers';
    findings.add({ cause: 'CHECKPOINT_MISSING', log: origin, seq: view.size, column: null, detail });
  }
  await checkNotes({ raw, deployment, untilMs: published.timeMs, view, findings });
  return view;
}

async function publishedBound(
  { raw, deployment, findings }: SignedEvidence,
  origin: string,
): Promise<Published | undefined> {
  const own = `origin = ${sqlString(origin)}`;
  const select = `SELECT maxIf(size, ${own}), maxIf(time_ms, ${own}), maxIf(time_ms, NOT (${own})) FROM custody.checkpoints WHERE startsWith(origin, ${sqlString(`${deployment}/`)})`;
  let found: Published | undefined;
  try {
    const rows = readRows(raw, select, (read) => ({
      size: read.uint64(),
      timeMs: read.int64(),
      logTimeMs: read.int64(),
    }));
    for await (const row of rows) found = row;
  } catch (error) {
    findings.readFailure('custody.checkpoints', error);
  }
  return found;
}

/** SQL that is 1 where the derived columns of an anchor entry are what its body says (migration 0002). */
const SAME_COLUMNS = [
  "type = JSONExtractString(body, 'type')",
  "log = JSONExtractString(body, 'log')",
  "size = toUInt64OrZero(JSONExtractString(body, 'size'))",
  "time_ms = JSONExtractInt(body, 'time_ms')",
].join(' AND ');

/** Hands over entries and notes in the order the verifier takes them: each note after the entries it covers. */
async function feed(
  { raw, trust, findings }: SignedEvidence,
  origin: string,
  size: bigint,
  verifier: AnchorLogVerifier,
): Promise<void> {
  for (let from = 0n; from < size; from += PAGE_ENTRIES) {
    const to = from + PAGE_ENTRIES < size ? from + PAGE_ENTRIES : size;
    const cosignatures = trust.witnesses && (await cosignaturesOf(raw, origin, from, to));
    const notes = readRows(
      raw,
      `SELECT size, root, time_ms, note FROM custody.checkpoints WHERE origin = ${sqlString(origin)} AND size > ${from} AND size <= ${to} ORDER BY size`,
      (read) => ({ size: read.uint64(), root: read.hex(32), timeMs: read.int64(), text: read.string() }),
    );
    const entries = readRows(
      raw,
      `SELECT seq, leaf, body, JSONExtractInt(body, 'time_ms'), ifNull(${SAME_COLUMNS}, 0) FROM custody.anchor_entries WHERE origin = ${sqlString(origin)} AND seq >= ${from} AND seq < ${to} ORDER BY seq`,
      (read) => ({
        ...{ seq: read.uint64(), leaf: Buffer.from(read.hex(32), 'hex'), body: read.bytes() },
        ...{ timeMs: read.int64(), isDerived: read.uint8() === 1 },
      }),
    );
    let last = { seq: -1n, timeMs: 0n };
    let note = await notes.next();
    const notesUpTo = async (covered: bigint) => {
      for (; note.done !== true && note.value.size <= covered; note = await notes.next()) {
        const { size: signed, text } = note.value;
        verifier.note({ size: signed, text, cosignatures: cosignatures?.get(signed) ?? [] });
        const root = rootOf({ origin, size: signed, note: text });
        // A cycle and its checkpoint have one time.
        const signedAtMs = last.seq + 1n === signed ? last.timeMs : note.value.timeMs;
        for (const column of wrongColumns(note.value, root, signedAtMs))
          reportColumn(findings, { origin, size: signed }, column);
      }
    };
    for await (const { timeMs, isDerived, ...entry } of entries) {
      await notesUpTo(entry.seq);
      verifier.entry(entry);
      last = { seq: entry.seq, timeMs };
      if (!isDerived) {
        const detail = 'not what the body says';
        findings.add({ cause: 'DERIVED_MISMATCH', log: origin, seq: entry.seq, column: null, detail });
      }
    }
    await notesUpTo(to);
  }
}

async function cosignaturesOf(
  raw: RawQuery,
  origin: string,
  from: bigint,
  to: bigint,
): Promise<Map<bigint, NoteSignature[]>> {
  const found = new Map<bigint, NoteSignature[]>();
  const rows = readRows(
    raw,
    `SELECT size, evidence FROM custody.anchor_evidence WHERE origin = ${sqlString(origin)} AND type = 'cosignature' AND size > ${from} AND size <= ${to}`,
    (read) => ({ size: read.uint64(), text: read.string() }),
  );
  for await (const { size, text } of rows) {
    try {
      const lines = parseSignatures(text.endsWith('\n') ? text : `${text}\n`);
      found.set(size, [...(found.get(size) ?? []), ...lines].slice(0, 64));
    } catch (error) {
      // What is no signature line counts as no cosignature.
      if (!(error instanceof NoteFormatError)) throw error;
    }
  }
  return found;
}
