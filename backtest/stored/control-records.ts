import type { CustodyEvent } from '../../schemas/event.ts';
import type { PolicyDocument } from '../../schemas/policy-document.ts';
import { CONTROL_WHERE, rangeParameters, type StoredQuery, type StoredRange } from './stored-query.ts';
import { readRows, ROW_COLUMNS } from './stored-row.ts';

/** A record of the pipeline itself: a document comes into force in its partition. */
export interface ControlRecord {
  readonly offset: bigint;
  readonly appendTimeMs: number;
  readonly event: CustodyEvent;
}

/** By partition, in log order; documents that another replaced before the range begins are left out. */
export type ControlRecords = ReadonlyMap<number, readonly ControlRecord[]>;

/** Reads what was in force; documents of the `replaced` types count for nothing. */
export async function readControlRecords(
  query: StoredQuery,
  range: StoredRange,
  replaced: ReadonlySet<PolicyDocument['type']>,
): Promise<ControlRecords> {
  const { until = '0' } = rangeParameters(range);
  const answer = await query(
    `SELECT ${ROW_COLUMNS} FROM custody.entries WHERE ${CONTROL_WHERE} ORDER BY kpart, kts_ms, koffset FORMAT RowBinary`,
    { until },
  );
  const records = new Map<number, ControlRecord[]>();
  for (const { partition, offset, appendTimeMs, body } of readRows(
    new Uint8Array(await answer.arrayBuffer()),
  )) {
    const event = JSON.parse(body.toString()) as CustodyEvent;
    const type = event.policy_document?.type;
    if (type === undefined || replaced.has(type)) continue;
    const before = records.get(partition) ?? [];
    const kept =
      appendTimeMs < range.warmupFromMs
        ? before.filter((each) => each.event.policy_document?.type !== type)
        : before;
    records.set(partition, [...kept, { offset, appendTimeMs, event }]);
  }
  return records;
}
