import { backoffMs, sleep } from '../../runtime/backoff.ts';
import { PermanentError, TransientError } from '../../runtime/errors.ts';
import { postEvents, type EventsEndpoint } from './post-events.ts';
import type { Spool, SpoolBatch } from './spool.ts';

export interface DeliveryOptions {
  readonly endpoint: EventsEndpoint;
  readonly spool: Spool;
  /** After a success with nothing left to send: a spool left by a tap that died, if there is one. */
  readonly claim: () => Spool | undefined;
  /** The collector will never take these lines; called before they are passed over. */
  readonly onRefused: (ndjson: Uint8Array) => void;
  /** Delivery began to fail, or works again. */
  readonly onChange: (state: 'failing' | 'delivering', reason: string) => void;
  readonly random: () => number;
}

export interface Delivery {
  /** There may be something to send. */
  wake(): void;
  /** Sends what is left until all is sent, an attempt fails, or the time is over. Ends the delivery. */
  drain(deadlineMs: number): Promise<void>;
}

const BATCH_BYTES = 512 * 1024;
const RETRY = { base_ms: 250, cap_ms: 15_000 };
const CLAIM_INTERVAL_MS = 60_000;

/** Sends spooled records in order, with back-off; a batch leaves the spool only after HTTP 200. */
export function startDelivery(options: DeliveryOptions): Delivery {
  const stopping = new AbortController();
  const draining = new AbortController();
  const isDraining = new Promise<void>((resolve) => {
    draining.signal.addEventListener('abort', () => resolve());
  });
  const orphans: Spool[] = [];
  let wakeUp: () => void = () => undefined;
  let attempt = 0;
  let batchBytes = BATCH_BYTES;
  let nextClaimMs = 0;
  /** While the collector is away there is no point in moving what others left. */
  let hasDelivered = false;

  const send = async (spool: Spool, batch: SpoolBatch) => {
    try {
      await postEvents(options.endpoint, batch.bytes, stopping.signal);
      batchBytes = BATCH_BYTES;
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      // One bad line must not condemn its neighbours: smaller and smaller, down to the line itself.
      if (lineCount(batch.bytes) > 1) {
        batchBytes = Math.floor(batch.bytes.length / 2);
        return;
      }
      options.onRefused(batch.bytes);
    }
    spool.commit(batch);
  };

  /** Sends one batch of every spool that has one; false if there was nothing to send. */
  const round = async (): Promise<boolean> => {
    let any = false;
    for (const spool of [options.spool, ...orphans]) {
      const batch = spool.next(batchBytes);
      if (batch !== undefined) {
        any = true;
        await send(spool, batch);
      } else if (spool !== options.spool) {
        orphans.splice(orphans.indexOf(spool), 1);
        spool.close();
      }
    }
    return any;
  };

  const claim = () => {
    const now = performance.now();
    if (!hasDelivered || draining.signal.aborted || now < nextClaimMs) return false;
    const orphan = options.claim();
    if (orphan === undefined) nextClaimMs = now + CLAIM_INTERVAL_MS;
    else orphans.push(orphan);
    return orphan !== undefined;
  };

  const failed = async (error: unknown) => {
    // Anything but an answer of the collector is the disk under the spool: as little reason to give up for good.
    const isDelivery = error instanceof TransientError;
    if (attempt === 0) options.onChange('failing', isDelivery ? error.message : 'cannot read the spool');
    const askedMs = isDelivery ? (error.retryAfterMs ?? 0) : 0;
    const waitMs = Math.max(askedMs, backoffMs(attempt, RETRY, options.random));
    attempt++;
    await sleep(waitMs, draining.signal);
  };

  const run = async () => {
    while (!stopping.signal.aborted) {
      const wasDraining = draining.signal.aborted;
      const woken = new Promise<void>((resolve) => (wakeUp = resolve));
      try {
        const sent = await round();
        if (sent && attempt > 0) options.onChange('delivering', 'the collector takes records again');
        if (sent) {
          attempt = 0;
          hasDelivered = true;
        }
        if (sent || claim()) continue;
        if (wasDraining) return;
      } catch (error) {
        if (wasDraining) return;
        await failed(error);
        continue;
      }
      await Promise.race([woken, isDraining]);
    }
  };
  const running = run();

  return {
    wake: () => wakeUp(),
    async drain(deadlineMs) {
      draining.abort();
      wakeUp();
      const timer = setTimeout(() => stopping.abort(), deadlineMs);
      await running.finally(() => clearTimeout(timer));
      for (const orphan of orphans) orphan.close();
    },
  };
}

function lineCount(ndjson: Uint8Array): number {
  let count = 0;
  for (let at = ndjson.indexOf(0x0a); at !== -1 && count < 2; at = ndjson.indexOf(0x0a, at + 1)) count++;
  return count;
}
