import fc from 'fast-check';
import { expect, test } from 'vitest';
import { entryFacts } from '../../bundle/entry-facts.ts';
import {
  createTimeline,
  readTimelineCell,
  TIMELINE_COLUMNS,
  timelineCell,
  timelineCsv,
} from '../../bundle/timeline.ts';
import { LOG, eventEntry, eventOf, storyEntries } from './report-case.ts';

/** RFC 4180, as any reader of it. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  let row: string[] = [];
  for (let match = field.exec(text); match !== null; match = field.exec(text)) {
    row.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '\r\n') {
      rows.push(row);
      row = [];
    }
  }
  expect(field.lastIndex).toBe(0);
  return rows;
}

async function csvOf(...args: Parameters<typeof timelineCsv>): Promise<string> {
  let text = '';
  for await (const chunk of timelineCsv(...args)) text += chunk;
  return text;
}

test('every entry is one line and parses back to what the event says', async () => {
  const entries = storyEntries();
  const text = await csvOf(entries);
  const [header, ...rows] = parseCsv(text);
  expect(header).toEqual([...TIMELINE_COLUMNS]);
  expect(rows).toHaveLength(entries.length);
  for (const [index, entry] of entries.entries()) {
    const facts = entryFacts(entry);
    const cells = Object.fromEntries(
      TIMELINE_COLUMNS.map((name, at) => [name, readTimelineCell(rows[index]![at]!)]),
    );
    expect(cells).toMatchObject({
      time_unix_ms: String(entry.appendTimeMs),
      time_utc: new Date(entry.appendTimeMs).toISOString(),
      seq: String(entry.seq),
      body_sha256: entry.bodySha,
      tool: facts.tool ?? '',
      decision: facts.decision ?? '',
      bytes_in: facts.bytesIn === undefined ? '' : String(facts.bytesIn),
      destinations: facts.destinations.length === 0 ? '' : JSON.stringify(facts.destinations),
      evidence_event_ids: facts.evidence.length === 0 ? '' : JSON.stringify(facts.evidence),
    });
  }
});

test('the alerts that rest on an event are in its line where they are known beforehand', async () => {
  const [first] = storyEntries();
  const text = await csvOf([first!], (id) => (id === first!.event!.event_id ? ['a-1', 'a-2'] : []));
  expect(parseCsv(text)[1]![TIMELINE_COLUMNS.indexOf('alert_ids')]).toBe('["a-1","a-2"]');
});

test('any text comes back from its cell, and from the file around it', () => {
  const hostile = fc.string({
    unit: fc.constantFrom(
      '=',
      '+',
      '-',
      '@',
      "'",
      '"',
      ',',
      ';',
      '|',
      '\t',
      '\r',
      '\n',
      '\\',
      'u',
      '0',
      '2',
      'e',
      'a',
      '\u202e',
      '＝',
      '\u0000',
      '😀',
    ),
  });
  fc.assert(
    fc.property(fc.oneof(hostile, fc.string({ unit: 'binary' })), (text) => {
      expect(readTimelineCell(timelineCell(text))).toBe(text);
      const event = eventOf({ server: 's', tool: 't' }, 1, 1);
      const entry = eventEntry({ ...event, actor: { id: text } }, 1, 1);
      const { header, line } = createTimeline();
      const rows = parseCsv(header + line(entry));
      expect(rows).toHaveLength(2);
      expect(readTimelineCell(rows[1]![TIMELINE_COLUMNS.indexOf('actor')]!)).toBe(text);
    }),
    { numRuns: 500 },
  );
});

test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '＝1', "'=1", 'a;=1', 'a,=1', 'a"=1', 'a|=1'])(
  'no spreadsheet, whatever its separator, takes a part of %j for a formula',
  (text) => {
    for (const part of timelineCell(text).split(/[;,|"\t\r\n]/))
      expect(part).not.toMatch(/^[=+\-@\t\r＝＋－＠]/);
  },
);

test('a line holds no line end, no control and no bidirectional character, and the file no byte order mark', async () => {
  const event = eventOf({ server: 'a\nb\u2028c', tool: '\u202egnp.exe\u0007', to: ['x\r\ny'] }, 1, 1);
  const text = await csvOf([eventEntry(event, 1, 1)]);
  expect(text.split('\r\n')).toHaveLength(3);
  // eslint-disable-next-line no-control-regex -- control characters are what is searched for
  expect(text.replaceAll('\r\n', '')).not.toMatch(/[\u0000-\u001f\u2028\u202e]/);
  expect(text.startsWith('time_utc,')).toBe(true);
});

test('the latest time a sender can claim is still a date', async () => {
  const event = { ...eventOf({}, 1, 1), time_unix_nano: '9'.repeat(20) };
  const rows = parseCsv(await csvOf([eventEntry(event, 1, 1)]));
  expect(rows[1]![TIMELINE_COLUMNS.indexOf('event_time_utc')]).toBe('5138-11-16T09:46:39.999Z');
});

test('an entry that is no event keeps its place', async () => {
  const entry = {
    log: LOG,
    seq: 0n,
    topic: 'custody.events',
    appendTimeMs: 5,
    kind: 'malformed',
    bodySha: 'ab',
  } as const;
  const rows = parseCsv(await csvOf([entry]));
  expect(rows[1]!.slice(0, 9)).toEqual([
    ...['1970-01-01T00:00:00.005Z', '5', LOG, '0', 'custody.events', 'malformed', 'ab', 'malformed', ''],
  ]);
});
