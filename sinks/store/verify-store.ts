import { performance } from 'node:perf_hooks';
import type { LogHead, LogSource } from '../../evidence/entry-builder.ts';
import type { FindingCause } from '../../evidence/finding.ts';
import { parseLogId } from '../../evidence/log-id.ts';
import { createLogVerifier, type LogVerifier, type RawEntry } from '../../evidence/verify-log.ts';
import type { StateStore, Topic } from '../../streams/topic.ts';
import { readRows } from './clickhouse-store.ts';
import { formatDay } from './day.ts';
import { LEDGER_GROUP } from './ledger-writer.ts';
import { readLedgerHeads, type LedgerHeads, type LedgerPosition } from './ledger-heads.ts';
import type { RawQuery } from './store.ts';
import { compareRebuild, compareTail, placeKey, type StoredPlace } from './verify-records.ts';
import { createFindingLog, type FindingLog, type VerifyReport } from './verify-report.ts';
import { readStore } from './verify-read.ts';
import { checkHiddenRows, checkSchema } from './verify-schema.ts';

export interface VerifyOptions {
  readonly raw: RawQuery;
  /** Where the ledger writer records its heads; `undefined` makes the verdict undecidable at best. */
  readonly state: StateStore | undefined;
  /**
   * The three topics. Called again after the store's bound is known, because a reader beside a running pipeline sees
   * the log as it was when it was opened.
   */
  readonly topics: (() => Promise<readonly Topic[]>) | undefined;
  readonly deployment: string;
  /** Only this tenant's logs. */
  readonly tenant?: string | undefined;
  /** Only entries from this UTC day on, days since the epoch; what came before is taken as it is. */
  readonly sinceDay?: number | undefined;
  /** Build every entry from the retained records again and compare. */
  readonly rebuild?: boolean | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

const TAIL_MAX_ROWS = 200_000;
const PARTITIONS_MAX = 4096;
const UP_TO_MAX = 1000;

/** Findings that a statement which failed for lack of time or memory would cause by itself. */
const ABSENCE: ReadonlySet<FindingCause> = new Set<FindingCause>([
  'GAP',
  'HEAD_MISSING',
  'TRUNCATED',
  'LOG_MISSING',
  'DAY',
]);

/** Last stored entry of a log before the oldest retained record, from where a rebuild goes on. */
interface Before {
  readonly heads: Map<string, LogHead>;
  day: number;
}

/**
 * Verifies the store: every row against its hashes and its neighbours, the logs against the recorded heads, what lies
 * beyond the heads against the records, the derived columns against the bodies, the table against its definition.
 * Reads only; a running pipeline and retention cause no finding. Never rejects for what the store holds.
 */
export async function verifyStore(options: VerifyOptions): Promise<VerifyReport> {
  const { raw, tenant } = options;
  const beganAt = performance.now();
  const findings = createFindingLog();
  const notDone: string[] = [];
  let beyondHeads = 0;
  const windowed = options.sinceDay !== undefined;
  const wanted = (log: string) => tenant === undefined || parseLogId(log)?.tenant === tenant;

  // T0: what must be there. Offsets first: they are committed after the heads are recorded.
  const topics = await attempt('records of the log', () => options.topics?.() ?? Promise.resolve([]), []);
  const committed = await committedOffsets(topics);
  const known = await knownHeads();
  const expected = new Map([...(known?.logs ?? [])].filter(([log]) => wanted(log)));

  // T1: the store up to now; rows written later are left out.
  await attempt('table definition', () => checkSchema(raw, findings), undefined);
  const bound = await storedBound(raw, findings);
  // Without a bound nothing was read, so nothing can be said to be missing.
  if (bound === undefined) return conclude(undefined, false);
  const filters = [
    bound,
    ...(tenant === undefined ? [] : [`startsWith(log, '${options.deployment}/${tenant}/')`]),
    ...(options.sinceDay === undefined ? [] : [`day >= '${formatDay(options.sinceDay)}'`]),
  ];
  const where = filters.join(' AND ');
  const records = await attempt(
    'records of the log',
    () => options.topics?.() ?? Promise.resolve([]),
    topics,
  );
  const starts = new Map<string, bigint>();
  for (const topic of records) {
    for (let partition = 0; partition < topic.partitions; partition++) {
      const { start } = await topic.bounds(partition);
      starts.set(sourceKey({ topicId: topic.topicId, partition }), start);
    }
  }

  const before = new Map<string, Before>();
  const tail = new Map<string, StoredPlace[]>();
  let unread = false;
  const verifier = createLogVerifier({
    expected: new Map([...expected].map(([log, head]) => [log, [head]])),
    window: windowed,
    onFinding(finding) {
      if (!unread || !ABSENCE.has(finding.cause)) findings.add(finding);
    },
  });
  function push(row: RawEntry): void {
    verifier.push(row);
    if (known === undefined) return;
    const head = expected.get(row.log);
    if (head === undefined || row.seq > head.seq) {
      beyondHeads += 1;
      if (tail.size < TAIL_MAX_ROWS) {
        const key = placeKey(row.log, row.seq);
        tail.set(
          key,
          [...(tail.get(key) ?? []), { log: row.log, seq: row.seq, leaf: row.leaf }].slice(0, 16),
        );
      }
    }
    if (options.rebuild === true) remember(row);
  }
  function remember(row: RawEntry): void {
    const name = parseLogId(row.log);
    if (name === undefined) return;
    const key = sourceKey(name);
    if (row.offset >= (starts.get(key) ?? 0n)) return;
    const at = before.get(key) ?? { heads: new Map<string, LogHead>(), day: -1 };
    at.heads.set(row.log, { seq: row.seq, leaf: row.leaf });
    at.day = Math.max(at.day, row.day);
    before.set(key, at);
  }

  let readAll: boolean;
  try {
    readAll = await readStore({
      raw,
      where,
      findings,
      push,
      onUnread: () => (unread = true),
      onProgress: options.onProgress,
    });
    verifier.finish();
    await checkHiddenRows(raw, where, findings);
  } catch (error) {
    readAll = false;
    unread = true;
    findings.readFailure('custody.entries', error);
  }
  if (windowed) await checkHeadsOutside();
  if (known !== undefined && unread) notDone.push('records of the log: not every entry could be read');
  else if (known !== undefined) await compareRecords(known);
  if (known === undefined && verifier.entryCount > 0) {
    const detail = 'no recorded heads: a cut tail or an older store cannot be told from a whole one';
    findings.add({ cause: 'HEADS_UNAVAILABLE', log: 'ledger', seq: null, column: null, detail });
  }

  return conclude(verifier, readAll);

  function conclude(seen: LogVerifier | undefined, whole: boolean): VerifyReport {
    const logs = seen?.logs ?? new Map<string, LogHead>();
    const verdict = findings.verdict();
    return {
      verdict: verdict === 'valid' && !whole ? 'undecidable' : verdict,
      entries: seen?.entryCount ?? 0,
      logs: logs.size,
      findings: findings.first,
      findings_total: findings.total,
      duplicates: seen?.duplicateCount ?? 0,
      verified_up_to: [...logs]
        .slice(0, UP_TO_MAX)
        .map(([log, { seq, leaf }]) => ({ log, seq: String(seq), leaf })),
      beyond_heads: beyondHeads,
      checks_not_done: [...new Set(notDone)],
      took_ms: Math.round(performance.now() - beganAt),
    };
  }

  async function attempt<T>(check: string, action: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await action();
    } catch (error) {
      notDone.push(`${check}: ${error instanceof Error ? error.message.slice(0, 200) : 'failed'}`);
      return otherwise;
    }
  }

