import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cliPath } from '../support/pipeline-process.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
/** The commands of the table in the README, without their arguments, and those of `keys`. */
const commands = [...readme.matchAll(/^\| `custody ([a-z]+(?: check)?)/gm)].map(([, words = '']) => words);
const help = (words: string) =>
  spawnSync(process.execPath, [cliPath, ...words.split(' '), '--help'], { encoding: 'utf8' });

test('the README names every command there is', () => {
  const [, section = ''] = help('').stdout.split(/^(?:Commands|Examples):$/m);
  const all = [...section.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name);
  expect(all.length).toBeGreaterThan(10);
  expect(commands.map((words) => words.split(' ')[0]).sort()).toEqual(
    all.filter((name) => name !== 'help').sort(),
  );
});

/** Commands a help text lists; none for a command that does something itself. */
const partsOf = (text: string) => {
  const [, section = ''] = text.split(/^(?:Commands|Examples):$/m);
  const names = [...section.matchAll(/^ {2}([a-z-]+)\b/gm)].map(([, name = '']) => name);
  return /^Commands:$/m.test(text) ? names.filter((name) => name !== 'help') : [];
};

test.each(commands)('custody %s, and every part of it, has help with examples, and prints JSON', (words) => {
  const { stdout, status } = help(words);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^Examples:$/m);
  const parts = partsOf(stdout);
  for (const part of parts) {
    const own = help(`${words} ${part}`);
    expect(own.status, part).toBe(0);
    expect(own.stdout, part).toContain('--json');
  }
  // A group prints nothing but what its parts do.
  if (words !== 'tap' && parts.length === 0) expect(stdout).toContain('--json');
});
