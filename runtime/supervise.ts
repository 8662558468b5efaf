import { backoffMs, sleep } from './backoff.ts';
import { CustodyError, IntegrityError } from './errors.ts';
import type { Logger } from './logger.ts';

const RETRY = { base_ms: 100, cap_ms: 10_000 };

export interface SuperviseOptions {
  /** What the notes in the log are about, such as `{ stage: 'detect' }`. */
  readonly about: Readonly<Record<string, string>>;
  /** One run of the loop; resolves when the signal aborts. `progressed` says that what went wrong before is over. */
  readonly run: (progressed: () => void) => Promise<void>;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly retry?: { readonly base_ms: number; readonly cap_ms: number } | undefined;
  /** Randomness of the waits. */
  readonly random?: (() => number) | undefined;
}

/**
 * Keeps a consumer loop running: a failure starts it again after a jittered wait. Rejects with what must not pass by:
 * evidence that contradicts itself, and anything that is no CustodyError, which is a bug.
 */
export async function supervise(options: SuperviseOptions): Promise<void> {
  const { about, signal, logger, retry = RETRY, random = Math.random } = options;
  let attempt = 0;
  while (!signal.aborted) {
    try {
      await options.run(() => (attempt = 0));
      return;
    } catch (error) {
      if (!(error instanceof CustodyError) || error instanceof IntegrityError) throw error;
      logger.warn({ ...about, err: error, attempt }, 'interrupted; it will be started again');
      await sleep(backoffMs(attempt, retry, random), signal);
      attempt += 1;
    }
  }
}
