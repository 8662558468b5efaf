import { hash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import type { CaseEntry } from '../../bundle/case-data.ts';
import { escaped, literalMarkup, markup, visible } from '../../bundle/report/html.ts';
import { caseReport } from '../../bundle/report/report.ts';
import { createThinning } from '../../bundle/report/thinning.ts';
import { createTimeline } from '../../bundle/timeline.ts';
import { stixBundle } from '../../bundle/stix.ts';
import { STORY, alertEntry, eventEntry, eventOf, factsOf, rendered, storyEntries } from './report-case.ts';

const report = (entries?: Iterable<CaseEntry>, facts?: ReturnType<typeof factsOf>) =>
  rendered(caseReport(), entries, facts);

describe('what was sent by others', () => {
  const HOSTILE = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    '</title></style></svg><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    ']]><!--<a href="javascript:alert(1)">',
    '&lt;b&gt;&#x3c;',
    '`${alert(1)}`',
  ];

  test.each(HOSTILE)('%j comes out as text and never as markup', (text) => {
    const out = markup(escaped`<p title="${text}">${text}</p>`);
    expect(out.match(/[<>"]/g)?.join('')).toBe('<"">' + '<>');
    expect(out).not.toContain("'");
    const html = report([hostileEntry(text)], factsOf({ question: text, reason: text, operator: text }));
    expect(html).not.toContain('<script');
    expect(html).not.toContain('<img');
    expect(html).not.toMatch(/<[^>]*\son\w+=/i);
    expect(html).not.toMatch(/<[^>]*javascript:/i);
    expect(html.match(/<\/style>/g)).toHaveLength(1);
    expect(html.match(/<\/title>/g)?.length).toBe(html.match(/<title[ >]/g)?.length);
  });

  test('characters that cannot be seen or turn the text are named', () => {
    expect(visible('a\u202egpj.exe\u0000\u200b\u2066\ufeff\u00ad', 99)).toBe(
      'a⟨U+202E⟩gpj.exe⟨U+0000⟩⟨U+200B⟩⟨U+2066⟩⟨U+FEFF⟩⟨U+00AD⟩',
    );
    expect(visible('\u{e0041}\ufe0f\u3164\n', 99)).toBe('⟨U+E0041⟩⟨U+FE0F⟩⟨U+3164⟩⟨U+000A⟩');
  });

  test('the name of a character cannot be forged, and marks cannot be stacked over other lines', () => {
    expect(visible('⟨U+202E⟩', 99)).toBe('⟨U+27E8⟩U+202E⟩');
    expect(visible(`e${'\u0301'.repeat(5)}`, 99)).toBe('e\u0301\u0301\u0301⟨U+0301⟩⟨U+0301⟩');
    expect(visible('\ud800x', 99)).toBe('\ufffdx');
  });

  test('no bidirectional or control character is in the page, wherever it came from', () => {
    const bad = 'x\u202e\u2067\u0007\u0085';
    const html = report(
      [hostileEntry(bad)],
      factsOf({ caseId: bad, leftOut: [bad], filters: { [bad]: bad } }),
    );
    expect(html).not.toMatch(
      // eslint-disable-next-line no-control-regex -- control characters are what is searched for
      /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/,
    );
    expect(html).toContain('⟨U+202E⟩');
  });

  test('long text is cut with the number of characters that are missing', () => {
    expect(visible('😀'.repeat(10), 4)).toBe('😀😀😀😀 … [12 more characters]');
    expect(markup(escaped`${'a'.repeat(2500)}`)).toMatch(/^a{2400} … \[100 more characters\]$/);
  });

  test('markup made by the page itself passes once and unchanged', () => {
    const inner = escaped`<b>${'<'}</b>`;
    expect(markup(escaped`<p>${inner}${[inner, 'x>']}${literalMarkup('&amp;')}</p>`)).toBe(
      '<p><b>&lt;</b><b>&lt;</b>x&gt;&amp;</p>',
    );
  });
});

describe('the page', () => {
  test('its policy allows the one style sheet and nothing else, and it names no other place', () => {
    const html = report();
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1]?.replaceAll('&#39;', "'");
    const style = /<style>([^]*)<\/style>/.exec(html)?.[1] ?? '';
    expect(policy).toBe(
      `default-src 'none'; style-src 'sha256-${hash('sha256', style, 'base64')}'; base-uri 'none'; form-action 'none'`,
    );
    expect(html).not.toMatch(/\s(?:src|href|style|action|data|srcset|on\w+)=/);
    expect(style).not.toMatch(/url\(|@import/);
    expect(html.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/<[^>]*https?:/);
  });

  test('the same case gives the same bytes', () => {
    expect(report()).toBe(report());
  });

  test('it says what is promised, what is not, and that a page proves nothing by itself', () => {
    const words = report()
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ');
    for (const sentence of [
      'CONSISTENT: every entry was recomputed',
      'A page inside a bundle cannot vouch for that bundle',
      'That a source told the truth',
      'That events which were never sent are known',
      'Range: whole windows of logs',
      'Cosigned by witness.example/w1',
      'Observed 2,716,230 bytes',
      'All 18 observations of actions are drawn',
      'All 19 entries',
    ])
      expect(words).toContain(sentence);
  });

  test('an export that was forced in spite of contradictions says NOT PROVEN and lists them', () => {
    const finding = { cause: 'BODY_HASH', log: 'desk/acme/x-0/0', seq: '12', detail: 'the body was changed' };
    const html = report(undefined, factsOf({ findings: [finding] }));
    expect(html).toContain('NOT PROVEN: 1 contradiction found');
    expect(html).not.toContain('CONSISTENT');
    for (const value of Object.values(finding)) expect(html).toContain(value);
  });

  test('a selection never speaks of completeness as claimed', () => {
    const html = report(undefined, factsOf({ mode: 'selection' }));
    expect(html).toContain('Selection: single entries; no claim about any other entry.');
    expect(html).not.toContain('Range: whole windows');
  });

  test('no anchor and no receipt are said, not passed over', () => {
    const facts = factsOf({
      anchors: [],
      receiptCount: 0,
      leftOut: ['no receipts: they were not asked for'],
    });
    const html = report(undefined, facts).replace(/\s+/g, ' ');
    expect(html).toContain('No anchor outside of the store had confirmed it');
    expect(html).toContain('There are none in this bundle.');
    expect(html).toContain('no receipts: they were not asked for');
  });

  test('each step of the drawing is in the table, with its place, and each alert points at its evidence', () => {
    const html = report();
    for (const { seq, event } of storyEntries()) {
      if (event === undefined) continue;
      expect(html.match(new RegExp(`0001 / ${seq}\\b`, 'g'))?.length).toBeGreaterThanOrEqual(2);
    }
    expect(html.match(/class="m-deny"/g)?.length).toBe(3 * 2 + 1);
    expect(html.match(/<strong>A1<\/strong>/g)).toHaveLength(3);
  });

  test('every drawing has a title and a description', () => {
    const html = report();
    const drawings = html.match(/<svg[^>]*role="img"[^>]*>/g) ?? [];
    expect(drawings).toHaveLength(3);
    for (const drawing of drawings) {
      const names = /aria-labelledby="([^"]+)"/.exec(drawing)?.[1]?.split(' ') ?? [];
      expect(names).toHaveLength(2);
      for (const name of names) expect(html.split(`id="${name}"`)).toHaveLength(2);
    }
  });

  test('a long case is thinned and says by how much; what alerts rest on stays', () => {
    const steps = Array.from({ length: 3000 }, (_, index) => ({
      ...STORY[index % STORY.length]!,
      afterMs: 900,
    }));
    const html = report(storyEntries(steps)).replace(/\s+/g, ' ');
    expect(/Time is that of the log.*?figcaption/.exec(html)?.[0]).toMatch(
      /\d+ of 3,000 observations are drawn: .* of the 833 with a decision other than allow/,
    );
    expect(html).toContain('The first 200 of 3,001 entries');
    expect(html.match(/<strong>A1<\/strong>/g)).toHaveLength(3);
  });

  test('a case without entries, logs or acts is a page too', () => {
    const html = report([], factsOf({ logs: [], acts: [], filters: {}, question: undefined }));
    expect(html).toContain('No alert is among these entries.');
    expect(html).toContain('No entry of this case is about an agent');
  });
});

