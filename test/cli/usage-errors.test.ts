import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { newProgram } from '../../cli/program.ts';
import { captured } from './captured.ts';

const program = await newProgram(() => undefined);
/** Words of each command line, groups and the parts below them. */
const linesOf = (command: Command, words: readonly string[]): string[][] =>
  command.commands.flatMap((part) => {
    const line = [...words, part.name()];
    return [line, ...linesOf(part, line)];
  });
const lines = linesOf(program, []);

describe('a wrong command line ends with the exit code for usage', () => {
  it('and there are groups with parts to try', () => {
    expect(lines.filter((line) => line.length > 1).length).toBeGreaterThan(20);
  });

  it.each(program.commands.map((command) => command.name()))(
    'custody %s is found by its name alone, and then no other is loaded',
    async (name) => {
      const alone = await newProgram(() => undefined, name);
      expect(alone.commands.map((command) => command.name())).toEqual([name]);
    },
  );

  it.each(['constructor', 'nonsense', '--help'])('for %s every command is there', async (word) => {
    expect((await newProgram(() => undefined, word)).commands.length).toBe(program.commands.length);
  });

  it.each(lines.map((line) => [line.join(' '), line] as const))(
    'custody %s --no-such-option',
    async (_name, line) => {
      const { code, stdout, stderr } = await captured(...line, '--no-such-option');
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain('error: ');
    },
  );

  it.each(program.commands.filter((group) => group.commands.length > 0).map((group) => group.name()))(
    'custody %s no-such-part',
    async (group) => expect((await captured(group, 'no-such-part')).code).toBe(2),
  );
});
