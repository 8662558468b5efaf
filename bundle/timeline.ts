import type { CaseEntry } from './case-data.ts';
import { entryFacts, isoTime, msOfNano } from './entry-facts.ts';

/**
 * data/timeline.csv: one line an entry, for people and for SIEMs. RFC 4180 with a header and CRLF, UTF-8 without a byte
 * order mark: a mark would become part of the first column's name in most log shippers, while Excel reads UTF-8 through
 * Data, From Text/CSV. No cell holds a line end, so one line is one record also to tools that read lines.
 *
 * Cells are made harmless by three rules, each of which can be undone exactly (`readTimelineCell`):
 * 1. Control, bidirectional and invisible characters are written `\uXXXX`, and so is a backslash that such a text would
 *    otherwise begin with.
 * 2. Where a spreadsheet would take what follows for a formula (`= + - @` and their full-width forms, at the start of a
 *    cell or after a `;`, `,`, `|` or `"` that some locales take for its start), an apostrophe is put before it; also where
 *    apostrophes come between, so that taking one away gives the original.
 * 3. Cells with a comma, a semicolon or a quote are quoted.
 * Lists (destinations, evidence) are JSON arrays. A lone surrogate becomes U+FFFD.
 */
export const TIMELINE_COLUMNS = [
  'time_utc',
  'time_unix_ms',
  'log',
  'seq',
  'topic',
  'entry_kind',
  'body_sha256',
  'what',
  'event_id',
  'event_time_utc',
  'actor',
  'user',
  'session',
  'server',
  'tool',
  'action',
  'decision',
  'rule',
  'result',
  'bytes_in',
  'bytes_out',
  'destinations',
  'trace_id',
  'span_id',
  'alert_ids',
  'alert_severity',
  'evidence_event_ids',
] as const;

type Column = (typeof TIMELINE_COLUMNS)[number];

export interface Timeline {
  readonly header: string;
  readonly line: (entry: CaseEntry) => string;
}

/**
 * Lines with their ends. The line of an alert names its evidence; `alertsOf` gives the alerts that rest on an event, where
 * the caller knows them beforehand.
 */
export function createTimeline(alertsOf?: (eventId: string) => readonly string[]): Timeline {
  return {
    header: `${TIMELINE_COLUMNS.join(',')}\r\n`,
    line(entry) {
      const cells = cellsOf(entry, alertsOf);
      return `${TIMELINE_COLUMNS.map((column) => field(cells[column])).join(',')}\r\n`;
    },
  };
}

/** The whole file in chunks, each line as it comes: memory does not grow with the case. */
export async function* timelineCsv(
  entries: Iterable<CaseEntry> | AsyncIterable<CaseEntry>,
  alertsOf?: (eventId: string) => readonly string[],
): AsyncGenerator<string> {
  const { header, line } = createTimeline(alertsOf);
  let chunk = header;
  for await (const entry of entries) {
    chunk += line(entry);
    if (chunk.length < CHUNK_CHARS) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}

const CHUNK_CHARS = 64 * 1024;

function cellsOf(
  entry: CaseEntry,
  alertsOf: ((eventId: string) => readonly string[]) | undefined,
): Record<Column, string | undefined> {
  const facts = entryFacts(entry);
  const alerts =
    facts.alertId !== undefined
      ? [facts.alertId]
      : facts.eventId === undefined
        ? []
        : (alertsOf?.(facts.eventId) ?? []);
  return {
    time_utc: isoTime(entry.appendTimeMs),
    time_unix_ms: String(entry.appendTimeMs),
    log: entry.log,
    seq: String(entry.seq),
    topic: entry.topic,
    entry_kind: entry.kind,
    body_sha256: entry.bodySha,
    what: facts.what,
    event_id: facts.eventId,
    event_time_utc: facts.eventUnixNano === undefined ? undefined : isoTime(msOfNano(facts.eventUnixNano)),
    actor: facts.actor,
    user: facts.user,
    session: facts.session,
    server: facts.server,
    tool: facts.tool,
    action: facts.action,
    decision: facts.decision,
    rule: facts.rule,
    result: facts.result,
    bytes_in: numberOf(facts.bytesIn),
    bytes_out: numberOf(facts.bytesOut),
    destinations: list(facts.destinations),
    trace_id: facts.traceId,
    span_id: facts.spanId,
    alert_ids: list(alerts),
    alert_severity: facts.severity,
    evidence_event_ids: list(facts.evidence),
  };
}

const numberOf = (count: number | undefined): string | undefined =>
  count === undefined ? undefined : String(count);
const list = (values: readonly string[]): string | undefined =>
  values.length === 0 ? undefined : JSON.stringify(values);

/** Control, format and separator characters, invisible fillers, and a backslash that would read as one of these escapes. */
const UNREADABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]|\\(?=u[0-9a-f]{4})/gu;
/** Most values: nothing in them needs a second look, and a case may have millions. */
const PLAIN = /^[A-Za-z0-9_](?:[A-Za-z0-9 _.:/@=+-]*[A-Za-z0-9_])?$/;
const FORMULA = /(^|[;,|"])('*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])/g;
const NEUTRALISED = /(^|[;,|"])'('*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])/g;

/** A value as its cell says it, before the quotes of RFC 4180. */
export function timelineCell(value: string): string {
  if (PLAIN.test(value)) return value;
  return Buffer.from(value, 'utf8').toString('utf8').replace(UNREADABLE, codeUnits).replace(FORMULA, "$1'$2");
}

/** Gives back what `timelineCell` was given. */
export function readTimelineCell(cell: string): string {
  return cell
    .replace(NEUTRALISED, '$1$2')
    .replace(/\\u([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

const codeUnits = (character: string): string =>
  Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('');

function field(value: string | undefined): string {
  if (value === undefined) return '';
  const cell = timelineCell(value);
  return /[",;]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
