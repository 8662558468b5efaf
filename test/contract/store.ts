import { rmSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SealedEntry } from '../../evidence/entry-builder.ts';
import { bodyHash } from '../../evidence/entry.ts';
import { IntegrityError } from '../../runtime/errors.ts';
import { readRows } from '../../sinks/store/clickhouse-store.ts';
import type { Store } from '../../sinks/store/store.ts';
import { decodeStoredEntry, ENTRY_COLUMNS } from '../../sinks/store/stored-entry.ts';
import { verifies } from '../requirements.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { DAY_MS, sealed, source, START_MS } from '../sinks/store/ledger-harness.ts';

/** One empty store and a way to reach past it. */
export interface StoreHarness {
  store(): Store;
  /** Runs one statement and gives its JSONCompact rows. */
  rows(select: string): Promise<unknown[][]>;
  /** Runs a statement that answers nothing, as somebody with write access could. */
  command(statement: string): Promise<void>;
  /** Ends the engine, does something to its data, and starts it again. */
  reopen(between?: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export interface StoreEngine {
  /** An empty store. */
  open(): Promise<StoreHarness>;
  /** The engine's files are here, and it may be ended. */
  readonly ours: boolean;
  stop?(): Promise<void>;
}

const bytes = (text: string) => Buffer.from(text, 'latin1');
const events = (count: number, tenant = 'acme') =>
  Array.from({ length: count }, (_, number) => ({ key: tenant, value: sampleEvent(number, tenant) }));

const plain = (entries: readonly SealedEntry[]) =>
  entries.map((entry) => ({ ...entry, body: Buffer.from(entry.body) }));

/** What every Store must do. */
export function storeContract(name: string, start: () => Promise<StoreEngine>): void {
  describe(`${name} keeps the store contract`, () => {
    let engine: StoreEngine;
    let harness: StoreHarness;
    beforeAll(async () => {
      engine = await start();
    });
    afterAll(() => engine.stop?.());
    beforeEach(async () => {
      harness = await engine.open();
    });
    afterEach(() => harness.close());

    /** What the store holds, in log order, in the shape of the entries that were written. */
    async function storedEntries(where = '1'): Promise<SealedEntry[]> {
      const found: SealedEntry[] = [];
      const rows = readRows(
        harness.store().raw,
        `SELECT ${ENTRY_COLUMNS} FROM custody.entries WHERE ${where} ORDER BY koffset, seq`,
        (read) => {
          const { log, appendTimeMs, body, ...rest } = decodeStoredEntry(read);
          return { ...rest, logId: log, appendTimeMs: Number(appendTimeMs), body: Buffer.from(body) };
        },
      );
      for await (const row of rows) found.push(row as SealedEntry);
      return found;
    }
    describe('append', () => {
      it('stores every byte of every entry as it is', async () => {
        verifies('P3');
        const entries = sealed([
          { value: bytes('\0\t\n\r\\\\N\\0\\t') },
          { value: bytes('\xff\xfe\xc0\x80 not UTF-8') },
          { value: bytes('') },
          { value: bytes('\\N') },
          { value: Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)) },
          { value: bytes('\r\n') },
          ...events(3),
        ]);
        await harness.store().append(entries);
        expect(await storedEntries()).toEqual(plain(entries));
      });

      it('stores any bodies, keys and times byte for byte', async () => {
        let topics = 0;
        await fc.assert(
          fc.asyncProperty(
            fc.array(
              fc.record({
                key: fc.constantFrom('acme', 'globex', 'a.b-c_d', 'no tenant', ''),
                value: fc.oneof(
                  fc.uint8Array({ maxLength: 300 }),
                  fc
                    .array(fc.constantFrom(0, 9, 10, 13, 92, 78, 110, 48), { maxLength: 40 })
                    .map((codes) => Uint8Array.from(codes)),
                ),
              }),
              { minLength: 1, maxLength: 30 },
            ),
            fc.integer({ min: 0, max: 5_000_000_000_000 }),
            async (records, appendTimeMs) => {
              const topicId = `fresh-${topics++}`;
              const entries = sealed(
                records.map((record) => ({ ...record, appendTimeMs })),
                { ...source, topicId },
              );
              await harness.store().append(entries);
              expect(await storedEntries(`log LIKE '%/${topicId}-0/0'`)).toEqual(plain(entries));
            },
          ),
          { numRuns: 40 },
        );
      });

      it('takes bodies of 16 MiB, several in one block', async () => {
        const entries = sealed([1, 2, 3].map((fill) => ({ value: Buffer.alloc(16 * 1024 * 1024, fill) })));
        await harness.store().append(entries);
        expect(
          await harness.rows(
            'SELECT lower(hex(SHA256(body))), length(body) FROM custody.entries WHERE seq > 0 ORDER BY seq',
          ),
        ).toEqual(
          [1, 2, 3].map((fill) => [bodyHash(Buffer.alloc(16 * 1024 * 1024, fill)), 16 * 1024 * 1024]),
        );
        expect(await harness.rows('SELECT uniqExact(_part) FROM custody.entries')).toEqual([[1]]);
      });

      it('changes nothing when the same entries come again', async () => {
        verifies('P2');
        const entries = sealed(events(50));
        await harness.store().append(entries);
        await harness.store().append(entries);
        expect(await harness.rows('SELECT count() FROM custody.entries')).toEqual([[51]]);
      });

      it('refuses entries whose places hold others, and adds nothing', async () => {
        const [first, ...rest] = sealed(events(20));
        await harness.store().append([first as SealedEntry, ...rest]);
        const other = sealed(
          events(20).map(({ key, value }) => ({ key, value, appendTimeMs: START_MS + 1 })),
        );
        await expect(harness.store().append(other.slice(0, 1))).rejects.toThrow(/FORK: the store holds leaf/);
        await expect(harness.store().append(other)).rejects.toBeInstanceOf(IntegrityError);
        // A fork is stored beside the first entry, not over it: the first leaf is still there.
        expect(
          await harness.rows(
            `SELECT count() FROM custody.entries WHERE leaf = unhex('${(first as SealedEntry).leaf}')`,
          ),
        ).toEqual([[1]]);
      });

      it('refuses an entry whose hashes the engine computes otherwise', async () => {
        const [genesis, event] = sealed(events(1)) as [SealedEntry, SealedEntry];
        await expect(harness.store().append([genesis, { ...event, leaf: 'ab'.repeat(32) }])).rejects.toThrow(
          /leaf_ok or body_ok/,
        );
        await expect(harness.store().append([genesis, { ...event, body: bytes('{}') }])).rejects.toThrow(
          /leaf_ok or body_ok/,
        );
        await expect(harness.store().append([genesis, { ...event, seq: 7n }])).rejects.toThrow(
          /leaf_ok or body_ok/,
        );
        expect(await harness.rows('SELECT count() FROM custody.entries')).toEqual([[0]]);
      });

      it('refuses a block of two days, which would not be atomic', async () => {
        const entries = sealed([
          { value: bytes('{}') },
          { value: bytes('{}'), appendTimeMs: START_MS + DAY_MS },
        ]);
        await expect(harness.store().append(entries)).rejects.toThrow(/engine error 252/);
        expect(await harness.rows('SELECT count() FROM custody.entries')).toEqual([[0]]);
      });

      it('writes again what the engine has a deduplication token for and no rows', async ({ skip }) => {
        skip(!engine.ours, 'the files of this engine are not here');
        // The engine notes the token first and adds the part after it; killed in between it keeps only the token.
        verifies('P2');
        const entries = sealed(events(50));
        await harness.store().append(entries);
        const [[part] = []] = (await harness.rows(
          "SELECT path FROM system.parts WHERE database = 'custody' AND table = 'entries' AND active",
        )) as string[][];
        await harness.reopen(() => {
          rmSync(part ?? '', { recursive: true });
          return Promise.resolve();
        });
        expect(await harness.rows('SELECT count() FROM custody.entries')).toEqual([[0]]);
        await harness.store().append(entries);
        expect(await storedEntries()).toEqual(plain(entries));
      });

      it('takes ten thousand logs in one batch and reads each back', async () => {
        const entries = sealed(
          Array.from({ length: 10_000 }, (_, number) => ({ key: `tenant-${number}`, value: bytes('{}') })),
        );
        await harness.store().append(entries);
        expect(
          await harness.rows('SELECT count(), uniqExact(log), uniqExact(leaf) FROM custody.entries'),
        ).toEqual([[20000, 10000, 20000]]);
        const [last] = entries.slice(-1) as [SealedEntry];
        await harness.command(
          `ALTER TABLE custody.entries DELETE WHERE log = '${last.logId}' AND seq = ${last.seq} SETTINGS mutations_sync = 2`,
        );
        await expect(harness.store().expectStored(entries)).rejects.toThrow(/GAP: 1 of 20000 are missing/);
      });
    });

    describe('expectStored', () => {
      it('accepts what is there and names what is not', async () => {
        const entries = sealed(events(100));
        await harness.store().append(entries.slice(0, 60));
        await expect(harness.store().expectStored(entries.slice(10, 60))).resolves.toBeUndefined();
        await expect(harness.store().expectStored(entries)).rejects.toThrow(/GAP: 41 of 101 are missing/);
        await expect(harness.store().expectStored(entries.slice(60))).rejects.toThrow(/GAP: 41 are missing/);
      });

      it('finds a place that holds another leaf in long and in short logs', async () => {
        const long = sealed(events(100));
        const short = sealed(events(5), { ...source, topicId: 'short' });
        await harness.store().append(long);
        await harness.store().append(short);
        for (const entries of [long, short]) {
          const changed = entries.map((entry, index) =>
            index === 3 ? { ...entry, leaf: 'cd'.repeat(32) } : entry,
          );
          await expect(harness.store().expectStored(changed)).rejects.toThrow(/seq 3: FORK/);
        }
      });
    });

    describe('logs', () => {
      it('tells the head, the count and the offsets of each log of one topic partition only', async () => {
        const records = [...events(3), ...events(2, 'globex')];
        const entries = sealed(records);
        await harness.store().append(entries);
        await harness.store().append(sealed(events(4), { ...source, topicId: 'other' }));
        await harness.store().append(sealed(events(4), { ...source, partition: 1 }));
        await harness.store().append(sealed(events(4), { ...source, deployment: 'test2' }));
        const logs = await harness.store().logs(source);
        expect([...logs].sort(([a], [b]) => a.localeCompare(b))).toEqual([
          [
            'test/acme/t-events-0/0',
            { seq: 3n, leaf: entries[3]?.leaf, firstSeq: 0n, entryCount: 4n, minOffset: 0n, maxOffset: 2n },
          ],
          [
            'test/globex/t-events-0/0',
            { seq: 2n, leaf: entries[6]?.leaf, firstSeq: 0n, entryCount: 3n, minOffset: 3n, maxOffset: 4n },
          ],
        ]);
      });
    });

    describe('raw', () => {
      it('gives the class of an engine error and not its text', async () => {
        const failing = async () => {
          for await (const chunk of harness.store().raw('SELECT nothing FROM custody.entries'))
            expect(chunk).toBeUndefined();
        };
        await expect(failing()).rejects.toMatchObject({
          code: 'rejected',
          message: 'cannot read from the store: engine error 47',
        });
      });

      it('keeps rows after they were merged and after a restart', async ({ skip }) => {
        skip(!engine.ours, 'this engine is not to be ended');
        const entries = sealed(events(30));
        for (const entry of entries) await harness.store().append([entry]);
        await harness.command('OPTIMIZE TABLE custody.entries FINAL');
        await harness.reopen();
        expect(await storedEntries()).toEqual(plain(entries));
      });
    });
  });
}
