import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { createMetrics } from '../../runtime/metrics.ts';
import { pathOf, textOf } from './tools.ts';

const pages = ['compose', 'kubernetes', 'running', 'backup'].map((name) => `docs/operations/${name}.md`);
const blocks = (text: string, language: string) =>
  [...text.matchAll(/```(\w+)\n([\s\S]*?)```/g)]
    .filter((match) => match[1] === language)
    .map((match) => match[2]!);

test.each(pages)('%s shows YAML that can be read', (page) => {
  for (const block of blocks(textOf(page), 'yaml')) {
    for (const document of parseAllDocuments(block))
      expect('errors' in document ? document.errors : []).toEqual([]);
  }
});

test.each(pages)('%s names files that exist', (page) => {
  const named = [...textOf(page).matchAll(/`?\b((?:deploy|test|pipeline)\/[\w./-]+\w)/g)].map(
    (match) => match[1]!,
  );
  expect(named.length).toBeGreaterThan(0);
  for (const path of named) expect(existsSync(pathOf(path)), path).toBe(true);
});

test.each(pages)('%s links to pages that exist', (page) => {
  const links = [...textOf(page).matchAll(/\]\(([^):#]+)(?:#[\w-]+)?\)/g)].map((match) => match[1]!);
  expect(links.length).toBeGreaterThan(0);
  for (const link of links) expect(existsSync(pathOf(join(dirname(page), link))), link).toBe(true);
});

test.each(pages)('%s names commands the program has', (page) => {
  const commands = new Set([...textOf(page).matchAll(/`custody ([a-z]+)/g)].map((match) => match[1]!));
  const sources = readdirSync(pathOf('cli')).map((name) => textOf(`cli/${name}`));
  const known = sources.flatMap((text) =>
    [...text.matchAll(/new Command\('([a-z]+)'\)/g)].map(([, name]) => name),
  );
  for (const command of commands) expect(known).toContain(command);
});

test.each(pages)('%s names metrics the program has', async (page) => {
  const known = await createMetrics().registry.metrics();
  for (const [name] of textOf(page).matchAll(/\bcustody_[a-z]+_[a-z_]+(records|total|seconds|entries)\b/g)) {
    expect(known).toContain(`# TYPE ${name} `);
  }
});
