import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requirements } from './requirements.ts';

const testFiles = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.test.ts') && !file.includes('node_modules'),
);

test('every promise has a test that tries to break it', () => {
  const cited = new Set<string>();
  for (const file of testFiles) {
    const text = readFileSync(join(import.meta.dirname, file), 'utf8');
    for (const [, list] of text.matchAll(/verifies\(([^)]*)\)/g)) {
      for (const [, id] of (list ?? '').matchAll(/'([^']+)'/g)) cited.add(id ?? '');
    }
  }
  expect(Object.keys(requirements).filter((id) => !cited.has(id))).toEqual([]);
  expect([...cited].filter((id) => !(id in requirements))).toEqual([]);
});
