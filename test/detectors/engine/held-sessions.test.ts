import { expect, test } from 'vitest';
import type { SessionRecord, TenantRecord } from '../../../detectors/engine/engine-state.ts';
import { holdSession } from '../../../detectors/engine/held-sessions.ts';
import { weightOf } from '../../../detectors/engine/weight.ts';

const tenant = (streamMs = 0) => ({ held: [], streamMs }) as unknown as TenantRecord;
const session = (key: string) =>
  ({ key, incidents: new Map([['i', 'undecided']]) }) as unknown as SessionRecord;

test('a weight counts characters, bytes and members of all plain data', () => {
  expect(weightOf('abcd')).toBe(16);
  expect(weightOf([1, undefined, null, true])).toBe(40);
  expect(weightOf(new Uint8Array(100))).toBe(108);
  expect(weightOf(new Map([['ab', new Set([1, 2])]]))).toBe(8 + 12 + 24);
  expect(weightOf({ a: { b: 'cd' } })).toBe(8 + 8 + 12);
});

test('of many small sessions the latest thirty-two wait', () => {
  const of = tenant();
  const gone = Array.from({ length: 40 }, (_, index) => holdSession(of, session(`s${index}`), [index]));
  expect(gone.reduce((sum, each) => sum + each)).toBe(8);
  expect(of.held.map(({ key }) => key)).toEqual(Array.from({ length: 32 }, (_, index) => `s${index + 8}`));
});

test('of large ones as many as half a megabyte holds, and the latest in any case', () => {
  const of = tenant();
  const large = () => ['x'.repeat(100 * 1024)];
  for (let index = 0; index < 5; index += 1) holdSession(of, session(`s${index}`), large());
  expect(of.held.map(({ key }) => key)).toEqual(['s3', 's4']);
  expect(holdSession(of, session('huge'), ['x'.repeat(1024 * 1024)])).toBe(2);
  expect(of.held.map(({ key }) => key)).toEqual(['huge']);
});

test('none waits longer than thirty days', () => {
  const of = tenant();
  holdSession(of, session('old'), []);
  of.streamMs = 30 * 24 * 3_600_000 + 1;
  expect(holdSession(of, session('new'), [])).toBe(1);
  expect(of.held.map(({ key }) => key)).toEqual(['new']);
});
