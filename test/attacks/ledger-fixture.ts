import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from 'chdb';
import { createLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { ALERT_SCHEMA } from '../../schemas/alert.ts';
import { configSchema } from '../../schemas/config.ts';
import { type ChdbStore, openChdbStore } from '../../sinks/store/chdb-store.ts';
import { createLedgerWriter, LEDGER_GROUP } from '../../sinks/store/ledger-writer.ts';
import type { RawQuery, Store } from '../../sinks/store/store.ts';
import type { VerifyReport } from '../../sinks/store/verify-report.ts';
import { verifyStore, type VerifyOptions } from '../../sinks/store/verify-store.ts';
import { type EmbeddedLog, openEmbeddedLog } from '../../streams/embedded/open-log.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { embeddedLogConfig } from '../support/embedded-log-config.ts';

export const TOPICS = ['custody.events', 'custody.alerts', 'custody.deadletter'] as const;
export const DEPLOYMENT = 'attacks';
const DAY_MS = 86_400_000;
const START_MS = 1_790_000_000_000;

async function drained(log: EmbeddedLog): Promise<void> {
  for (const name of TOPICS) {
    const { end } = await log.topic(name).bounds(0);
    while (((await log.topic(name).committed(LEDGER_GROUP, 0)) ?? 0n) < end) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

function openLogAt(directory: string, nowMs: () => number): Promise<EmbeddedLog> {
  return openEmbeddedLog({
    directory,
    config: embeddedLogConfig(),
    clock: { nowMs },
  });
}

export interface Ledger {
  readonly directory: string;
  /** Copies the data, lets the attacker at the store's engine and its log, and verifies what is left. */
  attack(sql: readonly string[], options?: AttackOptions): Promise<VerifyReport>;
  /** One value a statement gives on a copy after others ran there. */
  answer(sql: readonly string[], query: string): Promise<string>;
  /** Lets somebody run statements on a copy, one after the other. */
  session(act: (run: (statement: string) => Promise<string>) => Promise<void>): Promise<void>;
  /** The log id of a tenant's events. */
  logOf(tenant: string): string;
  remove(): void;
}

export interface AttackOptions extends Partial<Omit<VerifyOptions, 'raw'>> {
  readonly onLog?: (log: EmbeddedLog) => Promise<void>;
  /** Stands between the verification and the store. */
  readonly through?: (raw: RawQuery) => RawQuery;
  readonly onFiles?: (directory: string) => void;
  /** What the pipeline itself does to the store before it is verified. */
  readonly onStore?: (store: ChdbStore) => Promise<void>;
}

/** Writes days of records of two tenants through the real log, the real writer and the real engine. */
export async function writeLedger(
  days = 3,
  onDay: (store: Store, nowMs: number) => Promise<void> = () => Promise.resolve(),
): Promise<Ledger> {
  const directory = mkdtempSync(join(tmpdir(), 'custody-attack-'));
  let nowMs = START_MS;
  const log = await openLogAt(join(directory, 'log'), () => nowMs);
  const topicId = log.topic('custody.events').topicId;
  const store = await openChdbStore({ path: join(directory, 'store') });
  const [events, alerts, deadletter] = TOPICS.map((name) => log.topic(name));
  if (events === undefined || alerts === undefined || deadletter === undefined) throw new Error('no topics');
  const writer = createLedgerWriter({
    topics: { events, alerts, deadletter },
    store,
    log,
    deployment: DEPLOYMENT,
    config: configSchema.parse({}).ledger,
    logger: createLogger({ level: 'silent' }),
    metrics: createMetrics(),
    onIntegrity: (error) => {
      throw error;
    },
  });
  await writer.start();
  for (let day = 0; day < days; day++, nowMs += DAY_MS) {
    for (const tenant of ['acme', 'globex']) {
      const values = Array.from({ length: 10 }, (_, number) => sampleEvent(day * 10 + number, tenant));
      await events.append(values.map((value) => ({ key: tenant, value })));
      const alert = Buffer.from(
        JSON.stringify({ schema: ALERT_SCHEMA, tenant, alert_id: `a-${day}`, title: 'one' }),
      );
      await alerts.append([{ key: tenant, value: alert }]);
      await deadletter.append([{ key: tenant, value: Buffer.from('not JSON') }]);
    }
    await drained(log);
    await onDay(store, nowMs);
  }
  await writer.stop();
  await store.close();
  await log.close();
  await new Promise((resolve) => setImmediate(resolve));

  const ledger: Ledger = {
    directory,
    logOf: (tenant) => `${DEPLOYMENT}/${tenant}/${topicId}-0/0`,
    async attack(statements, { onLog, onFiles, onStore, through, ...options } = {}) {
      const copy = mkdtempSync(join(tmpdir(), 'custody-attacked-'));
      cpSync(directory, copy, { recursive: true, verbatimSymlinks: true });
      const attacked = await openLogAt(join(copy, 'log'), () => nowMs);
      try {
        if (statements.length > 0) {
          const session = new Session(join(copy, 'store'));
          for (const statement of statements) await session.queryAsync(statement);
          session.close();
        }
        await onLog?.(attacked);
        onFiles?.(join(copy, 'store'));
        const opened = await openChdbStore({ path: join(copy, 'store') });
        try {
          await onStore?.(opened);
          return await verifyStore({
            raw: through?.(opened.raw) ?? opened.raw,
            states: [attacked.state],
            topics: () => Promise.resolve(TOPICS.map((name) => attacked.topic(name))),
            deployment: DEPLOYMENT,
            ...options,
          });
        } finally {
          await opened.close();
        }
      } finally {
        await attacked.close();
        rmSync(copy, { recursive: true, force: true });
      }
    },
    async answer(statements, query) {
      let answer = '';
      await ledger.session(async (run) => {
        for (const statement of statements) await run(statement);
        answer = await run(query);
      });
      return answer;
    },
    async session(act) {
      const copy = mkdtempSync(join(tmpdir(), 'custody-attacked-'));
      cpSync(directory, copy, { recursive: true, verbatimSymlinks: true });
      const session = new Session(join(copy, 'store'));
      try {
        await act(async (statement) =>
          (await session.queryAsync(statement, { format: 'TabSeparated' })).text().trim(),
        );
      } finally {
        session.close();
        rmSync(copy, { recursive: true, force: true });
      }
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
  return ledger;
}

/** The engine's real refusal: statements with `part` run under a memory limit no read fits in. */
export function shortOfMemory(part: string): (raw: RawQuery) => RawQuery {
  return (raw) => (statement) =>
    raw(
      statement.includes(part)
        ? statement.replace('SETTINGS ', 'SETTINGS max_memory_usage = 1, ')
        : statement,
    );
}
