import { bodyHash, entryPreimage, leafHash, ZERO_LINK, type EntryKind } from './entry.ts';
import { genesisBody, type LogHead } from './entry-builder.ts';
import { createDayRule } from './day-rule.ts';
import type { Finding, FindingCause } from './finding.ts';
import { parseLogId, type LogName } from './log-id.ts';

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

export interface LogVerifierOptions {
  /** What logs must hold, by log id, oldest first: an entry that differs or a log that ends before one is a finding. */
  readonly expected: ReadonlyMap<string, readonly LogHead[]>;
  /** Logs may begin at any seq: only a window of the store is read. */
  readonly window: boolean;
  readonly onFinding: (finding: Finding) => void;
}

export interface LogVerifier {
  /** Rows in (log, seq) order. */
  push(row: RawEntry): void;
  /** Ends the last log and reports every expected log that never came. */
  finish(): void;
  readonly entryCount: number;
  readonly duplicateCount: number;
  /** Head of each log seen, with the highest offset. */
  readonly logs: ReadonlyMap<string, LogEnd>;
}

export interface LogEnd extends LogHead {
  readonly topic: string;
  readonly offset: bigint;
}

interface Cursor {
  readonly log: string;
  readonly expected: readonly LogHead[];
  expectedAt: number;
  seq: bigint;
  /** Leaves seen at `seq`: one, unless the log forks here. */
  leaves: string[];
  offset: bigint;
  day: number;
  topic: string;
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
  const days = createDayRule();
  let cursor: Cursor | undefined;
  /** Rows come log by log, so the last name parsed is nearly always the next one wanted. */
  let named: { readonly log: string; readonly name: LogName | undefined } = { log: '', name: undefined };
  let entryCount = 0;
  let duplicateCount = 0;

  const report = (cause: FindingCause, log: string, seq: bigint | null, detail: string, column?: string) =>
    onFinding({ cause, log, seq, column: column ?? null, detail });

  function closeLog(): void {
    if (cursor === undefined) return;
    const { log, seq } = cursor;
    const [leaf = ''] = cursor.leaves;
    logs.set(log, { seq, leaf, topic: cursor.topic, offset: cursor.offset });
    for (; cursor.expectedAt < cursor.expected.length; cursor.expectedAt++) {
      const head = cursor.expected[cursor.expectedAt];
      if (head === undefined || head.seq <= seq) continue;
      report(
        'TRUNCATED',
        log,
        seq + 1n,
        `the log was written up to seq ${head.seq}, the store ends at seq ${seq}`,
      );
      break;
    }
    cursor = undefined;
  }

  function openLog(row: RawEntry): Cursor {
    closeLog();
    if (logs.has(row.log)) report('ROW_ORDER', row.log, row.seq, 'rows of the log came apart');
    if (row.seq !== 0n && !options.window) {
      report('HEAD_MISSING', row.log, 0n, `the log starts at seq ${row.seq}`);
    }
    return {
      log: row.log,
      expected: expected.get(row.log) ?? [],
      expectedAt: 0,
      seq: row.seq - 1n,
      leaves: row.seq === 0n ? [ZERO_LINK] : [row.prev],
      offset: -1n,
      day: 0,
      topic: row.topic,
    };
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
    if (row.seq > at.seq + 1n) {
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
    report('FORK', row.log, row.seq, 'two different entries at one place');
    if (at.leaves.length < FORK_MAX_LEAVES) at.leaves.push(row.leaf);
  }

  function checkExpected(at: Cursor, row: RawEntry): void {
    for (;;) {
      const head = at.expected[at.expectedAt];
      if (head === undefined || head.seq > row.seq) return;
      at.expectedAt++;
      if (head.seq === row.seq && head.leaf !== row.leaf) {
        report('HEAD_MISMATCH', row.log, row.seq, `the entry written here had leaf ${head.leaf}`);
      }
    }
  }

  return {
    logs,
    get entryCount() {
      return entryCount;
    },
    get duplicateCount() {
      return duplicateCount;
    },
    push(row) {
      entryCount++;
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
      checkExpected(at, row);
      at.seq = row.seq;
      at.leaves = [row.leaf];
      at.offset = row.offset;
      at.day = row.day;
    },
    finish() {
      closeLog();
      for (const violation of days.violations()) {
        report('DAY', violation.log, violation.seq, violation.detail, 'day');
      }
      if (options.window) return;
      for (const [log, heads] of expected) {
        const head = heads.at(-1);
        if (head !== undefined && !logs.has(log)) {
          report(
            'LOG_MISSING',
            log,
            0n,
            `the log was written up to seq ${head.seq}, the store has none of it`,
          );
        }
      }
    },
  };
}
