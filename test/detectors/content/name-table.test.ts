import { expect, test } from 'vitest';
import { holderOf, newNameTable, noteName, rivalsOf } from '../../../detectors/content/name-table.ts';

const holder = (server: string, tool: string) => ({
  server,
  tool,
  sinceMs: 0,
  eventId: 'e',
  digest: undefined,
});

test('two thousand tools of common names are all remembered', () => {
  const table = newNameTable();
  for (let index = 0; index < 2000; index += 1)
    noteName(table, holder(`server-${index % 90}`, `do_something_${index}`), 6, false);
  expect(table.names.size).toBe(2000);
});

test('of names of hundreds of characters the latest are remembered, and what is counted is what is there', () => {
  const table = newNameTable();
  const long = (index: number) => `${index}`.padEnd(250, 'x');
  for (let index = 0; index < 3000; index += 1) noteName(table, holder(long(-index), long(index)), 6, false);
  const chars = [...table.names].reduce(
    (sum, [folded, { holders }]) =>
      sum +
      2 * folded.length +
      holders.reduce((own, { server, tool }) => own + server.length + tool.length, 0),
    0,
  );
  expect(table.chars).toBe(chars);
  expect(chars).toBeLessThanOrEqual(192 * 1024);
  expect(table.names.size).toBeGreaterThan(100);
  const folded = noteName(table, holder('ours', long(2999)), 6, false);
  expect(holderOf(table, folded, long(-2999), long(2999))).toBeDefined();
  expect(rivalsOf(table, folded, 'ours')).toHaveLength(1);
});
