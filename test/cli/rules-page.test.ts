import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { run } from '../../cli/program.ts';
import { fieldAliases } from '../../detectors/rules/sigma/fields.ts';
import { expandEvents } from '../../detectors/rules/short-event.ts';

/** The page is the tutorial: what it shows must work as it stands. */
const page = readFileSync(new URL('../../docs/operations/writing-rules.md', import.meta.url), 'utf8');
const block = (info: string) => new RegExp(`\`\`\`${info}\n([^]*?)\`\`\``).exec(page)?.[1] ?? '';
const commands = [...page.matchAll(/```sh\n([^]*?)```/g)].flatMap(([, text = '']) => text.trim().split('\n'));
const dir = mkdtempSync(join(tmpdir(), 'custody-page-'));
afterAll(() => rmSync(dir, { recursive: true }));

const write = (name: string, text: string) => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};
const files: Readonly<Record<string, string>> = {
  'my-rules/': write('refunds.yaml', block('yaml rule')),
  'suppressions.yaml': write('s.yaml', block('yaml suppressions')),
  'event.json': write(
    'e.json',
    JSON.stringify(expandEvents([{ tool: 'shop/refund', action: 'write' }])[0]?.event),
  ),
  'sigma/*.yml': write(
    'x.yml',
    'title: S\nlogsource: { product: mcp }\ndetection: { s: { tool: sh }, condition: s }\n',
  ),
};

async function custody(line: string) {
  const words = line
    .replace(/ > .*/, '')
    .split(' ')
    .slice(1)
    .map((word) => files[word] ?? word);
  let out = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => (out += String(text)) !== '');
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  const code = await run(['node', 'custody', ...words]);
  vi.restoreAllMocks();
  return { code, out };
}

describe('docs/operations/writing-rules.md', () => {
  // The store and the backtest have tests of their own.
  const runnable = commands.filter(
    (line) => !line.includes('--id') && !/^custody (backtest|query) /.test(line),
  );

  it.each(runnable)('%s', async (line) => {
    const { code, out } = await custody(line);
    expect(out).not.toBe('');
    expect(code).toBe(0);
  });

  it('takes its short events for what explain takes, and tells how the last one counted', async () => {
    write('short.yaml', block('yaml event'));
    const { out } = await custody(
      `custody rules explain --event ${join(dir, 'short.yaml')} --rule refund-burst my-rules/`,
    );
    expect(out).toContain('correlation: 2 of 10 within 10m (actor.key = agent-7)');
  });

  it('shows a case that fails as it is shown', async () => {
    const rule = block('yaml rule').replace('expect: quiet', 'expect: alert');
    const { code, out } = await custody(`custody rules test ${write('failing.yaml', rule)}`);
    expect(code).toBe(1);
    expect(out).toContain(block('text case'));
  });

  it('backtests beside the built-in rules, over days, and shows what differs', () => {
    const [backtest = ''] = commands.filter((line) => line.startsWith('custody backtest'));
    for (const part of ['--from 30d', '--rules builtin my-rules/', '--diff'])
      expect(backtest).toContain(part);
  });

  it('has suppressions that were written for the future of the page', () => {
    const ends = [...block('yaml suppressions').matchAll(/expires: (\S+)/g)].map(([, day = '']) => day);
    expect(ends).toHaveLength(2);
    for (const day of ends) expect(Date.parse(day)).toBeGreaterThan(Date.UTC(2026, 10, 21));
  });

  it.each([
    /An event without one of the members that `group_by` names is not counted/,
    /`count` \(2–1000\)/,
    /no less than `30m`/,
    /`match` is not needed for a `sequence`; where it is there, it filters/,
  ])('says the rule %s', (sentence) => {
    expect(page).toMatch(sentence);
  });

  it('names every command of rules', () => {
    for (const command of ['lint', 'test', 'explain', 'import-sigma'])
      expect(commands.some((line) => line.startsWith(`custody rules ${command}`))).toBe(true);
  });

  it('lists every field name of Sigma rules', () => {
    for (const [name, member] of Object.entries(fieldAliases))
      expect(page).toMatch(
        new RegExp(`\`${name.replaceAll('.', '\\.')}\`.*\\| \`${member.replaceAll('.', '\\.')}\``),
      );
  });
});
