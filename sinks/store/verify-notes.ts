import { parseAnchorEntry } from '../../evidence/anchor-log/entry.ts';
import { chainHeads, type SignedLog } from '../../evidence/anchor-log/signed-logs.ts';
import type { AnchorView } from '../../evidence/anchor-log/verify.ts';
import { parseCheckpoint } from '../../evidence/note/checkpoint.ts';
import { parseVerifierKey, verifiedBy, verifierKey, type VerifierKey } from '../../evidence/note/key.ts';
import { NoteFormatError, parseNote } from '../../evidence/note/note.ts';
import { anchorOrigin } from '../../evidence/anchor-log/entry.ts';
import { readAnchorEntries } from './checkpoints.ts';
import { readRows } from './clickhouse-store.ts';
import type { ColumnReader } from './row-binary.ts';
import { sqlString } from './sql-text.ts';
import type { RawQuery } from './store.ts';
import type { FindingLog } from './verify-report.ts';

export interface StoredNotes {
  readonly raw: RawQuery;
  readonly deployment: string;
  /** Notes made later are left out: the part of the anchor log that was read does not know them. */
  readonly untilMs: bigint;
  readonly view: AnchorView;
  readonly findings: FindingLog;
}

interface NoteRow {
  readonly origin: string;
  readonly size: bigint;
  /** What the columns beside the note say, which must be what was signed. */
  readonly root: string;
  readonly timeMs: bigint;
  readonly note: string;
}
const NOTE_COLUMNS = 'toString(origin), size, root, time_ms, note';
const readNoteRow = (read: ColumnReader): NoteRow => ({
  origin: read.string(),
  size: read.uint64(),
  root: read.hex(32),
  timeMs: read.int64(),
  note: read.string(),
});

/** Differing checkpoints named for one log. */
const DIFFERENCES_MAX = 8;
/** Copies of one checkpoint whose signatures are looked at. */
const NOTES_MAX = 4;

/**
 * Holds the stored checkpoints of every data log against the anchor log: none may be missing, added or changed. The
 * newest of each log is also held against the notary's keys; those before it say what a signed entry of the anchor log
 * says, and prove nothing beyond it.
 */
export async function checkNotes(notes: StoredNotes): Promise<void> {
  const { raw, deployment, untilMs, view, findings } = notes;
  const anchor = anchorOrigin(deployment);
  const seen = new Set<string>();
  let last: (NoteRow & { readonly notes: string[] }) | undefined;
  let chain = '';
  let isOther = false;
  const close = async () => {
    if (last === undefined) return;
    const { origin } = last;
    seen.add(origin);
    const signed = view.logs.get(origin);
    if (signed === undefined)
      report(
        findings,
        'UNKNOWN_LOG',
        origin,
        null,
        'checkpoints are stored of a log that the anchor log does not know',
      );
    else if (isOther || signed.chain !== chain) await nameDifferences(notes, origin);
    else checkSignature(notes, last);
  };
  try {
    const rows = readRows(
      raw,
      `SELECT ${NOTE_COLUMNS} FROM custody.checkpoints WHERE startsWith(origin, ${sqlString(`${deployment}/`)}) AND origin != ${sqlString(anchor)} AND time_ms <= ${untilMs} ORDER BY origin, size, note`,
      readNoteRow,
    );
    for await (const row of rows) {
      if (row.origin !== last?.origin) {
        await close();
        chain = '';
        isOther = false;
      }
      const root = rootOf(row) ?? 'no checkpoint';
      if (row.root !== root) isOther = true;
      if (row.origin === last?.origin && row.size === last.size && root === last.root) {
        if (row.timeMs !== last.timeMs) isOther = true;
        if (last.notes.length < NOTES_MAX) last.notes.push(row.note);
        continue;
      }
      chain = chainHeads(chain, row.size, root, row.timeMs);
      last = { ...row, root, notes: [row.note] };
    }
    await close();
    for (const [log, signed] of view.logs) if (!seen.has(log)) reportNone(notes, log, signed);
  } catch (error) {
    findings.readFailure('custody.checkpoints', error);
  }
}

/** Root a note states for its own place, as hex; `undefined` when it states something else. */
export function rootOf({
  origin,
  size,
  note,
}: Pick<NoteRow, 'origin' | 'size' | 'note'>): string | undefined {
  const [text = ''] = note.split('\n\n');
  const checkpoint = parseCheckpoint(`${text}\n`);
  if (checkpoint?.origin !== origin || checkpoint.size !== size) return undefined;
  return Buffer.from(checkpoint.root).toString('hex');
}

