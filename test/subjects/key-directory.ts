import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { systemClock } from '../../runtime/clock.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { openKeyStore, type KeyStore } from '../../subjects/key-store.ts';
import { openKeysInUse, type KeysInUse } from '../../subjects/keys-in-use.ts';
import { pseudonymOf } from '../../subjects/pseudonym.ts';

export const KEK = Buffer.alloc(32, 9);
export const DIGEST_KEY = Buffer.alloc(32, 7);
export const ann = pseudonymOf(DIGEST_KEY, 'acme', 'ann@example.com');
export const bob = pseudonymOf(DIGEST_KEY, 'acme', 'bob@example.com');

export interface KeyDirectory {
  readonly directory: string;
  readonly store: KeyStore;
  readonly metrics: ReturnType<typeof createMetrics>;
  /** What was logged. */
  readonly logged: string[];
  open(kek?: Uint8Array, make?: boolean): KeyStore;
  use(keysMax?: number): KeysInUse;
  close(): Promise<void>;
}

/** A key store of its own in a new directory. */
export async function keyDirectory(): Promise<KeyDirectory> {
  const directory = await mkdtemp(join(tmpdir(), 'custody-subjects-'));
  const logged: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
  const metrics = createMetrics();
  const inUse: KeysInUse[] = [];
  const open = (kek: Uint8Array = KEK, make = true) =>
    openKeyStore({ directory, kek, make, nowMs: Date.now() });
  const store = open();
  return {
    directory,
    store,
    metrics,
    logged,
    open,
    use(keysMax = 100) {
      const keys = openKeysInUse({ store, keysMax, clock: systemClock, logger, metrics });
      inUse.push(keys);
      return keys;
    },
    async close() {
      for (const keys of inUse) await keys.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
