import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from 'chdb';
import { createEntryBuilder, type LogSource, type SealedEntry } from '../../../evidence/entry-builder.ts';
import type { Component } from '../../../runtime/component.ts';
import type { IntegrityError } from '../../../runtime/errors.ts';
import { createLogger } from '../../../runtime/logger.ts';
import { createMetrics } from '../../../runtime/metrics.ts';
import { configSchema, type LedgerConfig } from '../../../schemas/config.ts';
import { type ChdbStore, openChdbStore } from '../../../sinks/store/chdb-store.ts';
import { createLedgerWriter } from '../../../sinks/store/ledger-writer.ts';
import type { Store } from '../../../sinks/store/store.ts';
import type { StateStore, Topic } from '../../../streams/topic.ts';
import { memoryLog, memoryTopic } from '../../support/memory-topic.ts';

export const START_MS = 1_790_000_000_000;
export const DAY_MS = 86_400_000;

export const source: LogSource = {
  deployment: 'test',
  topic: 'custody.events',
  topicId: 't-events',
  partition: 0,
};

export interface Given {
  readonly key?: string;
  readonly value: Uint8Array;
  readonly appendTimeMs?: number;
}

/** Entries of records at offsets 0, 1, 2 ... of a fresh topic partition. */
export function sealed(records: readonly Given[], of: LogSource = source): SealedEntry[] {
  const builder = createEntryBuilder(of, { day: -1, heads: [] });
  return records.flatMap(({ key = 'acme', value, appendTimeMs = START_MS }, index) =>
    builder.add({ key, value, offset: BigInt(index), appendTimeMs }),
  );
}

export interface StoreHarness {
  readonly path: string;
  store(): ChdbStore;
  /** Runs one statement and gives its JSONCompact rows. */
  rows(select: string): Promise<unknown[][]>;
  /** Runs a statement that answers nothing, as somebody with write access could. */
  command(statement: string): Promise<void>;
  reopen(between?: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** An embedded store in a temporary directory that is removed on `close`. */
export async function startStore(): Promise<StoreHarness> {
  const path = await mkdtemp(join(tmpdir(), 'custody-store-'));
  let store = await openChdbStore({ path });
  return {
    path,
    store: () => store,
    rows: (select) => rowsOf(store, select),
    async command(statement) {
      const session = new Session(path);
      try {
        await session.queryAsync(statement);
      } finally {
        session.close();
      }
    },
    async reopen(between) {
      await store.close();
      await between?.();
      store = await openChdbStore({ path });
    },
    async close() {
      await store.close();
      await rm(path, { recursive: true, force: true });
    },
  };
}

export async function rowsOf(store: Store, select: string): Promise<unknown[][]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.raw(
    `${select} SETTINGS output_format_json_quote_64bit_integers = 0 FORMAT JSONCompactEachRow`,
  ))
    chunks.push(chunk);
  const lines = Buffer.concat(chunks).toString().split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as unknown[]);
}

export interface WriterParts {
  readonly store: Store;
  readonly state: StateStore;
  readonly events: Topic;
  readonly alerts?: Topic;
  readonly deadletter?: Topic;
  readonly config?: Partial<LedgerConfig>;
}

/** A ledger writer over these parts; `refused` holds what stopped it for good. */
export function ledgerOf(parts: WriterParts): Component & { readonly refused: Promise<IntegrityError> } {
  let refuse: (error: IntegrityError) => void = () => undefined;
  const refused = new Promise<IntegrityError>((resolve) => (refuse = resolve));
  const writer = createLedgerWriter({
    topics: {
      events: parts.events,
      alerts: parts.alerts ?? memoryTopic('custody.alerts', START_MS),
      deadletter: parts.deadletter ?? memoryTopic('custody.deadletter', START_MS),
    },
    store: parts.store,
    log: memoryLog(parts.state),
    deployment: source.deployment,
    config: { ...configSchema.parse({}).ledger, linger_ms: 0, ...parts.config },
    logger: createLogger({ level: 'silent' }),
    metrics: createMetrics(),
    onIntegrity: refuse,
    random: () => 0,
  });
  return { ...writer, refused };
}
