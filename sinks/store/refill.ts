import {
  createEntryBuilder,
  type LogHead,
  type LogSource,
  type SealedEntry,
} from '../../evidence/entry-builder.ts';
import { IntegrityError } from '../../runtime/errors.ts';
import { type Log, type Topic, TOPIC_NAMES } from '../../streams/topic.ts';
import { byDay } from './by-day.ts';
import { ofSource, readRows } from './clickhouse-store.ts';
import { readSourceHeads } from './ledger-heads.ts';
import { readStoredLogs } from './pruned-logs.ts';
import type { Store, StoredLog } from './store.ts';

const ENTRIES_PER_INSERT = 5000;

export interface RefillOptions {
  readonly log: Pick<Log, 'topic' | 'claim'>;
  readonly store: Store;
  readonly deployment: string;
  /** Find out what would be put back, and whether it could, without writing. */
  readonly dryRun: boolean;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface RefillReport {
  readonly topic: string;
  readonly partition: number;
  /** Offsets whose entries were missing at the end of the partition; equal when nothing was. */
  readonly from: string;
  readonly to: string;
  readonly entries: number;
}

/**
 * Puts the entries back that a store lost at its end, as after a restore from an older backup: built again from the
 * records that the log still has, and only if they lead exactly to the recorded heads. Claims each partition, which ends
 * every writer's right to it.
 * @throws IntegrityError when what is stored, the records and the recorded heads do not fit together; then nothing of
 * that partition was written.
 */
export async function refillLedger(options: RefillOptions): Promise<RefillReport[]> {
  const reports: RefillReport[] = [];
  for (const name of TOPIC_NAMES) {
    const topic = options.log.topic(name);
    for (let partition = 0; partition < topic.partitions; partition += 1) {
      const claim = await options.log.claim({ area: 'ledger', topic: name, partition });
      try {
        const source = { deployment: options.deployment, topic: name, topicId: topic.topicId, partition };
        const { position, heads } = await readSourceHeads(claim.state, source);
        if (position === undefined) continue;
        reports.push(
          await refillPartition(options, topic, source, { nextOffset: position.nextOffset, heads }),
        );
      } finally {
        await claim.release();
      }
    }
  }
  return reports;
}

interface Recorded {
  readonly nextOffset: bigint;
  readonly heads: ReadonlyMap<string, LogHead>;
}

/** Heads of what is stored; of logs without rows the last entry that retention removed. */
function withPruned(
  stored: ReadonlyMap<string, LogHead>,
  pruned: ReadonlyMap<string, LogHead>,
): ReadonlyMap<string, LogHead> {
  const gone = [...pruned].filter(([logId]) => !stored.has(logId));
  return new Map<string, LogHead>([...stored, ...gone]);
}

async function refillPartition(
  options: RefillOptions,
  topic: Topic,
  source: LogSource,
  recorded: Recorded,
): Promise<RefillReport> {
  const { store } = options;
  const { logs: found, pruned } = await readStoredLogs(store, source, recorded.heads);
  const stored = withPruned(found, pruned);
  const from = nextStored(found);
  const place = { topic: source.topic, partition: source.partition };
  const report = (entries: number) => ({
    ...place,
    from: String(from),
    to: String(recorded.nextOffset),
    entries,
  });
  if (isWhole(stored, recorded.heads)) return { ...report(0), from: String(recorded.nextOffset) };

  const refuse = (reason: string): never => {
    throw new IntegrityError(
      `cannot refill ${source.topic}/${source.partition}: ${reason}; nothing was written`,
    );
  };
  const { start } = await topic.bounds(source.partition);
  if (start > from) {
    refuse(
      `the log no longer has records ${from} to ${start - 1n}; restore a newer backup of the store first`,
    );
  }
  const first = {
    day: await lastDay(store, source),
    heads: [...stored].map(([id, { seq, leaf }]) => [id, { seq, leaf }] as const),
  };
  const build = () => rebuild(topic, source, first, from, recorded.nextOffset);

  // Once without writing: the entries must lead to the recorded heads.
  const total = await checkHeads(build(), stored, recorded.heads, refuse);
  if (options.dryRun) return report(total);
  let done = 0;
  for await (const entries of build()) {
    for (const day of byDay(entries)) await store.append(day);
    done += entries.length;
    options.onProgress?.(done, total);
  }
  return report(total);
}

function nextStored(stored: ReadonlyMap<string, StoredLog>): bigint {
  let next = 0n;
  for (const { maxOffset } of stored.values()) if (maxOffset >= next) next = maxOffset + 1n;
  return next;
}

const isWhole = (stored: ReadonlyMap<string, LogHead>, heads: ReadonlyMap<string, LogHead>): boolean =>
  [...heads].every(([logId, { seq }]) => (stored.get(logId)?.seq ?? -1n) >= seq);

async function* rebuild(
  topic: Topic,
  source: LogSource,
  start: Parameters<typeof createEntryBuilder>[1],
  from: bigint,
  to: bigint,
): AsyncGenerator<SealedEntry[]> {
  const builder = createEntryBuilder(source, start);
  let entries: SealedEntry[] = [];
  for await (const record of topic.read(source.partition, from, to)) {
    entries.push(...builder.add(record));
    if (entries.length < ENTRIES_PER_INSERT) continue;
    yield entries;
    entries = [];
  }
  if (entries.length > 0) yield entries;
}

/** @returns how many entries there are. */
async function checkHeads(
  rebuilt: AsyncIterable<readonly SealedEntry[]>,
  stored: ReadonlyMap<string, LogHead>,
  recorded: ReadonlyMap<string, LogHead>,
  refuse: (reason: string) => never,
): Promise<number> {
  const reached = new Map<string, LogHead>(stored);
  let count = 0;
  for await (const entries of rebuilt) {
    for (const { logId, seq, leaf } of entries) reached.set(logId, { seq, leaf });
    count += entries.length;
  }
  for (const [logId, head] of recorded) {
    const found = reached.get(logId);
    if (found?.seq === head.seq && found.leaf === head.leaf) continue;
    refuse(
      `log ${logId} comes to seq ${found?.seq ?? 'none'}, recorded was seq ${head.seq} with another hash or place: what is stored is not what was written`,
    );
  }
  return count;
}

async function lastDay(store: Store, source: LogSource): Promise<number> {
  let day = -1;
  const rows = readRows(
    store.raw,
    `SELECT toUInt16(max(day)), count() FROM custody.entries WHERE ${ofSource(source)}`,
    (read) => ({ day: read.uint16(), count: read.uint64() }),
  );
  for await (const row of rows) if (row.count > 0n) day = row.day;
  return day;
}
