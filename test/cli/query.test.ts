import { rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startFront, type Front } from '../support/clickhouse/start-front.ts';
import { openArena, type Arena } from '../notary/arena.ts';
import { captured } from './captured.ts';

let arena: Arena;
let server: Front;
beforeAll(async () => {
  [arena, server] = await Promise.all([openArena(), startFront()]);
  await arena.write('acme', 3);
  await arena.store.close();
});
afterAll(async () => {
  await server.stop();
  await arena.state.close();
  rmSync(arena.directory, { recursive: true, force: true });
});
afterEach(() => vi.unstubAllEnvs());

const HOSTILE = [
  "'; DROP TABLE custody.entries; --",
  "x' OR 1 = 1 --",
  'a\nb\r\nc\td',
  'back\\slash \\n \\x41 \\\\',
  '\\',
  '\\N',
  '{other:String}',
  '"`$(id)`%00%27&param_v=2#',
  'Zürich 東京 😀',
  'a=b=c',
  '',
] as const;

/** The two doors of the store: the data directory of a stopped pipeline, and a server. */
const doors = [
  ['the store in the data directory', () => ['--data-dir', arena.directory]],
  [
    'a ClickHouse server',
    () => {
      vi.stubEnv('CUSTODY_STORE_TYPE', 'clickhouse');
      vi.stubEnv('CUSTODY_STORE_URL', server.url);
      return ['--data-dir', arena.directory];
    },
  ],
] as const;

describe.each(doors)('custody query --param on %s', (_door, whereOf) => {
  const query = (...words: readonly string[]) => captured('query', ...words, ...whereOf());

  it('binds a value as what it is, whatever it holds', async () => {
    const names = HOSTILE.map((_, index) => `v${index}`);
    const statement = `SELECT ${names.map((name) => `{${name}:String} AS ${name}`).join(', ')}`;
    const given = HOSTILE.flatMap((value, index) => ['--param', `v${index}=${value}`]);
    const { code, stdout, stderr } = await query(statement, '--format', 'JSONEachRow', ...given);
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toEqual(
      Object.fromEntries(HOSTILE.map((value, index) => [`v${index}`, value])),
    );
  });

  it('takes the type from the statement', async () => {
    const { stdout } = await query(
      ...['SELECT toTypeName({n:UInt8}) AS type, {n:UInt8} + 1 AS sum, {many:Array(String)} AS list'],
      ...['--format', 'JSONEachRow', '--param', 'n=41', '--param', "many=['a','b c']"],
    );
    expect(JSON.parse(stdout)).toEqual({ type: 'UInt8', sum: 42, list: ['a', 'b c'] });
  });

  it('names every parameter without a value, and the option that gives it', async () => {
    const { code, stdout, stderr } = await query(
      ...['SELECT {tenant:String}, {actor:String}, {given:String}', '--param', 'given=x'],
    );
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('no value for tenant, actor: add --param tenant=... --param actor=...');
  });

  it('puts no value where a name belongs', async () => {
    const { code } = await query('SELECT * FROM {t:String}', '--param', 't=custody.entries');
    expect(code).not.toBe(0);
  });
});

it('finds the rows of the value alone', async () => {
  const count = async (tenant: string) => {
    const words = [
      "SELECT count() AS n FROM custody.entries WHERE kind = 'event' AND tenant = {tenant:String}",
      '--json',
    ];
    const { stdout } = await captured(
      'query',
      ...words,
      '-d',
      arena.directory,
      '--param',
      `tenant=${tenant}`,
    );
    return Number((JSON.parse(stdout) as { data: { n: unknown }[] }).data[0]?.n);
  };
  expect(await count('acme')).toBe(3);
  expect(await count("acme' OR '1' = '1")).toBe(0);
});

it.each([
  ['a value without a name', '=x', 'want name=value'],
  ['a name without a value', 'tenant', 'want name=value'],
  ['a name that is none', 'a b=1', 'want name=value'],
  ['a setting', 'x, readonly=0', 'want name=value'],
  ['a name in capitals', 'Tenant=acme', 'want name=value'],
  ['more than fits', `t=${'x'.repeat(5000)}`, 'longer than 4096 bytes'],
])('refuses %s and says why', async (_what, text, sentence) => {
  const { code, stderr } = await captured('query', 'SELECT 1', '--param', text, '-d', arena.directory);
  expect(code).toBe(2);
  expect(stderr).toContain(`cannot use --param: `);
  expect(stderr).toContain(sentence);
});

it('refuses two values for one name', async () => {
  const { code, stderr } = await captured('query', 'SELECT {t:String}', '--param', 't=1', '--param', 't=2');
  expect([code, stderr]).toEqual([2, expect.stringContaining('t is given twice')]);
});
