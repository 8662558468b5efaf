import { backoffMs, sleep } from '../runtime/backoff.ts';
import { IntegrityError, TransientError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';

const bounds = { base_ms: 200, cap_ms: 10_000 };

export interface SuperviseOptions {
  readonly name: string;
  /** One run of the loop; resolves when the signal aborts. */
  readonly run: () => Promise<void>;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** The loop has stopped for good because evidence contradicts itself. */
  readonly onIntegrity: (error: IntegrityError) => void;
}

/**
 * Keeps a consumer loop running: transient failures start it again after a jittered wait, an integrity failure ends
 * it and raises the alarm. Any other rejection is a bug and is thrown on.
 */
export async function supervise(options: SuperviseOptions): Promise<void> {
  let attempt = 0;
  while (!options.signal.aborted) {
    const startedAt = performance.now();
    try {
      await options.run();
      return;
    } catch (error) {
      if (error instanceof IntegrityError) {
        options.onIntegrity(error);
        return;
      }
      if (!(error instanceof TransientError)) throw error;
      if (performance.now() - startedAt > 60_000) attempt = 0;
      options.logger.warn(
        { component: options.name, err: error, attempt },
        'stage interrupted; it will be started again',
      );
      await sleep(backoffMs(attempt, bounds, Math.random), options.signal);
      attempt += 1;
    }
  }
}
