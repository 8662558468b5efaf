import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessDetectors } from '../../detectors/access-detectors.ts';
import { contentDetectors } from '../../detectors/content-detectors.ts';
import { operationsDetectors } from '../../detectors/operations-detectors.ts';
import { configSchema } from '../../schemas/config.ts';
import { startStore, type StoreHarness } from '../sinks/store/ledger-harness.ts';
import { detectConfig } from './sessions.ts';

const directory = fileURLToPath(new URL('../../docs/detectors/', import.meta.url));
const pages = readdirSync(directory)
  .filter((name) => name.endsWith('.md') && name !== 'README.md')
  .map((name): [string, string] => [name.slice(0, -3), readFileSync(directory + name, 'utf8')]);

let harness: StoreHarness;
beforeAll(async () => {
  harness = await startStore();
});
afterAll(() => harness.close());

/** SQL blocks of a page, with something put in for its parameters. */
const queriesOf = (page: string) =>
  [...page.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, sql = '']) =>
    sql.replace(/\{\w+:String\}/g, "'acme'"),
  );

/** Rows `key | default` of a page's table. */
const settingsOf = (page: string) =>
  [...page.matchAll(/^\| `(detect\.[a-z0-9_.]+)` \| ([^|]+) \|/gm)].map(([, key = '', value = '']) => [
    key,
    value.trim(),
  ]);

describe.each(pages)('the page of %s', (_id, page) => {
  it('has queries that run', async () => {
    for (const sql of queriesOf(page)) await expect(harness.rows(sql)).resolves.toBeInstanceOf(Array);
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
