import { setImmediate as nextTurn } from 'node:timers/promises';
import { InputError, TransientError } from '../../runtime/errors.ts';
import type { StateStore } from '../topic.ts';
import type { Change, Table } from './environment.ts';
import { storageError } from './storage-error.ts';
import type { Writer } from './writer.ts';

/** Longest name in UTF-8 bytes: the longest key the engine takes is a little longer. */
const NAME_MAX_BYTES = 1024;

/** Entries given before timers and sockets get their turn. */
const TURN_ENTRIES = 256;

export interface EmbeddedStateStore extends StateStore {
  /** Ends the iterations that are still open; their next step rejects. */
  close(): void;
}

function nameKey(name: string): Buffer {
  const key = Buffer.from(name);
  if (key.length >= 1 && key.length <= NAME_MAX_BYTES) return key;
  throw new InputError(
    'input_too_large',
    `cannot use state name: ${key.length} bytes, must be 1 to ${NAME_MAX_BYTES}`,
  );
}

/** State in its own table; name order is the order of the UTF-8 bytes. */
export function embeddedStateStore(table: Table, writer: Writer): EmbeddedStateStore {
  const open = new Set<() => void>();
  let closed = false;

  function refuseClosed(): void {
    if (closed) throw new TransientError('unavailable', 'cannot read state: the log is closed');
  }

  return {
    async *entries(prefix) {
      refuseClosed();
      const start = Buffer.from(prefix);
      // One snapshot for the whole iteration: a write of several names is seen whole or not at all.
      const transaction = table.useReadTransaction();
      const range = table.getRange(start.length === 0 ? { transaction } : { start, transaction });
      const iterator = range[Symbol.iterator]();
      const release = () => {
        if (!open.delete(release)) return;
        iterator.return?.();
        transaction.done();
      };
      open.add(release);
      try {
        for (let count = 1; ; count += 1) {
          if (count % TURN_ENTRIES === 0) await nextTurn();
          refuseClosed();
          const step = iterator.next();
          if (step.done === true) return;
          const { key, value } = step.value;
          if (!key.subarray(0, start.length).equals(start)) return;
          yield { name: key.toString(), value };
        }
      } catch (cause) {
        throw storageError('read state', cause);
      } finally {
        release();
      }
    },
    read: (name) =>
      Promise.resolve().then(() => {
        refuseClosed();
        const key = nameKey(name);
        try {
          return table.getBinary(key);
        } catch (cause) {
          throw storageError('read state', cause);
        }
      }),
    async write(changes) {
      const staged = changes.map(({ name, value }): Change => ({
        table,
        key: nameKey(name),
        // A copy: the caller may reuse its buffer before the transaction is written.
        value: value === undefined ? undefined : Buffer.from(value),
      }));
      const bytes = staged.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
      if (staged.length === 0) return;
      await writer.submit({
        bytes,
        stage(all) {
          for (const change of staged) all.push(change);
        },
      });
    },
    close() {
      closed = true;
      for (const release of [...open]) release();
    },
  };
}
