import { describe, expect, it } from 'vitest';
import { ANCHOR_SCHEMA, type AnchorAct } from '../../../evidence/anchor-log/entry.ts';
import { pruneHistory } from '../../../evidence/anchor-log/pruned.ts';
import { subtreesOf } from '../../../evidence/merkle/compact-range.ts';

const who = { operator: 'retention', reason: 'retention of 90 days' };
const hashes = (count: number) => Array.from({ length: count }, (_, at) => at.toString(16).padStart(64, '0'));

function pruned(log: string, firstSeq: bigint, day: string, change: object = {}): AnchorAct {
  const range = hashes(subtreesOf(0n, firstSeq).length);
  const leaf = firstSeq.toString(16).padStart(64, 'a');
  const act = { ...who, type: 'pruned' as const, log, first_seq: String(firstSeq), leaf, range, day };
  return { ...act, retention_days: 90, ...change };
}
const hold = (
  hold_id: string,
  days: { from_day?: string; to_day?: string; tenant?: string } = {},
): AnchorAct => ({
  ...who,
  type: 'hold',
  hold_id,
  ...days,
});
const released = (hold_id: string): AnchorAct => ({ ...who, type: 'hold_released', hold_id });
const done = (day: string): AnchorAct => ({ ...who, type: 'prune_done', day });

function history(...acts: AnchorAct[]) {
  return pruneHistory(
    acts.map((act, at) => ({
      seq: BigInt(at),
      entry: { schema: ANCHOR_SCHEMA, time_ms: at, ...act },
    })),
  );
}

describe('what was announced to be removed', () => {
  it('is the newest announcement of each log, with the compact range to go on from', () => {
    const { starts, doneDay, refused } = history(
      pruned('d/a/t-0/0', 5n, '2026-01-01'),
      pruned('d/b/t-0/0', 3n, '2026-01-01'),
      done('2026-01-01'),
      pruned('d/a/t-0/0', 12n, '2026-01-02'),
    );
    expect(refused).toEqual([]);
    expect(doneDay).toBe('2026-01-01');
    expect(starts.get('d/a/t-0/0')).toMatchObject({
      firstSeq: 12n,
      leaf: 'c'.padStart(64, 'a'),
      day: '2026-01-02',
      anchorSeq: 3n,
      range: { begin: 0n, end: 12n },
    });
    expect(starts.get('d/a/t-0/0')?.range.hashes.map((hash) => Buffer.from(hash).toString('hex'))).toEqual(
      hashes(2),
    );
    expect(starts.get('d/b/t-0/0')?.firstSeq).toBe(3n);
  });

  it('may be announced twice in the same words, as after a crash', () => {
    const { starts, refused } = history(pruned('l', 5n, '2026-01-01'), pruned('l', 5n, '2026-01-01'));
    expect(refused).toEqual([]);
    expect(starts.get('l')?.firstSeq).toBe(5n);
  });

  it('is never taken back: an announcement of fewer entries, an earlier day or another leaf does not count', () => {
    const { starts, refused } = history(
      pruned('l', 5n, '2026-01-02'),
      pruned('l', 4n, '2026-01-03'),
      pruned('l', 6n, '2026-01-01'),
      pruned('l', 5n, '2026-01-02', { leaf: 'e'.repeat(64) }),
    );
    expect(refused.map(({ anchorSeq, fault }) => [anchorSeq, fault])).toEqual([
      [1n, 'CONTRADICTION'],
      [2n, 'CONTRADICTION'],
      [3n, 'CONTRADICTION'],
    ]);
    expect(starts.get('l')).toMatchObject({ firstSeq: 5n, day: '2026-01-02' });
  });

  it('has exactly the hashes that its entries need', () => {
    const { starts, refused } = history(
      pruned('short', 7n, '2026-01-01', { range: hashes(2) }),
      pruned('long', 8n, '2026-01-01', { range: hashes(2) }),
      pruned('nothing', 0n, '2026-01-01'),
    );
    expect(refused.map(({ log, fault }) => [log, fault])).toEqual([
      ['short', 'RANGE'],
      ['long', 'RANGE'],
      ['nothing', 'RANGE'],
    ]);
    expect(starts.size).toBe(0);
  });
});

describe('a legal hold', () => {
  it('makes an announcement over its days count for nothing, whosever log it is', () => {
    const { starts, refused } = history(hold('h1', { tenant: 'b' }), pruned('d/a/t-0/0', 5n, '2026-01-01'));
    expect(refused).toMatchObject([{ anchorSeq: 1n, log: 'd/a/t-0/0', fault: 'HELD' }]);
    expect(refused[0]?.detail).toContain('h1');
    expect(starts.size).toBe(0);
  });

  it('of later days leaves earlier ones alone, and one of days long gone leaves the next ones alone', () => {
    const first = pruned('l', 5n, '2026-01-05');
    expect(history(hold('later', { from_day: '2026-01-06' }), first).refused).toEqual([]);
    expect(
      history(first, hold('gone', { to_day: '2026-01-05' }), pruned('l', 9n, '2026-01-06')).refused,
    ).toEqual([]);
    expect(history(hold('edge', { from_day: '2026-01-05' }), first).refused).toHaveLength(1);
    expect(
      history(first, hold('edge', { to_day: '2026-01-06' }), pruned('l', 9n, '2026-01-06')).refused,
    ).toHaveLength(1);
  });

  it('counts from its entry to its release', () => {
    const act = pruned('l', 5n, '2026-01-01');
    expect(history(act, hold('after')).refused).toEqual([]);
    expect(history(hold('before'), released('before'), act).refused).toEqual([]);
    expect(history(hold('one'), hold('two'), released('one'), act).refused).toMatchObject([
      { fault: 'HELD' },
    ]);
  });

  it('is not shortened by a second one of the same id', () => {
    const act = pruned('l', 5n, '2026-01-01');
    expect(history(hold('h'), hold('h', { from_day: '2027-01-01' }), act).refused).toHaveLength(1);
  });
});
