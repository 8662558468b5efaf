import { onTestFinished } from 'vitest';
import type { z } from 'zod';
import type { Anchor } from '../../../notary/anchor.ts';
import { createAnchor } from '../../../notary/anchors/create-anchor.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { createLogger } from '../../../runtime/logger.ts';
import { anchor } from '../../../schemas/config/anchors.ts';
import { NOW_MS } from './sample-log.ts';

/** A clock that a test sets. */
export interface SetClock extends Clock {
  nowMs(): number;
  ms: number;
}

export const setClock = (): SetClock => ({
  ms: NOW_MS,
  nowMs() {
    return this.ms;
  },
});

/** The anchor that a configuration describes, closed when the test ends. Secrets are looked up by `env`. */
export async function openAnchor(
  config: z.input<typeof anchor>,
  clock: Clock = setClock(),
  secrets: Readonly<Record<string, string>> = {},
): Promise<Anchor> {
  const opened = await createAnchor(anchor.parse(config), {
    clock,
    logger: createLogger({ level: 'silent' }),
    secrets: ({ env = '' }) => secrets[env] ?? '',
  });
  onTestFinished(() => opened.close());
  return opened;
}

/** An error with what the product's errors say beside their message. */
export interface Failure extends Error {
  readonly path?: string;
  readonly retryAfterMs?: number;
}

/** The error that a promise rejects with. */
export const failure = (promise: Promise<unknown>): Promise<Failure> =>
  promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as Failure,
  );
