import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { builtInDetectors } from '../../detectors/built-in.ts';
import { detectConfig } from './sessions.ts';

const directory = new URL('../../docs/detectors/', import.meta.url);
const pageOf = (id: string) => readFileSync(new URL(`${id}.md`, directory), 'utf8');
const detectors = builtInDetectors(detectConfig());
const ids = [...detectors.map(({ id }) => id), 'rules'].sort();
const rows = [...pageOf('README').matchAll(/^\| \[([a-z-]+)\]\(\1\.md\) \|(.*)\|$/gm)].map(
  ([, id = '', cells = '']) => {
    const [kind = '', sees = '', severity = '', learns = ''] = cells.split(' | ').map((cell) => cell.trim());
    return { id, kind, sees, severity, learns };
  },
);

describe('docs/detectors/README.md', () => {
  it('lists every detector once, and nothing else', () => {
    expect(rows.map(({ id }) => id).sort()).toEqual(ids);
  });

  it('lists every page', () => {
    const pages = readdirSync(directory).flatMap((name) =>
      name.endsWith('.md') && name !== 'README.md' ? [name.slice(0, -3)] : [],
    );
    expect(pages.sort()).toEqual(ids);
  });

  it('gives every kind of detection one detector', () => {
    const kinds = rows.flatMap(({ kind }) => (kind === '' ? [] : [kind]));
    expect(kinds.sort()).toEqual(Array.from({ length: 32 }, (_, at) => `D${at + 1}`).sort());
  });

  it('says what is not seen under the kinds and pages that its tables give', () => {
    const unseen = [...pageOf('README').matchAll(/^\| (D\d[^[|]*) (\[.*\)) \| .+ \|$/gm)].flatMap(
      ([, kinds = '', pages = '']) => {
        const ids = [...pages.matchAll(/\[([a-z-]+)\]\(\1\.md\)/g)].map(([, id = '']) => id);
        return kinds.split(', ').map((kind, at) => [kind, ids[at]]);
      },
    );
    const kindOf = new Map(rows.map(({ id, kind }) => [id, kind]));
    expect(unseen.length).toBeGreaterThan(15);
    for (const [kind, id = ''] of unseen) expect([id, kindOf.get(id)]).toEqual([id, kind]);
  });

  it.each([
    ['unusual-parameters', 'below the top level', 'base85'],
    ['injection-shape', 'GraphQL'],
    ['novel-chain', 'longer orders'],
    ['rate-limit', 'by many actors'],
    ['secret-leak', 'phone numbers'],
    ['budget', 'Unusual spending of a tool'],
  ])('the page of %s says what its detector lacks', (id, ...limits) => {
    const [, unseen = ''] = /\*\*Does not see\.\*\*([\s\S]*?)\n\n/.exec(pageOf(id)) ?? [];
    for (const limit of limits) expect(unseen.toLowerCase()).toContain(limit.toLowerCase());
  });

  it.each(rows.filter(({ id }) => id !== 'rules').map((row) => [row.id, row] as const))(
    'says of %s what its page and its code say',
    (id, { sees, severity, learns }) => {
      expect(sees.length).toBeGreaterThan(20);
      for (const word of severity.split('–')) expect(pageOf(id)).toMatch(new RegExp(`\\b${word}\\b`));
      const learnsAtClose = detectors.some((detector) => detector.id === id && detector.learn !== undefined);
      expect(learns === 'closes').toBe(learnsAtClose);
    },
  );
});

it('the README of the project links every page', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  for (const id of ids) expect(readme).toContain(`[${id}](docs/detectors/${id}.md)`);
});
