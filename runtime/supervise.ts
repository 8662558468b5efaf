import { backoffMs, sleep } from './backoff.ts';
import { IntegrityError, TransientError } from './errors.ts';
import type { Logger } from './logger.ts';

const RETRY = { base_ms: 100, cap_ms: 10_000 };

export interface SuperviseOptions {
  /** What the notes in the log are about, such as `{ stage: 'detect' }`. */
  readonly about: Readonly<Record<string, string>>;
  /** One run of the loop; resolves when the signal aborts. `progressed` says that what went wrong before is over. */
  readonly run: (progressed: () => void) => Promise<void>;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** The loop has stopped for good because evidence contradicts itself. */
  readonly onIntegrity: (error: IntegrityError) => void;
  /** What is worth another run. Default: a TransientError. */
  readonly isRepeatable?: (error: unknown) => boolean;
  readonly retry?: { readonly base_ms: number; readonly cap_ms: number } | undefined;
  /** Randomness of the waits. */
  readonly random?: (() => number) | undefined;
}

/**
 * Keeps a consumer loop running: a failure that may pass starts it again after a jittered wait, an integrity failure ends
 * it and raises the alarm. Rejects with anything else: that is a bug.
 */
export async function supervise(options: SuperviseOptions): Promise<void> {
  const { about, signal, logger, isRepeatable = isTransient, retry = RETRY, random = Math.random } = options;
  let attempt = 0;
  while (!signal.aborted) {
    try {
      await options.run(() => (attempt = 0));
      return;
    } catch (error) {
      if (error instanceof IntegrityError) {
        logger.error({ ...about, err: error }, 'stopped: evidence contradicts itself');
        options.onIntegrity(error);
        return;
      }
      if (!isRepeatable(error)) throw error;
      logger.warn({ ...about, err: error, attempt }, 'interrupted; it will be started again');
      await sleep(backoffMs(attempt, retry, random), signal);
      attempt += 1;
    }
  }
}

const isTransient = (error: unknown): boolean => error instanceof TransientError;
