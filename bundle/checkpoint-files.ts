import { FILE, logNoteFile, timestampFile } from '../evidence/bundle/format.ts';
import { parseVerifierKey, verifiedBy, type VerifierKey } from '../evidence/note/key.ts';
import {
  formatNote,
  NoteFormatError,
  parseNote,
  parseSignatures,
  type NoteSignature,
  type SignedNote,
} from '../evidence/note/note.ts';
import { readRows } from '../sinks/store/clickhouse-store.ts';
import { readKeyHistory } from '../sinks/store/key-rotations.ts';
import { sqlString } from '../sinks/store/sql-text.ts';
import type { RawQuery } from '../sinks/store/store.ts';
import type { BundleFacts, CaseFinding } from './case-data.ts';
import type { Coverage } from './coverage.ts';
import type { Staging } from './staging.ts';

/** What the checkpoints of a bundle rest on. */
export interface CheckpointFacts {
  /** Keys the anchor log names, first to last. */
  readonly notaryKeys: readonly string[];
  readonly anchors: BundleFacts['anchors'];
  readonly cosigners: readonly string[];
  /** As written, cosignatures included. */
  readonly note: SignedNote;
  readonly findings: readonly CaseFinding[];
}

/** Ids of anchors as configuration allows them; anything else in the store is not ours. */
const ANCHOR_ID = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const EVIDENCE_MAX = 256;

/** Writes data/checkpoints and data/anchors: the signed notes, what anchors gave back, and how keys changed. */
export async function writeCheckpointFiles(
  raw: RawQuery,
  staging: Staging,
  coverage: Coverage,
  indexes: ReadonlyMap<string, string>,
): Promise<CheckpointFacts> {
  const { checkpoint } = coverage;
  const findings: CaseFinding[] = [];
  const history = await readKeyHistory(raw, checkpoint.origin, checkpoint.size);
  const keys = history.keys.flatMap(keyOf);
  await staging.write(FILE.rotations, `${JSON.stringify(history.rotations, undefined, 2)}\n`);
  for (const [log, { note }] of coverage.logs) {
    const index = indexes.get(log);
    if (index !== undefined && note !== undefined) await staging.write(logNoteFile(index), note);
  }
  const evidence = await evidenceAt(raw, checkpoint.origin, checkpoint.size);
  const cosignatures: NoteSignature[] = [];
  const kept: { anchor: string; type: string; size: bigint; evidence: string }[] = [];
  for (const item of evidence) {
    if (!ANCHOR_ID.test(item.anchor)) continue;
    kept.push(item);
    if (item.type === 'cosignature') cosignatures.push(...linesOf(item.evidence));
    if (item.type === 'timestamp')
      await staging.write(timestampFile(item.anchor), Buffer.from(item.evidence, 'base64'));
  }
  const note = readNote(checkpoint.note);
  if (note === undefined || !isSigned(note, keys))
    findings.push({
      ...{ cause: 'NOTE_SIGNATURE', log: checkpoint.origin, seq: String(checkpoint.size) },
      detail: 'the checkpoint is not signed by a key that the anchor log names',
    });
  const known = new Set(note?.signatures.map(({ name, keyId }) => `${name}+${keyId}`));
  const added = cosignatures.filter(({ name, keyId }) => !known.has(`${name}+${keyId}`));
  const whole = note && { ...note, signatures: [...note.signatures, ...added] };
  await staging.write(FILE.anchorNote, whole === undefined ? checkpoint.note : formatNote(whole));
  const list = kept.map(({ size, ...item }) => ({ ...item, size: String(size) }));
  await staging.write(FILE.anchors, `${JSON.stringify(list, undefined, 2)}\n`);
  return {
    notaryKeys: keys.map(({ text }) => text),
    anchors: kept.map(({ anchor, type, size }) => ({ anchor, type, size })),
    cosigners: added.map(({ name }) => name),
    note: whole ?? { text: checkpoint.note, signatures: [] },
    findings,
  };
}

interface NotaryKey {
  readonly text: string;
  readonly key: VerifierKey;
}

function keyOf(text: string): NotaryKey[] {
  try {
    return [{ text, key: parseVerifierKey(text) }];
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
}

/** What anchors gave back for exactly this checkpoint: evidence for another one proves nothing of its note. */
async function evidenceAt(raw: RawQuery, origin: string, size: bigint) {
  const found = new Map<string, { anchor: string; type: string; size: bigint; evidence: string }>();
  const rows = readRows(
    raw,
    `SELECT anchor, type, evidence FROM custody.anchor_evidence WHERE origin = ${sqlString(origin)} AND size = ${size} ORDER BY anchor, type, time_ms, evidence LIMIT ${EVIDENCE_MAX}`,
    (read) => ({ anchor: read.string(), type: read.string(), evidence: read.string() }),
  );
  for await (const { anchor, type, evidence } of rows) {
    const name = `${anchor} ${type} ${evidence}`;
    found.set(type === 'cosignature' ? name : `${anchor} ${type}`, { anchor, type, size, evidence });
  }
  return [...found.values()];
}

function linesOf(evidence: string): NoteSignature[] {
  try {
    return parseSignatures(evidence.endsWith('\n') ? evidence : `${evidence}\n`);
  } catch (error) {
    if (error instanceof NoteFormatError) return [];
    throw error;
  }
}

function readNote(text: string) {
  try {
    return parseNote(text);
  } catch (error) {
    if (error instanceof NoteFormatError) return undefined;
    throw error;
  }
}

const isSigned = (note: NonNullable<ReturnType<typeof readNote>>, keys: readonly NotaryKey[]): boolean => {
  const { by, bad } = verifiedBy(
    note,
    keys.map(({ key }) => key),
  );
  return bad === undefined && by.length > 0;
};
