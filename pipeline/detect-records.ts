import type { Alert } from '../schemas/alert.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../schemas/event.ts';
import type { ConsumedRecord, Topic } from '../streams/topic.ts';

/** The event in a record; `undefined` for bodies that are not events (the ledger keeps those as malformed). */
export function eventOf(record: ConsumedRecord): CustodyEvent | undefined {
  try {
    const parsed = JSON.parse(
      Buffer.from(record.value.buffer, record.value.byteOffset, record.value.byteLength).toString(),
    ) as CustodyEvent;
    if ((parsed as { schema?: unknown } | null)?.schema !== EVENT_SCHEMA) return undefined;
    return parsed.tenant === record.key ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Ids of the alerts in a partition from `end` on. */
export async function idsAfter(alerts: Topic, partition: number, end: string): Promise<Set<string>> {
  const ids = new Set<string>();
  const { start } = await alerts.bounds(partition);
  const from = BigInt(end);
  for await (const { value } of alerts.read(partition, from > start ? from : start)) {
    ids.add((JSON.parse(Buffer.from(value).toString()) as Alert).alert_id);
  }
  return ids;
}
