import { BENIGN, type Finding } from '../evidence/finding.ts';
import { fold, growRange, type RangeBuilder } from '../evidence/merkle/compact-range.ts';
import type { RawEntry } from '../evidence/raw-entry.ts';
import { createLogVerifier } from '../evidence/verify-log.ts';
import { readSettings } from '../sinks/store/pinned-settings.ts';
import { createRowReader } from '../sinks/store/row-binary.ts';
import { sqlString } from '../sinks/store/sql-text.ts';
import { decodeStoredEntry, ENTRY_COLUMNS } from '../sinks/store/stored-entry.ts';
import type { RawQuery, StoredSubtree } from '../sinks/store/store.ts';
import { BLOCK_LEVEL } from '../sinks/store/log-tree.ts';
import type { Unsigned } from './discover.ts';
import type { NotaryState, SignedLog } from './state.ts';

/** A log with the entries that were read back and found right. */
export interface Advance {
  readonly log: string;
  readonly signed: SignedLog;
  /** Of complete subtrees of 65,536 leaves. */
  readonly subtrees: readonly StoredSubtree[];
}

export interface ReadBack {
  readonly advances: readonly Advance[];
  /** What is wrong with entries that are not signed yet; their logs end before the first of them. */
  readonly findings: readonly Finding[];
  readonly entryCount: number;
}

const LOGS_PER_QUERY = 100;
const BLOCK_LEAVES = 1n << BigInt(BLOCK_LEVEL);

/**
 * Reads entries back out of the store, after the signed ones, and recomputes each from its bytes: a notary signs what is
 * stored, never what was meant to be. A log goes as far as its entries are whole, in order and follow from what is signed.
 */
export async function readBack(
  raw: RawQuery,
  state: NotaryState,
  unsigned: readonly Unsigned[],
): Promise<ReadBack> {
  const findings: Finding[] = [];
  const growing = new Map<string, GrowingLog>();
  const ends = [...state.logs].map(([log, { topic, leaf, offset, range }]) => {
    return [log, { seq: range.end - 1n, leaf, offset, topic }] as const;
  });
  const verifier = createLogVerifier({
    expected: new Map(),
    window: false,
    from: new Map(ends),
    onFinding(finding) {
      // The day of an entry can rest on one that was signed before: only a whole verification can tell.
      if (BENIGN.has(finding.cause) || (finding.cause === 'DAY' && finishing)) return;
      findings.push(finding);
      growing.get(finding.log)?.stop();
    },
  });
  let entryCount = 0;
  let finishing = false;
  for (let at = 0; at < unsigned.length; at += LOGS_PER_QUERY) {
    const some = unsigned.slice(at, at + LOGS_PER_QUERY);
    for (const { log } of some) growing.set(log, growLog(log, state.logs.get(log)));
    const where = some.map(
      ({ log, from, to }) => `(log = ${sqlString(log)} AND seq >= ${from} AND seq <= ${to})`,
    );
    const reader = createRowReader(decodeStoredEntry);
    const statement = `SELECT ${ENTRY_COLUMNS} FROM custody.entries WHERE ${where.join(' OR ')} ORDER BY log, seq ${readSettings()} FORMAT RowBinary`;
    for await (const chunk of raw(statement)) {
      for (const row of reader.push(chunk)) {
        entryCount += 1;
        const log = growing.get(row.log);
        log?.settle(row.seq);
        verifier.push(row);
        log?.take(row);
      }
    }
    reader.end();
  }
  finishing = true;
  verifier.finish();
  const advances = [...growing.values()].flatMap((log) => log.advance() ?? []);
  return { advances, findings, entryCount };
}

interface GrowingLog {
  /** A row of this seq comes next: what was taken before it cannot turn out to be one of two. */
  settle(seq: bigint): void;
  take(row: RawEntry): void;
  /** What was taken last, and all that follows, is not to be signed. */
  stop(): void;
  advance(): Advance | undefined;
}

function growLog(log: string, before: SignedLog | undefined): GrowingLog {
  const range: RangeBuilder = growRange(before?.range);
  const subtrees: StoredSubtree[] = [];
  let last: Omit<SignedLog, 'range'> | undefined;
  let taken: { readonly seq: bigint; readonly signed: Omit<SignedLog, 'range'> } | undefined;
  let stopped = false;

  function grow({ seq, signed }: NonNullable<typeof taken>): void {
    const leaf = Buffer.from(signed.leaf, 'hex');
    if (seq % BLOCK_LEAVES === BLOCK_LEAVES - 1n) {
      const hash = fold([...range.hashes.slice(-BLOCK_LEVEL), leaf]);
      subtrees.push({ log, level: BLOCK_LEVEL, index: seq / BLOCK_LEAVES, hash });
    }
    range.append(leaf);
    last = signed;
  }
  function settle(seq: bigint): void {
    if (taken === undefined || taken.seq === seq) return;
    grow(taken);
    taken = undefined;
  }
  return {
    settle,
    take(row) {
      if (stopped) return;
      const { seq, topic, leaf, offset, appendTimeMs } = row;
      taken ??= { seq, signed: { topic, leaf, offset, appendTimeMs: Number(appendTimeMs) } };
    },
    stop() {
      stopped = true;
      taken = undefined;
    },
    advance() {
      if (taken !== undefined) grow(taken);
      taken = undefined;
      if (last === undefined) return undefined;
      const { begin, end, hashes } = range;
      return { log, signed: { ...last, range: { begin, end, hashes } }, subtrees };
    },
  };
}
