import { hotColumns, PARSED_BODY } from './hot-columns.ts';
import { readSettings } from './pinned-settings.ts';
import { createRowReader } from './row-binary.ts';
import type { RawQuery } from './store.ts';
import type { FindingLog } from './verify-report.ts';
import type { Page } from './verify-rows.ts';

/** Engine threads that parse bodies; an answer has no order to keep. */
const PARSE_THREADS = '4';

/** SQL that is 1 where the stored value of a derived column is what OUR expression gives for the body. */
const SAME = hotColumns.map(({ name, type, expression }) => {
  const expected = `CAST(${expression('parsed')} AS ${type.replace(/^LowCardinality\((.*)\)$/, '$1')})`;
  // Text comparison for floats, where NaN differs from itself.
  const same = type === 'Float64' ? `toString(${name}) = toString(${expected})` : `${name} = ${expected}`;
  return { name, sql: `ifNull(${same}, 0)` };
});
const ALL_SAME = SAME.map(({ sql }) => sql).join(' AND ');
const WRONG_NAMES = `concat(${SAME.map(({ name, sql }) => `if(${sql}, '', '${name} ')`).join(', ')})`;

/** Differing rows remembered, so that reading again page by page does not report them twice. */
const REMEMBERED_MAX = 10_000;

/**
 * Reports every row with a derived column that differs; the engine parses the bodies and compares. One statement,
 * and page by page when it fails, so that damage in one place does not hide a difference in another.
 */
export async function checkDerived(
  raw: RawQuery,
  where: string,
  pages: readonly Page[],
  findings: FindingLog,
): Promise<boolean> {
  const reported = new Set<string>();
  try {
    await reportDifferences(raw, where, findings, reported);
    return true;
  } catch {
    // What fails is named by its page below.
  }
  let whole = true;
  for (const page of pages) {
    try {
      await reportDifferences(raw, `(${where}) AND (${page.where})`, findings, reported);
    } catch (error) {
      whole = false;
      findings.readFailure(page.label, error);
    }
  }
  return whole;
}

async function reportDifferences(
  raw: RawQuery,
  where: string,
  findings: FindingLog,
  reported: Set<string>,
): Promise<void> {
  const reader = createRowReader((read) => ({
    log: read.string(),
    seq: read.uint64(),
    wrong: read.string(),
  }));
  const answer = raw(
    `WITH ${PARSED_BODY} AS parsed SELECT toString(custody.entries.log), seq, ${WRONG_NAMES} FROM custody.entries WHERE (${where}) AND NOT (${ALL_SAME}) ${readSettings({ max_threads: PARSE_THREADS })} FORMAT RowBinary`,
  );
  for await (const chunk of answer) {
    for (const { log, seq, wrong } of reader.push(chunk)) {
      const place = `${log} ${seq} ${wrong}`;
      if (reported.has(place)) continue;
      if (reported.size < REMEMBERED_MAX) reported.add(place);
      for (const column of wrong.split(' ').filter(Boolean)) {
        findings.add({ cause: 'DERIVED_MISMATCH', log, seq, column, detail: 'not what the body says' });
      }
    }
  }
  reader.end();
}
