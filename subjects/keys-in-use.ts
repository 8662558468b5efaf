import { randomBytes } from 'node:crypto';
import type { Clock } from '../runtime/clock.ts';
import { IntegrityError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { XAES_KEY_BYTES } from '../evidence/xaes.ts';
import { createKeys, setAside } from './create-keys.ts';
import { watchErasures } from './erasure-journal.ts';
import { newKeyId, type SubjectKey } from './key-file.ts';
import { readKey, type KeyStore } from './key-store.ts';

/** A key to seal with. Nothing sealed with it may be stored before `durable` has resolved. */
export interface UsableKey extends SubjectKey {
  readonly durable: Promise<void> | undefined;
}

export interface KeysInUse {
  /**
   * The subject's key, made at random when there is none. Never blocks for longer than reading a small file.
   * @throws TransientError when the key store cannot be read.
   */
  keyFor(tenant: string, subject: string): UsableKey;
  /** Forgets every key. */
  close(): Promise<void>;
}

/** How soon an idle process lets go of a destroyed key. */
const LOOK_EVERY_MS = 1000;
/** New keys put on disk together. */
const BATCH_KEYS = 64;

interface Held {
  key: UsableKey;
  /** Of a key that is not on disk yet. */
  settle: ((error: Error | undefined) => void) | undefined;
  /** It takes the place of a damaged one. */
  readonly replaces: boolean;
  /** An erasure was noted while it was on its way to disk: it may be gone by the time it is there. */
  stale: boolean;
}

/**
 * The keys a collector seals with, at most `keysMax` in memory. An erasure by any process empties the memory before the next
 * value is sealed, and within a second where nothing is. A damaged key is set aside and reported, and its subject gets
 * another one: no record is refused for it.
 */
export function openKeysInUse(options: {
  readonly store: KeyStore;
  readonly keysMax: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'subjectKeys'>;
}): KeysInUse {
  const { store, keysMax, clock, logger, metrics } = options;
  const held = new Map<string, Held>();
  const unwritten: Held[] = [];
  const watch = watchErasures(store);
  let writing: Promise<void> | undefined;

  let looked = false;

  const timer = setInterval(forgetErased, LOOK_EVERY_MS);
  timer.unref();

  /** Once in a turn of the event loop: a look costs as much as half a sealing. */
  function forgetErased(): void {
    if (looked) return;
    looked = true;
    setImmediate(() => (looked = false));
    if (!watch.changed()) return;
    for (const [name, entry] of held) forget(name, entry);
  }

  /** A key on its way to disk stays, or its subject would be given a second one. */
  function forget(name: string, entry: Held): void {
    if (entry.settle !== undefined) {
      entry.stale = true;
      return;
    }
    held.delete(name);
    entry.key.key.fill(0);
  }

  function hold(name: string, entry: Held): UsableKey {
    held.set(name, entry);
    trim();
    return entry.key;
  }

  function trim(): void {
    for (const [name, entry] of held) {
      if (held.size <= keysMax || entry.settle !== undefined) return;
      forget(name, entry);
    }
  }

  function keyFor(tenant: string, subject: string): UsableKey {
    forgetErased();
    const name = `${tenant}/${subject}`;
    const known = held.get(name);
    if (known !== undefined) {
      held.delete(name);
      held.set(name, known);
      return known.key;
    }
    const stored = readOrReport(tenant, subject);
    if (stored === undefined || stored === 'damaged')
      return make(name, tenant, subject, stored === 'damaged');
    return hold(name, {
      key: { ...stored, durable: undefined },
      settle: undefined,
      replaces: false,
      stale: false,
    });
  }

  function readOrReport(tenant: string, subject: string): SubjectKey | undefined | 'damaged' {
    try {
      return readKey(store, tenant, subject);
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      metrics.subjectKeys.inc({ outcome: 'damaged' });
      logger.error({ tenant, subject }, 'a subject key is damaged: what was sealed with it cannot be read');
      return 'damaged';
    }
  }

  function make(name: string, tenant: string, subject: string, replaces: boolean): UsableKey {
    let settle: Held['settle'];
    const durable = new Promise<void>((resolve, reject) => {
      settle = (error) => (error === undefined ? resolve() : reject(error));
    });
    durable.catch(() => undefined);
    const key = randomBytes(XAES_KEY_BYTES);
    const entry: Held = {
      key: { tenant, subject, keyId: newKeyId(store.id), key, durable },
      settle,
      replaces,
      stale: false,
    };
    unwritten.push(entry);
    writing ??= write();
    return hold(name, entry);
  }

  async function write(): Promise<void> {
    // Whatever the same request needs comes into the same batch.
    await Promise.resolve();
    let batch = unwritten.splice(0, BATCH_KEYS);
    while (batch.length > 0) {
      const results = await writeBatch(batch);
      batch.forEach((entry, index) => settled(entry, results[index]));
      batch = unwritten.splice(0, BATCH_KEYS);
    }
    // In the same turn as the last look, or a key that comes in between would wait for ever.
    writing = undefined;
  }

  function settled(entry: Held, error: Error | undefined): void {
    const { settle } = entry;
    const name = `${entry.key.tenant}/${entry.key.subject}`;
    entry.settle = undefined;
    if (error !== undefined || entry.stale) forget(name, entry);
    else entry.key = { ...entry.key, durable: undefined };
    trim();
    if (error === undefined) metrics.subjectKeys.inc({ outcome: 'made' });
    settle?.(error);
  }

  async function writeBatch(batch: readonly Held[]): Promise<(Error | undefined)[]> {
    try {
      for (const entry of batch)
        if (entry.replaces) await setAside(store, entry.key.tenant, entry.key.subject);
      return await createKeys(
        store,
        batch.map(({ key }) => key),
        clock.nowMs(),
      );
    } catch (error) {
      return batch.map(() => error as Error);
    }
  }

  return {
    keyFor,
    async close() {
      clearInterval(timer);
      await writing;
      for (const [name, entry] of held) forget(name, entry);
      watch.close();
    },
  };
}
