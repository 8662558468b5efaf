import { readRows } from '../../sinks/store/clickhouse-store.ts';
import type { RawQuery } from '../../sinks/store/store.ts';
import { decodeStoredEntry, ENTRY_COLUMNS } from '../../sinks/store/stored-entry.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { ConsumedRecord } from '../../streams/topic.ts';
import { firstDifference, type Placed } from './same-bytes.ts';

/** The entries of a store in the order of log and seq; identical copies of one entry count once. */
export async function storedEntries(raw: RawQuery): Promise<{ entries: Placed[]; copies: number }> {
  const entries: Placed[] = [];
  let copies = 0;
  const select = `SELECT ${ENTRY_COLUMNS} FROM custody.entries ORDER BY log, seq`;
  const rows = readRows(raw, select, (read) => {
    const { log, seq, topic, partition, offset, appendTimeMs, body, ...rest } = decodeStoredEntry(read);
    return {
      place: `log ${log} seq ${seq}`,
      columns: {
        topic,
        kpart: String(partition),
        koffset: String(offset),
        kts_ms: String(appendTimeMs),
        tenant: rest.tenant,
        day: String(rest.day),
        kind: rest.kind,
        prev: rest.prev,
        body_sha: rest.bodySha,
        leaf: rest.leaf,
        body: Buffer.from(body),
      },
    };
  });
  for await (const row of rows) {
    const before = entries.at(-1);
    if (before?.place === row.place && firstDifference([before], [row]) === undefined) copies += 1;
    else entries.push(row);
  }
  return { entries, copies };
}

/** Alerts by tenant, in the order they were raised. */
export function raisedAlerts(partitions: readonly (readonly ConsumedRecord[])[]): Placed[] {
  const seen = new Map<string, number>();
  return partitions
    .flat()
    .map(({ key, partition, value }) => {
      const number = seen.get(key) ?? 0;
      seen.set(key, number + 1);
      const { alert_id } = JSON.parse(Buffer.from(value).toString()) as Alert;
      return {
        tenant: key,
        number,
        placed: {
          place: `tenant ${key} alert ${number}`,
          columns: { partition: String(partition), alert_id, body: value },
        },
      };
    })
    .sort((a, b) => (a.tenant === b.tenant ? a.number - b.number : a.tenant < b.tenant ? -1 : 1))
    .map(({ placed }) => placed);
}
