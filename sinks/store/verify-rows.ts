import type { RawEntry } from '../../evidence/raw-entry.ts';
import { readRows } from './clickhouse-store.ts';
import { readSettings } from './pinned-settings.ts';
import { createRowReader } from './row-binary.ts';
import type { RawQuery } from './store.ts';
import { decodeStoredEntry, ENTRY_COLUMNS } from './stored-entry.ts';

/** Rows of one statement: whole logs, or a range of one log. Logs are hex: they may hold any bytes. */
export interface Page {
  readonly where: string;
  readonly label: string;
}

/** Stored bytes read by one statement, about; an endpoint bounds what one answer may hold. */
const PAGE_BYTES = 24 * 1024 * 1024;
const LOGS_PER_PAGE = 1000;

/** The SQL condition on one log or a run of them. */
const logBetween = (from: string, to: string) =>
  from === to ? `log = unhex('${from}')` : `log >= unhex('${from}') AND log <= unhex('${to}')`;

/** Divides what matches `where` into pages in (log, seq) order. */
export async function planPages(raw: RawQuery, where: string): Promise<{ pages: Page[]; rowCount: number }> {
  const pages: Page[] = [];
  let rowCount = 0;
  let run: { from: string; to: string; bytes: number; logs: number } | undefined;
  const flush = () => {
    if (run !== undefined) pages.push({ where: logBetween(run.from, run.to), label: `logs ${pages.length}` });
    run = undefined;
  };
  const logs = readRows(
    raw,
    `SELECT hex(log) AS id, toString(log), min(seq), max(seq), count(), sum(length(body)) FROM custody.entries WHERE ${where} GROUP BY log ORDER BY log`,
    (read) => ({
      id: read.string(),
      name: read.string(),
      from: read.uint64(),
      to: read.uint64(),
      rows: read.uint64(),
      bytes: read.uint64(),
    }),
  );
  for await (const log of logs) {
    rowCount += Number(log.rows);
    const bytes = Number(log.bytes + log.rows * 300n);
    if (bytes <= PAGE_BYTES) {
      if (run !== undefined && (run.bytes + bytes > PAGE_BYTES || run.logs >= LOGS_PER_PAGE)) flush();
      run = {
        from: run?.from ?? log.id,
        to: log.id,
        bytes: (run?.bytes ?? 0) + bytes,
        logs: (run?.logs ?? 0) + 1,
      };
      continue;
    }
    flush();
    for (const range of ranges(log.from, log.to, Math.ceil(bytes / PAGE_BYTES))) {
      pages.push({
        where: `${logBetween(log.id, log.id)} AND seq >= ${range.from} AND seq <= ${range.to}`,
        label: log.name,
      });
    }
  }
  flush();
  return { pages, rowCount };
}

/** Equal ranges over [from, to]; a forged far seq makes them uneven, never many. */
function ranges(from: bigint, to: bigint, count: number): { from: bigint; to: bigint }[] {
  const step = (to - from) / BigInt(count) + 1n;
  return Array.from({ length: count }, (_, index) => from + BigInt(index) * step)
    .filter((start) => start <= to)
    .map((start) => ({ from: start, to: start + step - 1n < to ? start + step - 1n : to }));
}

/**
 * Runs the statement for the rows of a page in (log, seq) order. With `blockRows` the engine reads at most so many at a
 * time, which takes less memory.
 */
export function queryPage(
  raw: RawQuery,
  where: string,
  page: Page,
  blockRows?: number,
): AsyncIterable<Uint8Array> {
  const block = blockRows === undefined ? '' : `, max_block_size = ${blockRows}`;
  return raw(
    `SELECT ${ENTRY_COLUMNS} FROM custody.entries WHERE (${where}) AND (${page.where}) ORDER BY log, seq ${readSettings()}${block} FORMAT RowBinary`,
  );
}

/**
 * Hands over each row of an answer to `queryPage`; its body is valid during the call. Rows that `follow` takes are not
 * decoded.
 */
export async function decodePage(
  answer: AsyncIterable<Uint8Array>,
  push: (row: RawEntry) => void,
  follow?: (buffer: Buffer, at: number) => number,
): Promise<void> {
  const reader = createRowReader(decodeStoredEntry, follow);
  // No promise per row: at this rate one costs as much as a hash.
  for await (const chunk of answer) for (const row of reader.push(chunk)) push(row);
  reader.end();
}