  /** The recorded heads; empty ones when the ledger demonstrably never recorded any and all records are still kept. */
  async function knownHeads(): Promise<LedgerHeads | undefined> {
    const { state } = options;
    if (state === undefined) return undefined;
    const heads = await attempt('recorded heads', () => readLedgerHeads(state), undefined);
    if (heads !== undefined) return heads;
    const bounds = await Promise.all(topics.map((topic) => topic.bounds(0)));
    const whole = topics.length > 0 && bounds.every(({ start }) => start === 0n);
    return whole && committed.size === 0 && notDone.length === 0
      ? { positions: [], logs: new Map() }
      : undefined;
  }

  async function checkHeadsOutside(): Promise<void> {
    for (const [log, head] of expected) {
      if (verifier.logs.has(log)) continue;
      const rows = readRows(
        raw,
        `SELECT leaf FROM custody.entries WHERE log = '${log}' AND seq = ${head.seq}`,
        (read) => read.hex(32),
      );
      const leaves: string[] = [];
      for await (const leaf of rows) leaves.push(leaf);
      if (leaves.includes(head.leaf)) continue;
      findings.add({
        cause: leaves.length === 0 ? 'TRUNCATED' : 'HEAD_MISMATCH',
        log,
        seq: head.seq,
        column: null,
        detail: 'the entry recorded as the last of the log is not in the store',
      });
    }
  }

