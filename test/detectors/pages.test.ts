import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parameterNames, readParameter } from '../../cli/query-parameters.ts';
import { openSqlAccess, type SqlAccess } from '../../cli/sql-access.ts';
import { accessDetectors } from '../../detectors/access-detectors.ts';
import { contentDetectors } from '../../detectors/content-detectors.ts';
import { operationsDetectors } from '../../detectors/operations-detectors.ts';
import { configSchema } from '../../schemas/config.ts';
import { openChdbStore } from '../../sinks/store/chdb-store.ts';
import { detectConfig } from './sessions.ts';

const directory = fileURLToPath(new URL('../../docs/detectors/', import.meta.url));
const pages = readdirSync(directory)
  .filter((name) => name.endsWith('.md') && name !== 'README.md')
  .map((name): [string, string] => [name.slice(0, -3), readFileSync(directory + name, 'utf8')]);

let dataDir: string;
let sql: SqlAccess;
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'custody-pages-'));
  await (await openChdbStore({ path: join(dataDir, 'store') })).close();
  sql = await openSqlAccess(configSchema.parse({ data_dir: dataDir }));
});
afterAll(async () => {
  await sql.close();
  rmSync(dataDir, { recursive: true, force: true });
});

/** SQL blocks of a page. */
const queriesOf = (page: string) =>
  [...page.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, statement = '']) => statement);

/** A value for each parameter, as `custody query --param` reads them. */
const valuesOf = (statement: string) =>
  parameterNames(statement).reduce<Readonly<Record<string, string>>>(
    (values, name) => readParameter(`${name}=acme`, values),
    {},
  );

/** Rows `key | default` of a page's table. */
const settingsOf = (page: string) =>
  [...page.matchAll(/^\| `(detect\.[a-z0-9_.]+)` \| ([^|]+) \|/gm)].map(([, key = '', value = '']) => [
    key,
    value.trim(),
  ]);

describe.each(pages)('the page of %s', (_id, page) => {
  it('has queries that run', async () => {
    for (const statement of queriesOf(page)) {
      const answer = await sql.query(statement, { format: 'JSON', parameters: valuesOf(statement) });
      expect(await answer.json()).toMatchObject({ rows: expect.any(Number) as number });
    }
  });

  it('gives settings that exist, with their defaults', () => {
    const config: unknown = configSchema.parse({});
    for (const [key = '', value] of settingsOf(page)) {
      const found = key
        .split('.')
        .reduce<unknown>((part, name) => (part as Record<string, unknown> | undefined)?.[name], config);
      expect([key, String(found)]).toEqual([key, value?.replaceAll('`', '')]);
    }
  });
});

it.each([
  ...[accessDetectors, contentDetectors, operationsDetectors].flatMap((detectors) =>
    detectors(detectConfig()).map(({ id }) => id),
  ),
  'scope-drift',
  'loop',
  'receipt-gap',
])('%s has a page with a query and its settings', (id) => {
  const page = new Map(pages).get(id) ?? '';
  expect(queriesOf(page)).not.toEqual([]);
  expect(settingsOf(page).map(([key]) => key)).toContain(`detect.${id.replaceAll('-', '_')}.enabled`);
  for (const part of ['Sees', 'Normal', 'Does not see', 'Evasion', 'When it fires'])
    expect(page).toContain(`**${part}.**`);
});
