import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdOf } from '../../evidence/anchor-log/holds.ts';
import { twin } from '../attack-catalogue.ts';
import {
  announcedIn,
  type Arena,
  dayText,
  expectProvable,
  holdAct,
  START_DAY,
  startArena,
  writeSixDays,
} from './retention-harness.ts';

let arena: Arena;
beforeEach(async () => {
  arena = await startArena();
});
afterEach(() => arena.close());

describe('retention', () => {
  it('removes whole days that are too old, of every tenant, and leaves every signed checkpoint provable', async () => {
    await writeSixDays(arena);
    const before = Number(
      (await arena.rows(`SELECT count() FROM custody.entries WHERE day >= toDate(${START_DAY + 2})`))[0]?.[0],
    );
    const report = await arena.prune();
    expect(report).toMatchObject({ announced: 4, stopped: undefined });
    expect(report.dropped).toEqual([START_DAY, START_DAY + 1]);
    expect(await arena.days()).toEqual([2, 3, 4, 5]);
    expect(await arena.rows('SELECT count() FROM custody.entries')).toEqual([[String(before)]]);
    const { starts, doneDay } = await announcedIn(arena);
    expect(doneDay).toBe(dayText(1));
    // Genesis, and three records on each of two days.
    expect(starts.get(arena.logOf('acme'))).toMatchObject({ firstSeq: 7n, day: dayText(1) });
    expect(starts.get(arena.logOf('globex'))).toMatchObject({ firstSeq: 7n, day: dayText(1) });
    await expectProvable(arena);
  });

  it('has nothing more to do the next time, and goes on from its own cut when more days are old', async () => {
    await writeSixDays(arena);
    await arena.prune();
    const size = arena.signed().anchor.end;
    expect(await arena.prune()).toMatchObject({ announced: 0, dropped: [] });
    expect(arena.signed().anchor.end).toBe(size);
    arena.setDay(7);
    await arena.write(['acme']);
    await arena.sign();
    expect((await arena.prune()).dropped).toEqual([START_DAY + 2, START_DAY + 3]);
    expect((await announcedIn(arena)).starts.get(arena.logOf('acme'))).toMatchObject({
      firstSeq: 13n,
      day: dayText(3),
    });
    await expectProvable(arena);
  });

  it('lets the ledger go on, also of a log that has no entries left, and after a restart', async () => {
    await writeSixDays(arena);
    await arena.prune();
    await arena.restartWriter();
    arena.setDay(6);
    await arena.write(['acme', 'globex', 'initech']);
    expect(arena.refused).toEqual([]);
    const log = arena.logOf('globex');
    expect(
      await arena.rows(`SELECT seq, kind FROM custody.entries WHERE log = '${log}' ORDER BY seq`),
    ).toEqual([
      ['7', 'event'],
      ['8', 'event'],
      ['9', 'event'],
    ]);
    await arena.sign();
    await expectProvable(arena);
    await arena.restartWriter();
    await arena.write(['globex']);
    expect(arena.refused).toEqual([]);
  });

  it('never removes a young day, and is not made to by a clock that is ahead', async () => {
    await writeSixDays(arena);
    expect((await arena.prune({ clockDay: 3 })).dropped).toEqual([]);
    expect((await arena.prune({ clockDay: 100_000 })).dropped).toEqual([START_DAY, START_DAY + 1]);
    expect((await arena.prune({ clockDay: 100_000 })).dropped).toEqual([]);
    twin(26, 'notary');
  });

  it('removes nothing that is not signed, or that the anchors do not have', async () => {
    for (let day = 0; day < 6; day++) {
      arena.setDay(day);
      await arena.write(['acme']);
      if (day === 0) await arena.sign();
    }
    const report = await arena.prune();
    expect(report.dropped).toEqual([START_DAY]);
    expect(report.plan.stays[0]).toMatchObject({ day: START_DAY + 1, code: 'not_anchored' });
    await arena.sign();
    arena.anchored.size = 0n;
    expect((await arena.prune()).plan.stays[0]).toMatchObject({ code: 'not_anchored' });
    arena.anchored.size = 'all';
    expect((await arena.prune()).dropped).toEqual([START_DAY + 1]);
  });

  it('waits with removing until the announcement itself is anchored', async () => {
    await writeSixDays(arena);
    arena.anchored.size = arena.signed().anchor.end;
    const report = await arena.prune();
    expect(report).toMatchObject({ announced: 4, dropped: [] });
    expect(report.stopped).toMatch(/anchors/);
    expect(await arena.days()).toEqual([0, 1, 2, 3, 4, 5]);
    arena.anchored.size = arena.signed().anchor.end;
    expect(await arena.prune()).toMatchObject({ announced: 0, dropped: [START_DAY, START_DAY + 1] });
    await expectProvable(arena);
  });
});

describe('a legal hold', () => {
  it('keeps its days and all later ones until it is released', async () => {
    await writeSixDays(arena);
    await arena.sign([holdAct('h1', { from_day: dayText(1), to_day: dayText(1), tenant: 'globex' })]);
    const report = await arena.prune();
    expect(report.dropped).toEqual([START_DAY]);
    expect(report.plan.stays[0]).toMatchObject({
      code: 'held',
      reason: 'legal hold h1 of tenant globex: case 7',
    });
    await arena.sign([{ type: 'hold_released', hold_id: 'h1', operator: 'counsel', reason: 'closed' }]);
    expect((await arena.prune()).dropped).toEqual([START_DAY + 1]);
    await expectProvable(arena);
  });

  it('counts from when it is asked for, and between the announcement and the removal', async () => {
    await writeSixDays(arena);
    const asked = holdOf(holdAct('asked'), 0n);
    arena.requestedHolds.push(asked);
    expect((await arena.prune()).dropped).toEqual([]);
    arena.requestedHolds.pop();
    const parts = arena.parts();
    const report = await arena.prune({
      dropper: {
        async dropDay(day) {
          await parts.dropper.dropDay(day);
          await arena.sign([holdAct('late', { from_day: dayText(1) })]);
        },
      },
    });
    expect(report).toMatchObject({
      dropped: [START_DAY],
      stopped: expect.stringContaining('late') as string,
    });
    expect(await arena.days()).toEqual([1, 2, 3, 4, 5]);
    expect((await announcedIn(arena)).doneDay).toBe(dayText(0));
    await expectProvable(arena);
  });

  it('cannot be taken out of the store: nothing goes then', async () => {
    await writeSixDays(arena);
    await arena.sign([holdAct('h1')]);
    await arena.mutate(
      `ALTER TABLE custody.anchor_entries DELETE WHERE type = 'hold' SETTINGS mutations_sync = 2`,
    );
    await expect(arena.prune()).rejects.toThrow(/cannot use anchor log keep\/anchor: (GAP|TRUNCATED)/);
    expect(await arena.days()).toEqual([0, 1, 2, 3, 4, 5]);
  });
});
