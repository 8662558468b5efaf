import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { run } from '../../cli/program.ts';
import { openSqlAccess } from '../../cli/sql-access.ts';
import { loadConfig } from '../../cli/load-config.ts';
import { openArena, type Arena } from '../notary/arena.ts';
import { captured } from './captured.ts';

let arena: Arena;
let eventId: string;
beforeAll(async () => {
  arena = await openArena();
  await arena.write('acme', 3);
  await arena.store.close();
  const sql = await openSqlAccess({ ...loadConfig({ file: undefined, env: {} }), data_dir: arena.directory });
  const response = await sql.query(
    "SELECT event_id FROM custody.entries WHERE kind = 'event' ORDER BY seq DESC LIMIT 1 FORMAT TSV",
  );
  eventId = (await response.text()).trim();
  await sql.close();
});
afterAll(async () => {
  await arena.state.close();
  rmSync(arena.directory, { recursive: true, force: true });
});

async function explain(...words: readonly string[]) {
  const written = { out: '', err: '' };
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => (written.out += String(text)) !== '');
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => (written.err += String(text)) !== '');
  const code = await run(['node', 'custody', 'rules', 'explain', '--data-dir', arena.directory, ...words]);
  vi.restoreAllMocks();
  return { code, ...written };
}

it('explains an event of the store, with the rule that was asked for', async () => {
  const { code, out, err } = await explain('--id', eventId, '--rule', 'bulk-change-without-ticket', '--json');
  expect([code, err]).toEqual([0, '']);
  expect(JSON.parse(out)).toMatchObject([
    { rule: 'bulk-change-without-ticket', matches: false, conditions: [{ name: 'match', holds: false }] },
  ]);
});

it('says when nothing in the store has the id', async () => {
  const { code, err } = await explain('--id', '00000000-0000-4000-8000-000000000000');
  expect(err).toContain('no event or alert in the store has this id');
  expect(code).toBe(2);
});

it('explains an event that was taken out of the store as the page says', async () => {
  const page = readFileSync(new URL('../../docs/operations/writing-rules.md', import.meta.url), 'utf8');
  const [, format = '', statement = ''] =
    /custody query --format (\w+) "(SELECT body[^"]*)"/.exec(page) ?? [];
  const { stdout } = await captured('query', '--data-dir', arena.directory, '--format', format, statement);
  const file = join(arena.directory, 'event.json');
  writeFileSync(file, stdout);
  const { code, out, err } = await explain(
    ...['--event', file, '--rule', 'bulk-change-without-ticket', '--json'],
  );
  expect([code, err]).toEqual([0, '']);
  expect(JSON.parse(out)).toMatchObject([{ rule: 'bulk-change-without-ticket' }]);
});
