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
  'suppressions.yaml': write(
    's.yaml',
    block('yaml suppressions').replaceAll(/expires: .*/g, 'expires: 2099-01-01'),
  ),
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
  const runnable = commands.filter((line) => !line.includes('--id') && !line.includes('backtest'));

  it.each(runnable)('%s', async (line) => {
    const { code, out } = await custody(line);
    expect(out).not.toBe('');
    expect(code).toBe(0);
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