  async function compareRecords(heads: LedgerHeads): Promise<void> {
    for (const topic of records) {
      for (let partition = 0; partition < topic.partitions; partition++) {
        const { name, topicId } = topic;
        const source: LogSource = { deployment: options.deployment, topic: name, topicId, partition };
        const position = heads.positions.find((at) => at.topicId === topicId && at.partition === partition);
        await comparePartition(topic, source, position, heads);
      }
    }
    if (options.topics === undefined || beyondHeads > TAIL_MAX_ROWS) {
      if (beyondHeads > 0) notDone.push(`rows beyond the recorded heads: ${beyondHeads}`);
      return;
    }
    const unknownLogs = new Set<string>();
    for (const [stored] of tail.values()) {
      if (stored === undefined || unknownLogs.has(stored.log)) continue;
      const log = stored.log;
      const isKnown = expected.has(log);
      if (!isKnown) unknownLogs.add(log);
      const detail = 'no record of the log gives this entry';
      findings.add({
        cause: isKnown ? 'UNKNOWN_TAIL' : 'UNKNOWN_LOG',
        log,
        seq: stored.seq,
        column: null,
        detail,
      });
    }
  }

  async function comparePartition(
    topic: Topic,
    source: LogSource,
    position: LedgerPosition | undefined,
    heads: LedgerHeads,
  ): Promise<void> {
    const { start, end } = await topic.bounds(source.partition);
    const place = `${source.topic}/${source.partition}`;
    const nextOffset = position?.nextOffset ?? start;
    const contradiction = (cause: 'ROLLBACK' | 'RECORDS_LOST', detail: string) =>
      findings.add({ cause, log: place, seq: null, column: null, detail });
    const taken = committed.get(sourceKey(source)) ?? 0n;
    if (taken > nextOffset) {
      contradiction(
        'ROLLBACK',
        `the ledger took records up to ${taken - 1n}, its heads end before ${nextOffset}`,
      );
    }
    if (end < nextOffset) {
      contradiction('ROLLBACK', `the ledger holds records up to ${nextOffset - 1n}, the log ends at ${end}`);
      return;
    }
    if (start > nextOffset) {
      contradiction(
        'RECORDS_LOST',
        `records ${nextOffset} to ${start - 1n} are in neither the ledger nor the log`,
      );
      return;
    }
    const ofSource = [...heads.logs].filter(([log]) => {
      const name = parseLogId(log);
      return name?.topicId === source.topicId && name.partition === source.partition;
    });
    const head = { day: position?.day ?? -1, heads: ofSource };
    if (tail.size > 0) {
      await compareTail({ topic, source, start: head, from: nextOffset, to: end }, tail, wanted, findings);
    }
    if (options.rebuild !== true || windowed || tenant !== undefined) {
      if (options.rebuild === true) notDone.push('rebuild: only over whole logs of all tenants');
      return;
    }
    const at =
      start === 0n ? { day: -1, heads: [] } : (before.get(sourceKey(source)) ?? { day: -1, heads: [] });
    await compareRebuild(raw, { topic, source, start: at, from: start, to: nextOffset }, wanted, findings);
  }
}

const sourceKey = ({ topicId, partition }: { topicId: string; partition: number }) =>
  `${topicId}-${partition}`;

async function committedOffsets(topics: readonly Topic[]): Promise<Map<string, bigint>> {
  const offsets = new Map<string, bigint>();
  for (const topic of topics) {
    for (let partition = 0; partition < topic.partitions; partition++) {
      const offset = await topic.committed(LEDGER_GROUP, partition);
      if (offset !== undefined) offsets.set(sourceKey({ topicId: topic.topicId, partition }), offset);
    }
  }
  return offsets;
}

/** SQL condition for what the store holds now, up to the highest offset of each topic partition; `undefined` if unread. */
async function storedBound(raw: RawQuery, findings: FindingLog): Promise<string | undefined> {
  const parts: string[] = [];
  try {
    const rows = readRows(
      raw,
      `SELECT hex(topic), kpart, max(koffset) FROM custody.entries GROUP BY topic, kpart LIMIT ${PARTITIONS_MAX}`,
      (read) => ({ topic: read.string(), partition: read.uint32(), offset: read.uint64() }),
    );
    for await (const { topic, partition, offset } of rows) {
      parts.push(`(topic = unhex('${topic}') AND kpart = ${partition} AND koffset <= ${offset})`);
    }
  } catch (error) {
    findings.readFailure('custody.entries', error);
    return undefined;
  }
  // Beyond that many partitions something is forged; then everything is read.
  if (parts.length >= PARTITIONS_MAX) return '1';
  return parts.length === 0 ? '0' : `(${parts.join(' OR ')})`;
}
