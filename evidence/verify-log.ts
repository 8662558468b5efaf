import { createDayRule } from './day-rule.ts';
import type { PrunedStart } from './anchor-log/pruned.ts';
import { ZERO_LINK } from './entry.ts';
import type { LogHead } from './entry-builder.ts';
import { type ExpectedHead, verbOf, withStart } from './expected-head.ts';
import type { Finding, FindingCause } from './finding.ts';
import { createTreeHasher } from './merkle/tree-hasher.ts';
import { createNeighbourRules, type Cursor } from './neighbour-rules.ts';
import type { RawEntry } from './raw-entry.ts';
import { createRowFollower } from './row-follower.ts';
import { createRowRules } from './row-rules.ts';

export interface LogVerifierOptions {
  /** What logs must hold, by log id, oldest first: an entry that differs or a log that ends before one is a finding. */
  readonly expected: ReadonlyMap<string, readonly ExpectedHead[]>;
  /** Logs may begin at any seq: only a window of the store is read. */
  readonly window: boolean;
  /** Where logs go on, by log id: the entry before the first row of each. */
  readonly from?: ReadonlyMap<string, LogEnd> | undefined;
  /** Logs whose first entries were announced to be removed. */
  readonly starts?: ReadonlyMap<string, PrunedStart> | undefined;
  /** First day that has rows, days since the epoch. */
  readonly oldestDay?: number | undefined;
  readonly onFinding: (finding: Finding) => void;
}

export interface LogVerifier {
  /** Rows in (log, seq) order. */
  push(row: RawEntry): void;
  /**
   * Takes the row at `at` of RowBinary (`row-follower.ts`) if it is the one that must come next and no recorded head: says
   * where it ends, or 0, and then nothing was done and the row goes to `push`.
   */
  readonly follow: (buffer: Buffer, at: number) => number;
  /** Some rows were not read: the roots of the logs can no longer be told. */
  forgetTrees(): void;
  /** Ends the last log and reports every expected log that never came. */
  finish(): void;
  readonly entryCount: number;
  readonly duplicateCount: number;
  /** Head of each log seen, with the highest offset. */
  readonly logs: ReadonlyMap<string, LogEnd>;
  /** Size up to which the root of a log was found to be the signed one. */
  readonly rootedSizes: ReadonlyMap<string, bigint>;
}

export interface LogEnd extends LogHead {
  readonly topic: string;
  readonly offset: bigint;
}

/**
 * Recomputes entries from their raw bytes and holds them against each other and against known heads. Pure and
 * streaming: memory grows with the number of logs, never with the number of entries.
 */
