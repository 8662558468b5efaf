import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from 'chdb';
import { expect } from 'vitest';
import { anchorOrigin, type AnchorAct, parseAnchorEntry } from '../../evidence/anchor-log/entry.ts';
import type { Hold } from '../../evidence/anchor-log/holds.ts';
import { localTrust } from '../../evidence/anchor-log/pinned-keys.ts';
import { createPruneBook, type PruneHistory } from '../../evidence/anchor-log/pruned.ts';
import { growRange } from '../../evidence/merkle/compact-range.ts';
import { formatVerifierKey, signingKey } from '../../evidence/note/key.ts';
import { composeCycle } from '../../notary/compose.ts';
import { findUnsigned } from '../../notary/discover.ts';
import { readBack } from '../../notary/read-back.ts';
import { emptyState, type NotaryState } from '../../notary/state.ts';
import { type RetentionReport, runRetention, type RunParts } from '../../retention/run.ts';
import { TransientError } from '../../runtime/errors.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { ALERT_SCHEMA } from '../../schemas/alert.ts';
import { configSchema } from '../../schemas/config.ts';
import { CHDB_ARGUMENTS } from '../../sinks/store/chdb-arguments.ts';
import { type ChdbStore, openChdbStore } from '../../sinks/store/chdb-store.ts';
import { readAnchorEntries } from '../../sinks/store/checkpoints.ts';
import { formatDay } from '../../sinks/store/day.ts';
import { createLedgerWriter, LEDGER_GROUP } from '../../sinks/store/ledger-writer.ts';
import type { VerifyReport } from '../../sinks/store/verify-report.ts';
import { verifyStore } from '../../sinks/store/verify-store.ts';
import { type EmbeddedLog, openEmbeddedLog } from '../../streams/embedded/open-log.ts';
import { TOPIC_NAMES } from '../../streams/topic.ts';
import { embeddedLogConfig } from '../support/embedded-log-config.ts';
import { sampleEvent } from '../support/sample-event.ts';

export const DEPLOYMENT = 'keep';
export const ORIGIN = anchorOrigin(DEPLOYMENT);
export const DAY_MS = 86_400_000;
/** Day 0 of the tests. */
export const START_DAY = 19_000;
export const RETENTION_DAYS = 3;

/** A ledger with a real log, writer and engine, and a notary that signs what is in the store when it is told to. */
export interface Arena {
  readonly directory: string;
  readonly store: ChdbStore;
  readonly log: EmbeddedLog;
  /** Sets the clock of the log: entries come on this day, counted from day 0. */
  setDay(day: number): void;
  /** Records of some tenants, in the ledger when it resolves. */
  write(tenants: readonly string[], count?: number): Promise<void>;
  stopWriter(): Promise<void>;
  /** Ends the writer and begins a new one, as a restart does. */
  restartWriter(): Promise<void>;
  readonly refused: readonly Error[];
  /** One cycle of the notary. */
  sign(acts?: readonly AnchorAct[]): Promise<void>;
  readonly signed: () => NotaryState;
  /** Lets anchors have what is signed by now, or not. */
  anchored: { size: bigint | 'all' };
  requestedHolds: Hold[];
  parts(change?: Partial<RunParts> & { readonly clockDay?: number }): RunParts;
  prune(change?: Partial<RunParts> & { readonly clockDay?: number }): Promise<RetentionReport>;
  /** Rows of a statement, columns split. */
  rows(query: string): Promise<string[][]>;
  /** Runs a statement as an administrator of the store. */
  mutate(statement: string): Promise<void>;
  /** Verifies the store with the notary's key known. */
  verify(): Promise<VerifyReport>;
  /** Days the store has, counted from day 0. */
  days(): Promise<number[]>;
  logOf(tenant: string, topic?: (typeof TOPIC_NAMES)[number]): string;
  /** `keep` leaves the data directory. */
  close(keep?: boolean): Promise<void>;
}

