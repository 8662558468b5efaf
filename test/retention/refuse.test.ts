import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IntegrityError } from '../../runtime/errors.ts';
import { announcedIn, type Arena, START_DAY, startArena, writeSixDays } from './retention-harness.ts';

let arena: Arena;
beforeEach(async () => {
  arena = await startArena();
});
afterEach(() => arena.close());

describe('retention refuses, and removes nothing', () => {
  const mutate = (statement: string) => arena.mutate(`${statement} SETTINGS mutations_sync = 2`);
  const refusal = async (pattern: RegExp) => {
    const before = await arena.days();
    await expect(arena.prune()).rejects.toThrow(pattern);
    await expect(arena.prune()).rejects.toBeInstanceOf(IntegrityError);
    expect(await arena.days()).toEqual(before);
    expect((await announcedIn(arena)).starts.size).toBe(0);
  };

  it('a log whose first entries are gone already', async () => {
    await writeSixDays(arena);
    await mutate(`ALTER TABLE custody.entries DELETE WHERE log = '${arena.logOf('acme')}' AND seq < 2`);
    await refusal(/HEAD_MISSING: it starts at seq 2/);
  });

  it('a log with a hole in what would go', async () => {
    await writeSixDays(arena);
    await mutate(`ALTER TABLE custody.entries DELETE WHERE log = '${arena.logOf('acme')}' AND seq = 3`);
    await refusal(/GAP: entries between seq 0 and 6 are missing/);
  });

  it('a log with a hole that a copy of another entry would hide in the count', async () => {
    await writeSixDays(arena);
    await mutate(`ALTER TABLE custody.entries DELETE WHERE log = '${arena.logOf('acme')}' AND seq = 3`);
    await arena.mutate(
      `INSERT INTO custody.entries (log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body) SELECT log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body FROM custody.entries WHERE log = '${arena.logOf('acme')}' AND seq = 2 UNION ALL SELECT log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body FROM custody.entries WHERE log = '${arena.logOf('acme')}' AND seq = 2 SETTINGS insert_deduplicate = 0`,
    );
    await refusal(/GAP/);
  });

  it('entries that are not those that were signed, among what would stay too', async () => {
    await writeSixDays(arena);
    await mutate(
      `ALTER TABLE custody.entries UPDATE leaf = SHA256('other') WHERE log = '${arena.logOf('acme')}' AND seq = 12`,
    );
    await refusal(/ROOT_MISMATCH/);
  });

  it('a store that was cut behind what was signed', async () => {
    await writeSixDays(arena);
    await mutate(`ALTER TABLE custody.entries DELETE WHERE log = '${arena.logOf('globex')}' AND seq > 4`);
    await refusal(/TRUNCATED: 7 entries were signed, the store ends at seq 4/);
  });

  it('an anchor log of which an entry is missing', async () => {
    await writeSixDays(arena);
    await mutate(`ALTER TABLE custody.anchor_entries DELETE WHERE type = 'genesis'`);
    await refusal(/GAP: entry 0 is missing/);
  });

  it('entries whose day was changed so that they would go early', async () => {
    await writeSixDays(arena);
    // A part with the rows of one log, moved to the first day: the leaf does not cover the day.
    const log = arena.logOf('acme');
    const columns = 'log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body';
    const moved = columns.replace('day', `toDate(${START_DAY}) AS day`);
    await arena.mutate(
      `INSERT INTO custody.entries (${columns}) SELECT ${moved} FROM custody.entries WHERE log = '${log}' AND seq = 16 SETTINGS insert_deduplicate = 0`,
    );
    await mutate(
      `ALTER TABLE custody.entries DELETE WHERE log = '${log}' AND seq = 16 AND day != toDate(${START_DAY})`,
    );
    await refusal(/GAP: entries between seq 0 and 16 are missing/);
  });

  it('new entries on a day that was removed before, as when a clock was set back', async () => {
    await writeSixDays(arena);
    await arena.prune();
    const log = arena.logOf('acme');
    const columns = 'log, tenant, kpart, seq, topic, koffset, kts_ms, day, kind, prev, body_sha, leaf, body';
    const moved = columns.replace('day', `toDate(${START_DAY}) AS day`);
    await arena.mutate(
      `INSERT INTO custody.entries (${columns}) SELECT ${moved} FROM custody.entries WHERE log = '${log}' AND seq = 7 SETTINGS insert_deduplicate = 0`,
    );
    await mutate(
      `ALTER TABLE custody.entries DELETE WHERE log = '${log}' AND seq = 7 AND day != toDate(${START_DAY})`,
    );
    await expect(arena.prune()).rejects.toThrow(
      /DAY: it has new entries on 2022-01-08, which was removed before/,
    );
    expect(await arena.days()).toContain(0);
  });
});