export function createLogVerifier(options: LogVerifierOptions): LogVerifier {
  const { expected, onFinding } = options;
  const logs = new Map<string, LogEnd>();
  const rootedSizes = new Map<string, bigint>();
  const days = createDayRule();
  const follower = createRowFollower();
  let isTreeWhole = true;
  let findingCount = 0;
  let cursor: Cursor | undefined;
  let entryCount = 0;
  let duplicateCount = 0;

  function report(
    cause: FindingCause,
    log: string,
    seq: bigint | null,
    detail: string,
    column?: string,
  ): void {
    findingCount += 1;
    onFinding({ cause, log, seq, column: column ?? null, detail });
  }

  const checkRow = createRowRules(report);
  const { checkNeighbour, checkSameSeq, checkExpected } = createNeighbourRules(report, (log, size) => {
    rootedSizes.set(log, size);
  });

  function closeLog(): void {
    if (cursor === undefined) return;
    const { log, seq, start } = cursor;
    const [leaf = ''] = cursor.leaves;
    logs.set(log, { seq, leaf, topic: cursor.topic, offset: cursor.offset });
    const last = cursor.expected.at(-1);
    if (last !== undefined && cursor.expectedAt < cursor.expected.length && last.seq > seq) {
      const next = cursor.expected.find((head) => head.seq > seq);
      const verb = last.root === undefined ? verbOf(next) : 'signed';
      const gone = start !== undefined && last.seq < start.firstSeq;
      if (!gone)
        report(
          'TRUNCATED',
          log,
          seq + 1n,
          `the log was ${verb} up to seq ${last.seq}, the store ends at seq ${seq}`,
        );
    }
    cursor = undefined;
  }

  function openLog(row: RawEntry): Cursor {
    closeLog();
    if (logs.has(row.log)) report('ROW_ORDER', row.log, row.seq, 'rows of the log came apart');
    const start = options.starts?.get(row.log);
    const recorded = expected.get(row.log) ?? [];
    const before = options.from?.get(row.log);
    const isExcused =
      row.seq === 0n ||
      options.window ||
      before !== undefined ||
      (start !== undefined && row.seq <= start.firstSeq);
    if (!isExcused) reportHead(row, start, recorded);
    const isAtStart = start !== undefined && row.seq === start.firstSeq;
    const isSigned = recorded.some(({ root }) => root !== undefined);
    const isTree = isSigned && isTreeWhole && isExcused && (row.seq === 0n || start !== undefined);
    return {
      log: row.log,
      start,
      expected: start === undefined ? recorded : withStart(recorded, start),
      expectedAt: 0,
      seq: before?.seq ?? row.seq - 1n,
      leaves:
        before !== undefined
          ? [before.leaf]
          : row.seq === 0n
            ? [ZERO_LINK]
            : [isAtStart ? start.leaf : row.prev],
      offset: before?.offset ?? -1n,
      day: 0,
      topic: before?.topic ?? row.topic,
      tree: isTree ? createTreeHasher(start?.range) : undefined,
    };
  }

  function reportHead(
    row: RawEntry,
    start: PrunedStart | undefined,
    recorded: readonly ExpectedHead[],
  ): void {
    const from = start?.firstSeq ?? 0n;
    const signedDay = recorded.find((head) => head.signedDay !== undefined)?.signedDay;
    // Whole days are gone when the log was signed before the first day that the store has.
    const isPartition =
      row.day === options.oldestDay &&
      (start !== undefined || (signedDay !== undefined && signedDay < row.day));
    const detail = `the log starts at seq ${row.seq}`;
    if (isPartition) report('UNAUTHORISED_PRUNE', row.log, from, `${detail}, and nothing announced that`);
    else report('HEAD_MISSING', row.log, from, detail);
  }

  /** Takes over what the follower has taken since the last row that came through `push`. */
  function catchUp(): void {
    if (cursor === undefined || follower.count === 0) return;
    cursor.seq += BigInt(follower.count);
    cursor.offset = follower.offset;
    cursor.leaves = [follower.leaf];
    follower.disarm();
  }

  return {
    logs,
    get entryCount() {
      return entryCount;
    },
    get duplicateCount() {
      return duplicateCount;
    },
    rootedSizes,
    follow(buffer, start) {
      const end = follower.follow(buffer, start);
      if (end !== 0) entryCount++;
      return end;
    },
    forgetTrees() {
      isTreeWhole = false;
      catchUp();
      follower.disarm();
      if (cursor !== undefined) cursor.tree = undefined;
    },
    push(row) {
      catchUp();
      follower.disarm();
      entryCount++;
      const before = findingCount;
      checkRow(row);
      days.push(row);
      cursor = cursor?.log === row.log ? cursor : openLog(row);
      const at = cursor;
      if (row.seq === at.seq) {
        if (checkSameSeq(at, row)) duplicateCount++;
        return;
      }
      if (row.seq < at.seq) {
        report('ROW_ORDER', row.log, row.seq, `came after seq ${at.seq}`);
        return;
      }
      checkNeighbour(at, row);
      if (row.seq >= (at.start?.firstSeq ?? 0n)) at.tree?.append(Buffer.from(row.leaf, 'hex'));
      checkExpected(at, row);
      at.seq = row.seq;
      at.leaves = [row.leaf];
      at.offset = row.offset;
      at.day = row.day;
      const next = at.expected[at.expectedAt];
      const isUsual = findingCount === before && row.seq > 0n && row.seq >= (at.start?.firstSeq ?? 0n);
      if (next !== undefined && isUsual) follower.arm(row, next.seq, at.tree);
    },
    finish() {
      catchUp();
      closeLog();
      for (const violation of days.violations()) {
        report('DAY', violation.log, violation.seq, violation.detail, 'day');
      }
      if (options.window) return;
      for (const [log, heads] of expected) {
        const head = heads.at(-1);
        const start = options.starts?.get(log);
        if (head === undefined || logs.has(log) || (start !== undefined && head.seq < start.firstSeq))
          continue;
        report(
          'LOG_MISSING',
          log,
          0n,
          `the log was ${verbOf(head)} up to seq ${head.seq}, the store has none of it`,
        );
      }
    },
  };
}
