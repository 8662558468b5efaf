import { expect, it } from 'vitest';
import { IntegrityError, PermanentError, TransientError } from '../../runtime/errors.ts';
import { createLogger } from '../../runtime/logger.ts';
import { supervise, type SuperviseOptions } from '../../runtime/supervise.ts';

const down = () => new TransientError('unavailable', 'cannot read: down');

/** Supervises a loop whose runs end as given, one after the other; the last one resolves. */
async function supervised(runs: readonly ((progressed: () => void) => Promise<void>)[]) {
  const logger = createLogger({ level: 'silent' });
  const attempts: number[] = [];
  let count = 0;
  const options: SuperviseOptions = {
    about: { stage: 'test' },
    run: (progressed) => runs[count++]?.(progressed) ?? Promise.resolve(),
    signal: new AbortController().signal,
    logger: Object.assign(Object.create(logger) as typeof logger, {
      warn: ({ attempt }: { attempt: number }) => attempts.push(attempt),
    }),
    random: () => 0,
  };
  await supervise(options);
  return { attempts, count };
}

it('starts a loop again after each failure, counting those since it last got on', async () => {
  const fail = () => Promise.reject(down());
  const failLater = (progressed: () => void) => {
    progressed();
    return Promise.reject(new PermanentError('rejected', 'cannot write: no'));
  };
  const { attempts, count } = await supervised([fail, fail, failLater, fail]);
  expect(attempts).toEqual([0, 1, 0, 1]);
  expect(count).toBe(5);
});

it.each([new IntegrityError('cannot go on: a fork'), new TypeError('a bug')])(
  'does not pass by %s',
  async (error) => {
    await expect(supervised([() => Promise.reject(error)])).rejects.toBe(error);
  },
);
