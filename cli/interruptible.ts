import { sleep } from '../runtime/backoff.ts';
import { TransientError } from '../runtime/errors.ts';

/** Work that Ctrl-C ends in order: the signal aborts, what was begun is cleared away, and only then the process ends. */
export interface Interruptible {
  readonly signal: AbortSignal;
  /** Rejects when the work is ended meanwhile. */
  sleep(ms: number): Promise<void>;
  stop(): void;
}

/** Listens for SIGINT and SIGTERM until `stop`; a second one ends the process as usual. */
export function interruptible(): Interruptible {
  const controller = new AbortController();
  const onSignal = () => {
    controller.abort(
      new TransientError('unavailable', 'cannot finish: it was interrupted; nothing was left behind'),
    );
    stop();
  };
  const stop = () => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    async sleep(ms) {
      await sleep(ms, controller.signal);
      controller.signal.throwIfAborted();
    },
    stop,
  };
}
