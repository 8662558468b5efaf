import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { growRange } from '../../evidence/merkle/compact-range.ts';
import { attack, twin } from '../attack-catalogue.ts';
import { verifies } from '../requirements.ts';
import { type Arena, dayText, holdAct, startArena, writeSixDays } from './retention-harness.ts';

// Attack 31, and its legitimate twins (44).

let arena: Arena;
beforeEach(async () => {
  arena = await startArena();
});
afterEach(() => arena.close());

/** The notary has signed at the end of every day. */
async function signedDays(): Promise<void> {
  for (let day = 0; day < 6; day++) {
    arena.setDay(day);
    await arena.write(day < 2 ? ['acme', 'globex'] : ['acme']);
    await arena.sign();
  }
}
const drop = (day: number) => arena.mutate(`ALTER TABLE custody.entries DROP PARTITION '${dayText(day)}'`);
async function cutOf(
  log: string,
  firstSeq: number,
): Promise<{ first_seq: string; leaf: string; range: string[] }> {
  const leaves = await arena.rows(
    `SELECT lower(hex(leaf)) FROM custody.entries WHERE log = '${log}' AND seq < ${firstSeq} ORDER BY seq`,
  );
  const tree = growRange();
  for (const [leaf = ''] of leaves) tree.append(Buffer.from(leaf, 'hex'));
  const range = tree.hashes.map((hash) => Buffer.from(hash).toString('hex'));
  return { first_seq: String(firstSeq), leaf: leaves.at(-1)?.[0] ?? '', range };
}
const causes = async (): Promise<string[]> => {
  const { verdict, findings } = await arena.verify();
  expect(verdict).toBe(findings.length === 0 ? 'valid' : 'invalid');
  return [...new Set(findings.map(({ cause }) => cause))].sort();
};

describe('a store of which retention removed days', () => {
  it('verifies, also beside an interrupted run and when new entries came', async () => {
    verifies('P4');
    await signedDays();
    const { dropper } = arena.parts();
    let calls = 0;
    const once = {
      dropDay: (day: number) =>
        calls++ === 0 ? dropper.dropDay(day) : Promise.reject(new Error('the test ends the run')),
    };
    await expect(arena.prune({ dropper: once })).rejects.toThrow('the test ends the run');
    expect(await arena.days()).toEqual([1, 2, 3, 4, 5]);
    expect(await causes()).toEqual([]);
    await arena.prune();
    expect(await causes()).toEqual([]);
    arena.setDay(6);
    await arena.write(['acme', 'globex']);
    expect(await causes()).toEqual([]);
    await arena.sign();
    await arena.prune();
    expect(await arena.days()).toEqual([3, 4, 5, 6]);
    expect(await causes()).toEqual([]);
    for (const number of [7, 31, 34, 44] as const) twin(number, 'process');
  });
});

describe('a day that somebody dropped by hand is found', () => {
  it('when it is old and nothing announced it', async () => {
    verifies('P4');
    await signedDays();
    await drop(0);
    const { findings } = await arena.verify();
    expect(findings).toContainEqual(
      expect.objectContaining({ cause: 'UNAUTHORISED_PRUNE', log: arena.logOf('acme'), seq: '0' }),
    );
    await expect(arena.prune()).rejects.toThrow(/HEAD_MISSING/);
    attack(31, 'process', 'UNAUTHORISED_PRUNE');
  });

  it('when it is young, or beyond what was announced', async () => {
    verifies('P4');
    await signedDays();
    await arena.prune();
    await drop(2);
    const { findings } = await arena.verify();
    expect(findings).toContainEqual(
      expect.objectContaining({ cause: 'UNAUTHORISED_PRUNE', log: arena.logOf('acme'), seq: '7' }),
    );
    attack(31, 'process', 'UNAUTHORISED_PRUNE');
  });

  it('when it is in the middle or the newest', async () => {
    verifies('P4');
    await signedDays();
    await drop(3);
    expect(await causes()).toContain('GAP');
    await drop(5);
    expect(await causes()).toContain('TRUNCATED');
    attack(31, 'process', 'GAP', 'TRUNCATED');
  });

  it('when it is under a legal hold, even if somebody had it announced', async () => {
    verifies('P4');
    await writeSixDays(arena);
    await arena.sign([holdAct('h1')]);
    // Everything about the announcement is right, but for the hold.
    await arena.sign([
      {
        type: 'pruned',
        log: arena.logOf('acme'),
        ...(await cutOf(arena.logOf('acme'), 7)),
        day: dayText(1),
        retention_days: 3,
        operator: 'somebody',
        reason: 'none',
      },
    ]);
    await drop(0);
    await drop(1);
    expect(await causes()).toContain('UNAUTHORISED_PRUNE');
    attack(31, 'process', 'UNAUTHORISED_PRUNE');
  });
});
