import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnchorAct } from '../../evidence/anchor-log/entry.ts';
import {
  announcedIn,
  type Arena,
  dayText,
  expectProvable,
  failing,
  type Fault,
  RETENTION_DAYS,
  startArena,
} from './retention-harness.ts';

let arena: Arena;
/** The next day on which nothing was written yet. */
let nextDay = 0;

async function writeDays(count: number): Promise<void> {
  for (; count > 0; count--, nextDay++) {
    arena.setDay(nextDay);
    // globex comes and goes, so that its logs are wholly removed now and then.
    await arena.write(nextDay % 6 < 2 ? ['acme', 'globex'] : ['acme'], 2);
  }
  await arena.sign();
}

beforeAll(async () => {
  arena = await startArena();
  await writeDays(RETENTION_DAYS + 1);
});
afterAll(() => arena.close());

const steps = ['announcing', 'first drop', 'second drop', 'saying that it is done'] as const;
const faults: Fault[] = ['failed', 'failed but persisted'];

describe('a crash of retention', () => {
  it.each(steps.flatMap((step) => faults.map((fault) => [step, fault] as const)))(
    'while %s, where it %s, is repaired by the next run',
    async (step, fault) => {
      await writeDays(2);
      const { notary, dropper } = arena.parts();
      const enter = failing(
        (acts: readonly AnchorAct[]) => notary.enter(acts),
        fault,
        step === 'announcing' ? 0 : 1,
      );
      const breaks = step === 'announcing' || step === 'saying that it is done';
      const dropDay = failing((day: number) => dropper.dropDay(day), fault, step === 'first drop' ? 0 : 1);
      const broken = breaks ? { notary: { ...notary, enter } } : { dropper: { dropDay } };
      await expect(arena.prune(broken)).rejects.toThrow('the test says so');
      // The ledger goes on meanwhile, over a restart too.
      await arena.restartWriter();
      await arena.write(['acme'], 1);
      await arena.sign();
      expect(arena.refused).toEqual([]);
      await expectProvable(arena);

      expect((await arena.prune()).stopped).toBeUndefined();
      expect(await arena.days()).toEqual([nextDay - 4, nextDay - 3, nextDay - 2, nextDay - 1]);
      const { starts, doneDay } = await announcedIn(arena);
      expect(doneDay).toBe(dayText(nextDay - 5));
      expect(starts.get(arena.logOf('acme'))?.day).toBe(dayText(nextDay - 5));
      await expectProvable(arena);
    },
  );
});
