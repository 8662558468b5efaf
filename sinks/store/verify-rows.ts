import type { RawEntry } from '../../evidence/verify-log.ts';
import { readRows } from './clickhouse-store.ts';
import { hotColumns, PARSED_BODY } from './hot-columns.ts';
import type { RawQuery } from './store.ts';
import { decodeStoredEntry, ENTRY_COLUMNS } from './stored-entry.ts';

/** A stored row, with the names of derived columns that differ from their expression over the body. */
export interface CheckedRow {
  readonly row: RawEntry;
  readonly derivedWrong: string;
}

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

/** SQL that names the derived columns whose stored value is not what OUR expression gives for the body. */
const DERIVED_WRONG = `concat(${hotColumns
  .map(({ name, type, expression }) => {
    // Text comparison for floats, where NaN differs from itself.
    const expected = `CAST(${expression('parsed')} AS ${type.replace(/^LowCardinality\((.*)\)$/, '$1')})`;
    const same = type === 'Float64' ? `toString(${name}) = toString(${expected})` : `${name} = ${expected}`;
    return `if(ifNull(${same}, 0), '', '${name} ')`;
  })
  .join(', ')})`;

/** The rows of a page in (log, seq) order; each body is valid until the next row is asked for. */
export function readPage(
  raw: RawQuery,
  where: string,
  page: Page,
  derived: boolean,
): AsyncGenerator<CheckedRow> {
  const wrong = derived ? DERIVED_WRONG : "''";
  const parsed = derived ? `WITH ${PARSED_BODY} AS parsed ` : '';
  return readRows(
    raw,
    `${parsed}SELECT ${ENTRY_COLUMNS.replace('log,', 'custody.entries.log,')}, ${wrong} FROM custody.entries WHERE (${where}) AND (${page.where}) ORDER BY log, seq`,
    (read) => ({ row: decodeStoredEntry(read), derivedWrong: read.string() }),
  );
}
