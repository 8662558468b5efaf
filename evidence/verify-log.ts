import { bodyHash, entryPreimage, leafHash, ZERO_LINK, type EntryKind } from './entry.ts';
import { genesisBody, type LogHead } from './entry-builder.ts';
import { createDayRule } from './day-rule.ts';
import type { Finding, FindingCause } from './finding.ts';
import { parseLogId, type LogName } from './log-id.ts';
import type { PrunedStart } from './anchor-log/pruned.ts';
import { createTreeHasher, type TreeHasher } from './merkle/tree-hasher.ts';
import { createRowFollower } from './row-follower.ts';

/** A stored row as it was read, nothing judged. Hashes are hex. Everything in it may be hostile. */
export interface RawEntry {
  readonly log: string;
  readonly tenant: string;
  readonly partition: number;
  readonly seq: bigint;
  readonly topic: string;
  readonly offset: bigint;
  readonly appendTimeMs: bigint;
  /** Days since the epoch. */
  readonly day: number;
  readonly kind: string;
  readonly prev: string;
  readonly bodySha: string;
  readonly leaf: string;
  readonly body: Uint8Array;
}

/** What somebody recorded or signed of a log when this was its last entry. */
export interface ExpectedHead extends LogHead {
  /** Of a signed checkpoint: root of the tree that ends with the entry, lower-case hex. */
  readonly root?: string;
  /** Of a signed checkpoint: UTC day it was made, days since the epoch. */
  readonly signedDay?: number;
}

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

interface Cursor {
  readonly log: string;
  readonly start: PrunedStart | undefined;
  readonly expected: readonly ExpectedHead[];
  expectedAt: number;
  seq: bigint;
  /** Leaves seen at `seq`: one, unless the log forks here. */
  leaves: string[];
  offset: bigint;
  day: number;
  topic: string;
  /** Its root is wanted: it ends with a signed checkpoint to come, and no row of it was missing. */
  tree: TreeHasher | undefined;
}

