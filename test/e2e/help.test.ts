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

test.each([...commands, 'keys new', 'keys show'])(
  'custody %s has help with examples, and prints JSON',
  (words) => {
    const { stdout, status } = help(words);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Examples:$/m);
    if (words !== 'tap' && words !== 'keys') expect(stdout).toContain('--json');
  },
);