/** Columns of a checkpoint that say something else than what was signed. */
export function wrongColumns(
  row: { readonly root: string; readonly timeMs: bigint },
  root: string | undefined,
  timeMs: bigint,
): ('root' | 'time_ms')[] {
  return [
    ...(root === undefined || row.root === root ? [] : (['root'] as const)),
    ...(row.timeMs === timeMs ? [] : (['time_ms'] as const)),
  ];
}

/** Says that a column of a stored checkpoint is not what was signed. */
export function reportColumn(
  findings: FindingLog,
  { origin, size }: { readonly origin: string; readonly size: bigint },
  column: string,
): void {
  const detail = `not what was signed of size ${size}`;
  findings.add({ cause: 'DERIVED_MISMATCH', log: origin, seq: size - 1n, column, detail });
}

/** One of the copies must be signed by a key of the notary. */
function checkSignature(
  { view, findings }: StoredNotes,
  row: NoteRow & { readonly notes: readonly string[] },
): void {
  const keys = view.signers.map((text) => verifierKey(row.origin, 'log', parseVerifierKey(text).publicKey));
  if (row.notes.some((note) => isSigned(note, keys))) return;
  const detail = `the checkpoint of size ${row.size} is not signed by the notary`;
  report(findings, 'NOTE_SIGNATURE', row.origin, row.size - 1n, detail);
}

function isSigned(text: string, keys: readonly VerifierKey[]): boolean {
  try {
    const { by, bad } = verifiedBy(parseNote(text), keys);
    return bad === undefined && by.length > 0;
  } catch (error) {
    if (!(error instanceof NoteFormatError)) throw error;
    return false;
  }
}

function reportNone({ findings }: StoredNotes, log: string, { heads }: SignedLog): void {
  const newest = heads.at(-1);
  const detail = `no checkpoint of the log is stored, size ${newest?.size ?? 0n} was signed`;
  report(findings, 'CHECKPOINT_MISSING', log, newest === undefined ? null : newest.size - 1n, detail);
}

/** Reads both again for one log and names what differs. */
async function nameDifferences(
  { raw, deployment, untilMs, view, findings }: StoredNotes,
  log: string,
): Promise<void> {
  const signed = new Map<bigint, { readonly root: string; readonly timeMs: number }>();
  for await (const { seq, body } of readAnchorEntries(raw, anchorOrigin(deployment), {
    types: ['checkpoint'],
  })) {
    if (seq >= view.size) break;
    const entry = parseAnchorEntry(body);
    if (entry?.type === 'checkpoint' && entry.log === log)
      signed.set(BigInt(entry.size), { root: entry.root, timeMs: entry.time_ms });
  }
  let named = 0;
  const name = (...[cause, seq, detail]: [Parameters<typeof report>[1], bigint, string]) => {
    named += 1;
    if (named <= DIFFERENCES_MAX) report(findings, cause, log, seq, detail);
  };
  const stored = new Set<bigint>();
  const rows = readRows(
    raw,
    `SELECT ${NOTE_COLUMNS} FROM custody.checkpoints WHERE origin = ${sqlString(log)} AND time_ms <= ${untilMs} ORDER BY size, note`,
    readNoteRow,
  );
  for await (const row of rows) {
    stored.add(row.size);
    const root = rootOf(row);
    const own = signed.get(row.size);
    if (root === undefined)
      name('NOTE_SIGNATURE', row.size - 1n, `the checkpoint of size ${row.size} is of something else`);
    else if (own === undefined)
      name('NOTE_SIGNATURE', row.size - 1n, `the anchor log knows no checkpoint of size ${row.size}`);
    else if (own.root !== root)
      name('SPLIT_VIEW', row.size - 1n, `the anchor log states another tree of size ${row.size}`);
    else
      for (const column of wrongColumns(row, root, BigInt(own.timeMs))) {
        named += 1;
        if (named <= DIFFERENCES_MAX) reportColumn(findings, row, column);
      }
  }
  for (const size of signed.keys())
    if (!stored.has(size))
      name('CHECKPOINT_MISSING', size - 1n, `the checkpoint of size ${size} is not stored`);
  if (named === 0) name('CHECKPOINT_MISSING', 0n, 'the stored checkpoints are not those of the anchor log');
}

function report(
  findings: FindingLog,
  cause: Parameters<FindingLog['add']>[0]['cause'],
  log: string,
  seq: bigint | null,
  detail: string,
): void {
  findings.add({ cause, log, seq, column: null, detail });
}