export async function startArena(): Promise<Arena> {
  const directory = mkdtempSync(join(tmpdir(), 'custody-retention-'));
  let nowMs = START_DAY * DAY_MS;
  const log = await openEmbeddedLog({
    directory: join(directory, 'log'),
    config: embeddedLogConfig(),
    clock: { nowMs: () => nowMs },
  });
  const store = await openChdbStore({ path: join(directory, 'store') });
  const admin = new Session(store.path, { connectionArgs: CHDB_ARGUMENTS });
  const refused: Error[] = [];
  const newWriter = () =>
    createLedgerWriter({
      topics: {
        events: log.topic('custody.events'),
        alerts: log.topic('custody.alerts'),
        deadletter: log.topic('custody.deadletter'),
      },
      store,
      log,
      deployment: DEPLOYMENT,
      config: { ...configSchema.parse({}).ledger, linger_ms: 0 },
      logger: createLogger({ level: 'silent' }),
      metrics: createMetrics(),
      onIntegrity: (error) => void refused.push(error),
    });
  let writer = newWriter();
  await writer.start();

  const key = signingKey(ORIGIN, 'log', generateKeyPairSync('ed25519').privateKey);
  let state = emptyState(ORIGIN, formatVerifierKey(key));
  const anchored: Arena['anchored'] = { size: 'all' };
  const requestedHolds: Hold[] = [];
  let number = 0;

  async function sign(acts: readonly AnchorAct[] = []): Promise<void> {
    const unsigned = await findUnsigned(store.raw, DEPLOYMENT, state, true);
    const { advances } = await readBack(store.raw, state, unsigned);
    const { next } = composeCycle(state, {
      deployment: DEPLOYMENT,
      timeMs: Math.max(state.timeMs + 1, nowMs),
      advances,
      acts,
      key,
      nextKey: undefined,
      signedUpToMs: new Map(),
    });
    if (next.publication !== undefined) await store.publish(next.publication);
    state = next;
  }

  async function drained(): Promise<void> {
    for (const name of TOPIC_NAMES) {
      const { end } = await log.topic(name).bounds(0);
      while (((await log.topic(name).committed(LEDGER_GROUP, 0)) ?? 0n) < end && refused.length === 0)
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  const arena: Arena = {
    directory,
    store,
    log,
    refused,
    anchored,
    requestedHolds,
    sign,
    signed: () => state,
    setDay(day) {
      nowMs = (START_DAY + day) * DAY_MS + 1000;
    },
    async write(tenants, count = 3) {
      for (const tenant of tenants) {
        const records = Array.from({ length: count }, () => ({
          key: tenant,
          value: sampleEvent(number++, tenant),
        }));
        await log.topic('custody.events').append(records);
        const alert = { schema: ALERT_SCHEMA, tenant, alert_id: `a-${number}`, title: 'one' };
        await log
          .topic('custody.alerts')
          .append([{ key: tenant, value: Buffer.from(JSON.stringify(alert)) }]);
      }
      await drained();
    },
    stopWriter: () => writer.stop(),
    async restartWriter() {
      await writer.stop();
      writer = newWriter();
      await writer.start();
    },
    parts({ clockDay = 1000, ...change } = {}) {
      return {
        raw: store.raw,
        dropper: store.dropper,
        deployment: DEPLOYMENT,
        retentionDays: RETENTION_DAYS,
        clock: { nowMs: () => (START_DAY + clockDay) * DAY_MS },
        operator: 'tests',
        logger: createLogger({ level: 'silent' }),
        notary: {
          signed: () => Promise.resolve({ size: state.anchor.end, root: growRange(state.anchor).root() }),
          anchoredSize: () => Promise.resolve(anchored.size === 'all' ? state.anchor.end : anchored.size),
          requestedHolds: () => Promise.resolve(requestedHolds),
          enter: (acts) => sign(acts),
          waitAnchored: (size) => Promise.resolve(anchored.size === 'all' || anchored.size >= size),
        },
        ...change,
      };
    },
    prune: (change) => runRetention(arena.parts(change)),
    async rows(query) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of store.raw(`${query} FORMAT TabSeparated`)) chunks.push(chunk);
      const lines = Buffer.concat(chunks).toString('utf8').split('\n').filter(Boolean);
      return lines.map((line) => line.split('\t'));
    },
    async mutate(statement) {
      await admin.queryAsync(statement);
    },
    verify: () =>
      verifyStore({
        raw: store.raw,
        states: log.states('ledger'),
        topics: () => Promise.resolve(TOPIC_NAMES.map((name) => log.topic(name))),
        deployment: DEPLOYMENT,
        trust: localTrust(formatVerifierKey(key)),
      }),
    async days() {
      const found = await arena.rows('SELECT DISTINCT toUInt16(day) AS d FROM custody.entries ORDER BY d');
      return found.map(([day]) => Number(day) - START_DAY);
    },
    logOf: (tenant, topic = 'custody.events') => `${DEPLOYMENT}/${tenant}/${log.topic(topic).topicId}-0/0`,
    async close(keep = false) {
      await writer.stop();
      admin.close();
      await store.close();
      await log.close();
      await new Promise((resolve) => setImmediate(resolve));
      if (!keep) rmSync(directory, { recursive: true, force: true });
    },
  };
  return arena;
}

