import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refillLedger } from '../../sinks/store/refill.ts';
import { attack } from '../attack-catalogue.ts';
import { verifies } from '../requirements.ts';
import { type Arena, dayText, DEPLOYMENT, startArena, writeSixDays } from './retention-harness.ts';

let arena: Arena;
beforeEach(async () => {
  arena = await startArena();
  await writeSixDays(arena);
});
afterEach(() => arena.close());

const mutate = (statement: string) => arena.mutate(`${statement} SETTINGS mutations_sync = 2`);
const leaves = () => arena.rows('SELECT log, seq, lower(hex(leaf)) FROM custody.entries ORDER BY log, seq');
const refill = (dryRun: boolean) =>
  refillLedger({ log: arena.log, store: arena.store, deployment: DEPLOYMENT, dryRun });

describe('the ledger after a restart refuses', () => {
  it('a log whose first entries are gone and were not announced to go', async () => {
    verifies('P4');
    await arena.mutate(`ALTER TABLE custody.entries DROP PARTITION '${dayText(0)}'`);
    await arena.restartWriter();
    await expect
      .poll(() => arena.refused.map(({ message }) => message))
      .toContainEqual(
        expect.stringMatching(/GAP: log .* begins at seq 4, its first entries were not announced to go/),
      );
    attack(7, 'writer', 'refused');
    attack(31, 'writer', 'refused');
  });

  it('a log that is gone and whose announcement is gone too', async () => {
    verifies('P4');
    await arena.prune();
    const log = arena.logOf('globex');
    await mutate(`ALTER TABLE custody.anchor_entries DELETE WHERE type = 'pruned' AND log = '${log}'`);
    await arena.restartWriter();
    await expect
      .poll(() => arena.refused.map(({ message }) => message))
      .toContainEqual(
        expect.stringContaining(`ROLLBACK: log ${log} was written up to seq 6, the store has none of it`),
      );
  });

  it('more being gone than was announced', async () => {
    verifies('P4');
    await arena.prune();
    await arena.mutate(`ALTER TABLE custody.entries DROP PARTITION '${dayText(2)}'`);
    await arena.restartWriter();
    await expect
      .poll(() => arena.refused.map(({ message }) => message))
      .toContainEqual(expect.stringMatching(/GAP: log .* begins at seq 10/));
  });
});

describe('refill after retention', () => {
  it('finds a store whole of which whole logs are gone by right', async () => {
    await arena.prune();
    await arena.stopWriter();
    expect((await refill(false)).map(({ entries }) => entries)).toEqual([0, 0]);
  });

  it('puts back an end that was lost, also of a log that had begun again', async () => {
    verifies('P3');
    await arena.prune();
    arena.setDay(6);
    await arena.write(['globex', 'acme']);
    const before = await leaves();
    await arena.stopWriter();
    await arena.mutate(`ALTER TABLE custody.entries DROP PARTITION '${dayText(6)}'`);
    const reports = await refill(false);
    expect(reports.map(({ entries }) => entries)).toEqual([6, 2]);
    expect(await leaves()).toEqual(before);
    await arena.restartWriter();
    await arena.write(['globex']);
    expect(arena.refused).toEqual([]);
  });
});
