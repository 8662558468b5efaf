import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { captured } from './captured.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'custody-tap-'))));
afterEach(() => rmSync(dir, { recursive: true }));

it.each<[string, readonly string[], RegExp]>([
  ['a file that is not there', ['--intent-file', 'none.txt'], /cannot read intent .*none\.txt: ENOENT/],
  ['a file that is no task', ['--intent-file', 'large.txt'], /cannot use intent .*large\.txt: larger than/],
  ['two tasks', ['--intent', 'x', '--intent-file', 'large.txt'], /cannot be used with/],
  ['a wrong configuration', ['--config', 'wrong.yaml'], /ingest\.provenance/],
])('ends before the server starts, with the exit code for usage: %s', async (_what, more, message) => {
  writeFileSync(join(dir, 'large.txt'), 'x'.repeat(1024 * 1024 + 1));
  writeFileSync(join(dir, 'wrong.yaml'), 'ingest: { provenance: { enabled: maybe } }\n');
  const started = join(dir, 'started');
  const server = [process.execPath, '-e', `require('fs').writeFileSync(${JSON.stringify(started)}, '')`];
  const words = more.map((word) => (/\.(?:txt|yaml)$/.test(word) ? join(dir, word) : word));
  const { code, stderr } = await captured(
    ...['tap', '--server', 's', '--data-dir', dir, ...words, '--', ...server],
  );
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
  expect(existsSync(started)).toBe(false);
});