const KINDS: ReadonlySet<string> = new Set<EntryKind>(['event', 'malformed', 'control']);
/** Different entries remembered at one seq of a forked log. */
const FORK_MAX_LEAVES = 16;

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
  /** Rows come log by log, so the last name parsed is nearly always the next one wanted. */
  let named: { readonly log: string; readonly name: LogName | undefined } = { log: '', name: undefined };
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

  function closeLog(): void {
    if (cursor === undefined) return;
    const { log, seq, start } = cursor;
    const [leaf = ''] = cursor.leaves;
    logs.set(log, { seq, leaf, topic: cursor.topic, offset: cursor.offset });
    const last = cursor.expected.at(-1);
    if (last !== undefined && cursor.expectedAt < cursor.expected.length && last.seq > seq) {
      const next = cursor.expected.find((head) => head.seq > seq);
      const verb = (last.root ?? next?.root) === undefined ? 'written' : 'signed';
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

  function nameOf(log: string): LogName | undefined {
    if (log !== named.log) named = { log, name: parseLogId(log) };
    return named.name;
  }

  /** What the row says of itself: its hashes, its place, its columns. Independent of its neighbours. */
  function checkRow(row: RawEntry): void {
    const name = nameOf(row.log);
    if (name === undefined) {
      report('LOG_ID', row.log, row.seq, 'the log id is not in the known form', 'log');
      return;
    }
    if (name.tenant !== row.tenant)
      report('DERIVED_MISMATCH', row.log, row.seq, 'differs from the log id', 'tenant');
    if (!KINDS.has(row.kind)) report('FIELD', row.log, row.seq, 'not a kind of entry', 'kind');
    if (bodyHash(row.body) !== row.bodySha) {
      report('BODY_HASH', row.log, row.seq, 'the body does not have the recorded hash', 'body');
    }
    const place = {
      logId: row.log,
      seq: row.seq,
      topic: row.topic,
      partition: row.partition,
      offset: row.offset,
      appendTimeMs: row.appendTimeMs,
      kind: row.kind,
    };
    if (leafHash(entryPreimage(place, row.prev, row.bodySha)) !== row.leaf) {
      report('LEAF_HASH', row.log, row.seq, 'the columns do not have the recorded hash');
    } else if (name.partition !== row.partition) {
      report('LOG_ID', row.log, row.seq, `the log id says partition ${name.partition}`, 'kpart');
    }
    if (row.seq === 0n) checkGenesis(row, name);
    else if (row.kind === 'control')
      report('FIELD', row.log, row.seq, 'only entry 0 is a control entry', 'kind');
  }

  function checkGenesis(row: RawEntry, name: LogName): void {
    if (row.kind !== 'control') {
      report('GENESIS', row.log, 0n, 'entry 0 is not a control entry', 'kind');
    } else if (Buffer.compare(row.body, genesisBody(name, row.topic)) !== 0) {
      report('GENESIS', row.log, 0n, 'entry 0 does not bind the log to its place', 'body');
    }
  }

  /** The row against the one before it in its log. */
  function checkNeighbour(at: Cursor, row: RawEntry): void {
    if (row.seq > at.seq + 1n && row.seq <= (at.start?.firstSeq ?? 0n)) {
      // Announced to be removed, and under way: what is left of it has a gap.
    } else if (row.seq > at.seq + 1n) {
      at.tree = undefined;
      report('GAP', row.log, at.seq + 1n, `entries ${at.seq + 1n} to ${row.seq - 1n} are missing`);
    } else if (!at.leaves.includes(row.prev)) {
      report('LINK', row.log, row.seq, 'the link is not the leaf of the entry before', 'prev');
    }
    // The genesis entry has the place of the record after it.
    if (row.offset < at.offset || (row.offset === at.offset && at.seq !== 0n)) {
      report('OFFSET_ORDER', row.log, row.seq, `offset ${row.offset} after ${at.offset}`, 'koffset');
    }
    if (row.day < at.day) report('DAY', row.log, row.seq, 'the day goes back', 'day');
    if (row.topic !== at.topic)
      report('LOG_ID', row.log, row.seq, 'another topic than the entry before', 'topic');
  }

  function checkSameSeq(at: Cursor, row: RawEntry): void {
    if (at.leaves.includes(row.leaf)) {
      duplicateCount++;
      return;
    }
    at.tree = undefined;
    report('FORK', row.log, row.seq, 'two different entries at one place');
    if (at.leaves.length < FORK_MAX_LEAVES) at.leaves.push(row.leaf);
  }

  function checkExpected(at: Cursor, row: RawEntry): void {
    for (;;) {
      const head = at.expected[at.expectedAt];
      if (head === undefined || head.seq > row.seq) return;
      at.expectedAt++;
      if (head.seq < row.seq) continue;
      if (head.leaf !== row.leaf) {
        const cause = head.root === undefined ? 'HEAD_MISMATCH' : 'ROOT_MISMATCH';
        const verb = head.root === undefined ? 'written' : 'signed';
        report(cause, row.log, row.seq, `the entry ${verb} here had leaf ${head.leaf}`);
        // What comes after is another log; that it differs was said.
        if (head.root !== undefined) at.tree = undefined;
      } else if (head.root !== undefined && at.tree !== undefined) checkRoot(at, row.seq, head.root);
    }
  }

  function checkRoot(at: Cursor, seq: bigint, root: string): void {
    if (at.tree === undefined) return;
    if (Buffer.from(at.tree.root()).toString('hex') === root) {
      rootedSizes.set(at.log, seq + 1n);
      return;
    }
    report(
      'ROOT_MISMATCH',
      at.log,
      seq,
      `the entries up to here are not the tree of size ${seq + 1n} that was signed`,
    );
    at.tree = undefined;
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
        checkSameSeq(at, row);
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
        const verb = head.root === undefined ? 'written' : 'signed';
        report('LOG_MISSING', log, 0n, `the log was ${verb} up to seq ${head.seq}, the store has none of it`);
      }
    },
  };
}

/** Recorded heads with the entry before the first one that must be there. */
function withStart(recorded: readonly ExpectedHead[], start: PrunedStart): ExpectedHead[] {
  const head: ExpectedHead = { seq: start.firstSeq - 1n, leaf: start.leaf };
  return [...recorded, head].sort((a, b) => (a.seq < b.seq ? -1 : a.seq > b.seq ? 1 : 0));
}