/** Both tenants on every day, globex only on the first two; all of it signed. */
export async function writeSixDays(arena: Arena): Promise<void> {
  for (let day = 0; day < 6; day++) {
    arena.setDay(day);
    await arena.write(day < 2 ? ['acme', 'globex'] : ['acme']);
  }
  await arena.sign();
}

export const dayText = (day: number): string => formatDay(START_DAY + day);

/** A hold as an operator asks for it. */
export const holdAct = (
  hold_id: string,
  days: { from_day?: string; to_day?: string; tenant?: string } = {},
): Extract<AnchorAct, { type: 'hold' }> => ({
  type: 'hold',
  hold_id,
  operator: 'counsel',
  reason: 'case 7',
  ...days,
});

/** What the anchor log in the store announces. */
export async function announcedIn({ store }: Pick<Arena, 'store'>): Promise<PruneHistory> {
  const book = createPruneBook();
  for await (const { seq, body } of readAnchorEntries(store.raw, ORIGIN)) {
    const entry = parseAnchorEntry(body);
    if (entry !== undefined) book.add({ seq, entry });
  }
  return book.history;
}

/** Every log of which something was signed goes on from its announced start to its signed root, without a gap. */
export async function expectProvable(arena: Arena): Promise<void> {
  const { starts, refused } = await announcedIn(arena);
  expect(refused).toEqual([]);
  expect(arena.signed().logs.size).toBeGreaterThan(0);
  const rows = await arena.rows(
    'SELECT DISTINCT log, seq, lower(hex(leaf)) FROM custody.entries ORDER BY log, seq',
  );
  for (const [log, { range }] of arena.signed().logs) {
    const start = starts.get(log);
    const from = start?.firstSeq ?? 0n;
    const leaves = rows.filter(([of, seq = '']) => of === log && BigInt(seq) >= from);
    const tree = growRange(start?.range);
    for (const [, seq = '', leaf = ''] of leaves.slice(0, Number(range.end - tree.end))) {
      expect(BigInt(seq)).toBe(tree.end);
      tree.append(Buffer.from(leaf, 'hex'));
    }
    expect(tree.end).toBe(range.end);
    expect(Buffer.from(tree.root())).toEqual(Buffer.from(growRange(range).root()));
  }
}

/** A step that fails once: before it did anything, or after it did everything. */
export type Fault = 'failed' | 'failed but persisted';

export function failing<Arguments extends unknown[], Result>(
  step: (...given: Arguments) => Promise<Result>,
  fault: Fault,
  at = 0,
): (...given: Arguments) => Promise<Result> {
  let calls = 0;
  return async (...given) => {
    const fails = calls++ === at;
    if (fails && fault === 'failed')
      throw new TransientError('unavailable', 'cannot go on: the test says so');
    const result = await step(...given);
    if (fails) throw new TransientError('unavailable', 'cannot go on: the test says so');
    return result;
  };
}
