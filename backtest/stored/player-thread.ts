import { startThread } from '../../runtime/worker-thread.ts';
import type { FromPlayer, PlayWork, ToPlayer } from './play-worker.ts';

/** A thread that plays pages; a page is sent when the one before the last is done. */
export interface PlayerThread {
  /** Resolves when there is room for another page. */
  page(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  nextUnit(): void;
  /** Resolves when everything is played, with what was measured. */
  finish(): Promise<Extract<FromPlayer, { kind: 'finished' }>>;
  stop(): Promise<void>;
}

const PAGES_IN_FLIGHT = 2;
const HEAP_MAX_MIB = 4096;

export function startPlayerThread(
  work: PlayWork,
  onPage: (done: Extract<FromPlayer, { kind: 'page_done' }>) => void,
): PlayerThread {
  const worker = startThread(new URL('./play-worker', import.meta.url), {
    workerData: work,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MIB },
  });
  let inFlight = 0;
  let failure: Error | undefined;
  let finished: Extract<FromPlayer, { kind: 'finished' }> | undefined;
  let wake: () => void = () => undefined;

  worker.on('message', (message: FromPlayer) => {
    if (message.kind === 'finished') finished = message;
    else {
      inFlight -= 1;
      onPage(message);
    }
    wake();
  });
  const fail = (error: Error) => {
    failure ??= error;
    wake();
  };
  worker.on('error', fail);
  worker.on('exit', () => fail(new Error('a thread that plays events has ended')));

  async function until(isReady: () => boolean): Promise<void> {
    while (!isReady()) {
      if (failure !== undefined) throw failure;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  const send = (message: ToPlayer, transfer: readonly ArrayBuffer[] = []) =>
    worker.postMessage(message, [...transfer]);

  return {
    async page(bytes) {
      await until(() => inFlight < PAGES_IN_FLIGHT);
      inFlight += 1;
      send({ kind: 'page', bytes }, [bytes.buffer]);
    },
    nextUnit: () => send({ kind: 'next_unit' }),
    async finish() {
      send({ kind: 'finish' });
      await until(() => finished !== undefined);
      if (finished === undefined) throw new Error('unreachable');
      return finished;
    },
    async stop() {
      await worker.terminate();
    },
  };
}
