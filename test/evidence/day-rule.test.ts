import { expect, test } from 'vitest';
import { createDayRule } from '../../evidence/day-rule.ts';
import { verifies } from '../requirements.ts';

const DAY_MS = 86_400_000n;
const DAY = 20_700;

interface Told {
  readonly tenant?: string;
  readonly topic?: string;
  readonly offset: number;
  readonly appended: number;
  readonly day: number;
}

/** Seqs of rows whose day is wrong, from rows in the order of a store: log by log. */
function violations(...rows: readonly Told[]): string[] {
  const rule = createDayRule();
  for (const [at, { tenant = 'acme', topic = 't-events', offset, appended, day }] of rows.entries())
    rule.push({
      ...{ log: `test/${tenant}/${topic}-0/0`, seq: BigInt(at), topic, partition: 0 },
      ...{ offset: BigInt(offset), appendTimeMs: BigInt(appended) * DAY_MS + 5n, day },
    });
  return rule.violations().map(({ seq, detail }) => `${seq} ${detail}`);
}
const row = (offset: number, appended: number, day = appended): Told => ({ offset, appended, day });
const NO_REASON = 'no earlier record of the partition was on that day';

test('a clock that went back keeps the latest day of the partition, also when another tenant had it', () => {
  expect(violations(row(1, DAY + 1), row(2, DAY, DAY + 1), row(3, DAY + 2))).toEqual([]);
  expect(violations(row(5, DAY, DAY + 1), { ...row(4, DAY + 1), tenant: 'globex' })).toEqual([]);
  // The lowest offset of the day decides, in whatever order the logs come.
  const globex = [4, 9].map((offset) => ({ ...row(offset, DAY + 1), tenant: 'globex' }));
  expect(violations(row(5, DAY, DAY + 1), ...globex)).toEqual([]);
  expect(
    violations(
      row(9, DAY + 1),
      { ...row(4, DAY + 1), tenant: 'b' },
      { ...row(5, DAY, DAY + 1), tenant: 'c' },
    ),
  ).toEqual([]);
});

test('a day that no earlier record of the partition had is wrong', () => {
  verifies('P4');
  expect(violations(row(1, DAY, DAY + 1))).toEqual([`0 ${NO_REASON}`]);
  expect(violations(row(5, DAY, DAY + 1), row(6, DAY + 1))).toEqual([`0 ${NO_REASON}`]);
  expect(violations({ ...row(1, DAY + 1), topic: 't-alerts' }, row(5, DAY, DAY + 1))).toEqual([
    `1 ${NO_REASON}`,
  ]);
  // Not one day for another.
  expect(violations(row(1, DAY + 1), row(2, DAY, DAY + 2))).toEqual([`1 ${NO_REASON}`]);
});

test('a day before the append time is wrong whatever came before', () => {
  verifies('P4');
  expect(violations(row(1, DAY), row(2, DAY + 1, DAY))).toEqual(['1 the day is before the append time']);
});

test('of very many rows that need a reason so many are remembered', () => {
  verifies('P10');
  const rows = Array.from({ length: 10_100 }, (_, at) => row(at, DAY, DAY + 1));
  expect(violations(...rows)).toHaveLength(10_000);
});
