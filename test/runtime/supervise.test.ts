import { expect, it } from 'vitest';
import { IntegrityError, PermanentError, TransientError } from '../../runtime/errors.ts';
import { createLogger } from '../../runtime/logger.ts';
import { supervise, type SuperviseOptions } from '../../runtime/supervise.ts';

const down = () => new TransientError('unavailable', 'cannot read: down');

/** Supervises a loop whose runs end as given, one after the other; the last one resolves. */
async function supervised(
  runs: readonly ((progressed: () => void) => Promise<void>)[],
  changes: Partial<SuperviseOptions> = {},
) {
  const logger = createLogger({ level: 'silent' });
  const attempts: number[] = [];
  const alarms: string[] = [];
  let count = 0;
  const options: SuperviseOptions = {
    about: { stage: 'test' },
    run: (progressed) => runs[count++]?.(progressed) ?? Promise.resolve(),
    signal: new AbortController().signal,
    logger: Object.assign(Object.create(logger) as typeof logger, {
      warn: ({ attempt }: { attempt: number }) => attempts.push(attempt),
    }),
    onIntegrity: ({ message }) => alarms.push(message),
    random: () => 0,
    ...changes,
  };
  await supervise(options);
  return { attempts, alarms, count };
}

it('starts a loop again after each failure, counting those since it last got on', async () => {
  const fail = () => Promise.reject(down());
  const failLater = (progressed: () => void) => {
    progressed();
    return Promise.reject(down());
  };
  const { attempts, count } = await supervised([fail, fail, failLater, fail]);
  expect(attempts).toEqual([0, 1, 0, 1]);
  expect(count).toBe(5);
});

it('repeats only what may pass, unless it is told what else', async () => {
  const refuse = new PermanentError('rejected', 'cannot write: no');
  await expect(supervised([() => Promise.reject(refuse)])).rejects.toBe(refuse);
  const isRepeatable = (error: unknown) => error === refuse;
  expect((await supervised([() => Promise.reject(refuse)], { isRepeatable })).count).toBe(2);
});

it('does not start a loop again once evidence contradicts itself', async () => {
  const { alarms, count } = await supervised([
    () => Promise.reject(new IntegrityError('cannot go on: a fork')),
    () => Promise.resolve(),
  ]);
  expect(alarms).toEqual(['cannot go on: a fork']);
  expect(count).toBe(1);
});

it('hides no bug', async () => {
  await expect(supervised([() => Promise.reject(new TypeError('bug'))])).rejects.toThrow('bug');
});
