import { expect, it } from 'vitest';
import { verifies } from '../requirements.ts';
import { firstDifference, type Placed } from './same-bytes.ts';

const placed = (seq: number, body: string): Placed => ({
  place: `log a seq ${seq}`,
  columns: { kind: 'event', body: Buffer.from(body) },
});
const run = [placed(0, 'genesis'), placed(1, 'one'), placed(2, 'two')];

it('finds no difference between a run and a copy of it', () => {
  const copy = run.map(({ place, columns }) => ({ place, columns: { ...columns } }));
  expect(firstDifference(run, copy)).toBeUndefined();
});

it('names the place, the column and the byte of one changed bit', () => {
  verifies('P3', 'P9');
  const changed = Buffer.from('two');
  changed[1] = changed.readUInt8(1) ^ 1;
  const other = [...run.slice(0, 2), { place: 'log a seq 2', columns: { kind: 'event', body: changed } }];
  expect(firstDifference(run, other)).toBe('log a seq 2: body differs at byte 1');
});

it.each<[string, Placed[], string]>([
  ['a missing end', run.slice(0, 2), 'log a seq 2: missing, there are only 2'],
  ['something more', [...run, placed(3, 'x')], 'log a seq 3: nothing was expected after 3'],
  ['a gap', [placed(0, 'genesis'), placed(2, 'two')], 'log a seq 1: in its stead log a seq 2'],
  ['another order', [placed(1, 'one'), placed(0, 'genesis')], 'log a seq 0: in its stead log a seq 1'],
  ['a shorter body', [placed(0, 'genesi')], 'log a seq 0: body differs at byte 6'],
  [
    'a column less',
    [{ place: 'log a seq 0', columns: { body: 'genesis' } }],
    'log a seq 0: kind differs at byte 0',
  ],
])('names the place of %s', (_name, other, difference) => {
  expect(firstDifference(run, other)).toBe(difference);
});
