import { escaped, literalMarkup, markup, type Html } from '../../bundle/report/html.ts';
import { REPORT_CONTENT_POLICY, REPORT_STYLE } from './report-style.ts';

/** A whole document in one file: no script, nothing loaded; whatever is put in was escaped by `escaped`. */
export function reportPage(title: string, body: Html): string {
  const head = escaped`<head>
    <meta charset="utf-8" />
    <meta http-equiv="Content-Security-Policy" content="${REPORT_CONTENT_POLICY}" />
    <meta name="referrer" content="no-referrer" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${title}</title>
    <style>${literalMarkup(REPORT_STYLE)}</style>
  </head>`;
  return `<!doctype html>\n<html lang="en">${markup(head)}<body>${markup(escaped`<h1>${title}</h1>${body}`)}</body></html>\n`;
}

/** A table; cells of numbers stand right. */
export function table(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): Html {
  const isNumber = columns.map((_, column) => rows.every((row) => typeof row[column] === 'number'));
  const cell = (tag: 'th' | 'td', content: string | number, column: number) =>
    tag === 'th'
      ? escaped`<th class="${isNumber[column] === true ? 'number' : 'text'}">${content}</th>`
      : escaped`<td class="${isNumber[column] === true ? 'number' : 'text'}">${content}</td>`;
  return escaped`<table>
    <thead><tr>${columns.map((name, column) => cell('th', name, column))}</tr></thead>
    <tbody>${rows.map((row) => escaped`<tr>${row.map((content, column) => cell('td', content, column))}</tr>`)}</tbody>
  </table>`;
}