test('thinning keeps every one, then every second, every fourth, and always the first', () => {
  const thinning = createThinning<number>(4);
  for (let n = 0; n < 4; n += 1) thinning.push(n);
  expect([thinning.kept, thinning.stride]).toEqual([[0, 1, 2, 3], 1]);
  for (let n = 4; n < 20; n += 1) thinning.push(n);
  expect([thinning.kept, thinning.stride, thinning.seen]).toEqual([[0, 8, 16], 8, 20]);
});

test('what is kept of a long case is bounded, and the files stay readable', () => {
  const view = caseReport();
  const stix = stixBundle();
  const timeline = createTimeline();
  const COUNT = 60_000;
  // Every bound is reached by then.
  const WARM_COUNT = 30_000;
  let bytes = 0;
  let before = 0;
  for (let n = 0; n < COUNT; n += 1) {
    const step = { tool: `tool-${n % 5000}`, actor: `agent-${n}` };
    const entry =
      n % 20 === 19
        ? alertEntry(alertWith(n), n, n)
        : { ...eventEntry(PLAIN, n, n), event: eventWith(step, n) };
    view.push(entry);
    stix.push(entry);
    if (n % 10 === 0) bytes += timeline.line(entry).length;
    if (n === WARM_COUNT) before = used();
  }
  const grown = used() - before;
  // Far less than 30,000 entries take.
  expect(grown).toBeLessThan(6 * 1024 * 1024);
  expect(bytes).toBeGreaterThan(COUNT * 10);
  const html = view.finish(factsOf());
  expect(html.length).toBeLessThan(2 * 1024 * 1024);
  expect(html).toContain('The first 50 of 3,000 are shown');
  expect(stix.finish(factsOf()).length).toBeLessThan(16 * 1024 * 1024);
});

const PLAIN = eventOf({ server: 's', tool: 't' }, 0, 0);
const ALERT = storyEntries().find(({ alert }) => alert !== undefined)!.alert!;
const eventWith = ({ tool, actor }: { tool: string; actor: string }, n: number) => ({
  ...PLAIN,
  event_id: `00000000-0000-5000-8000-${String(n).padStart(12, '0')}`,
  tool: { name: tool },
  actor: { id: actor },
});
const alertWith = (n: number) => ({
  ...ALERT,
  alert_id: `00000000-0000-5000-9000-${String(n).padStart(12, '0')}`,
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function used(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

function hostileEntry(text: string): CaseEntry {
  const event = eventOf(
    { server: text, tool: text, to: [text], summary: text, rule: text, actor: text },
    1,
    1,
  );
  return eventEntry(event, 1, 1);
}
