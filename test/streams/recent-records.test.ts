import { expect, test } from 'vitest';
import { createRecentRecords } from '../../streams/embedded/recent-records.ts';

const record = (offset: bigint, bytes: number) => ({
  partition: 0,
  offset,
  appendTimeMs: 0,
  key: 'a',
  value: Buffer.alloc(bytes),
});

test('the newest records are found by offset, older ones than the byte bound are not', () => {
  const recent = createRecentRecords(1000);
  for (let offset = 5n; offset < 105n; offset++) recent.push(record(offset, 100));
  expect(recent.at(104n)?.offset).toBe(104n);
  expect(recent.at(95n)?.offset).toBe(95n);
  expect(recent.at(94n)).toBeUndefined();
  expect(recent.at(105n)).toBeUndefined();
});

test('a record larger than the bound is not kept', () => {
  const recent = createRecentRecords(1000);
  recent.push(record(0n, 100));
  recent.push(record(1n, 2000));
  expect(recent.at(0n)).toBeUndefined();
  expect(recent.at(1n)).toBeUndefined();
  recent.push(record(2n, 10));
  expect(recent.at(2n)?.offset).toBe(2n);
});
