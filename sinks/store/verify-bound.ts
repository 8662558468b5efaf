import type { Topic } from '../../streams/topic.ts';
import { readRows } from './clickhouse-store.ts';
import { formatDay } from './day.ts';
import { sqlString } from './sql-text.ts';
import type { RawQuery } from './store.ts';
import { sourceKey } from './verify-heads.ts';
import type { FindingLog } from './verify-report.ts';

export interface Scope {
  readonly deployment: string;
  /** Only this tenant's logs. */
  readonly tenant?: string | undefined;
  /** Only entries from this UTC day on, days since the epoch; what came before is taken as it is. */
  readonly sinceDay?: number | undefined;
}

const PARTITIONS_MAX = 4096;

/** SQL condition for the rows of the scope that the store holds now; `undefined` if the store could not say. */
export async function storedRows(
  raw: RawQuery,
  { deployment, tenant, sinceDay }: Scope,
  findings: FindingLog,
): Promise<string | undefined> {
  const bound = await storedBound(raw, findings);
  if (bound === undefined) return undefined;
  const filters = [
    bound,
    ...(tenant === undefined ? [] : [`startsWith(log, '${deployment}/${tenant}/')`]),
    ...(sinceDay === undefined ? [] : [`day >= '${formatDay(sinceDay)}'`]),
  ];
  return filters.join(' AND ');
}

/** Up to the highest offset of each topic partition: rows written later are left out. */
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

/** First day that has rows, days since the epoch; `undefined` when the store cannot say or has none. */
export async function oldestDay(raw: RawQuery, where: string): Promise<number | undefined> {
  let oldest: number | undefined;
  try {
    const select = `SELECT count() > 0, min(day) FROM custody.entries WHERE ${where}`;
    for await (const { any, day } of readRows(raw, select, (read) => ({
      any: read.uint8(),
      day: read.uint16(),
    })))
      if (any === 1) oldest = day;
  } catch {
    // It only names a cause more closely.
  }
  return oldest;
}

/** Whether entries were announced, under a later checkpoint, to be removed after the part of the anchor log that was read. */
export async function prunedSince(raw: RawQuery, origin: string, size: bigint): Promise<boolean> {
  const own = `origin = ${sqlString(origin)}`;
  const signed = `(SELECT max(size) FROM custody.checkpoints WHERE ${own})`;
  const select = `SELECT count() FROM custody.anchor_entries WHERE ${own} AND seq >= ${size} AND seq < ${signed} AND type = 'pruned'`;
  for await (const count of readRows(raw, select, (read) => read.uint64())) return count > 0n;
  return false;
}

/** Oldest retained record of each topic partition, by `sourceKey`. */
export async function retainedStarts(topics: readonly Topic[]): Promise<Map<string, bigint>> {
  const starts = new Map<string, bigint>();
  for (const topic of topics) {
    for (let partition = 0; partition < topic.partitions; partition++) {
      const { start } = await topic.bounds(partition);
      starts.set(sourceKey({ topicId: topic.topicId, partition }), start);
    }
  }
  return starts;
}
