/**
 * Backtest over a store written for it: events a second from the store through the engine with all detectors, on as many
 * threads as there are processors, and where the time goes: `tsx bench/backtest.bench.ts [events] [tenants] [threads]`.
 * The shipped rules and a registry are in force, as they are by default. Reads through the SQL endpoint, as the command does, and
 * plays with the built code (`npm run build` first): tsx wraps every inner function, which costs a third.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoredQuery } from '../backtest/stored/stored-query.ts';
import { createEntryBuilder, type SealedEntry } from '../evidence/entry-builder.ts';
import { policyEvent } from '../pipeline/partition-policies.ts';
import { policyDocumentOf } from '../pipeline/policy-source.ts';
import { readRuleFiles } from '../pipeline/rule-files.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLogger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { configSchema } from '../schemas/config.ts';
import { openChdbStore } from '../sinks/store/chdb-store.ts';
import { createSqlEndpoint } from '../sinks/store/sql-endpoint/sql-endpoint.ts';
import { report } from './machine.ts';
import { recordAt, toolRegistry } from './tool-calls.ts';

const built = new URL('../dist/backtest/stored/play-store.js', import.meta.url).href;
const { playStore } = (await import(built)) as typeof import('../backtest/stored/play-store.ts');

const count = Number(process.argv[2] ?? 300_000);
const tenants = Number(process.argv[3] ?? 100);
const threads = Number(process.argv[4] ?? availableParallelism());
const shape = { tenants, sessions: tenants * 10 };
const source = { deployment: 'bench', topic: 'custody.events', topicId: 't-events', partition: 0 };
const startMs = 1_767_600_000_000;
const path = mkdtempSync(join(tmpdir(), 'custody-backtest-bench-'));
const store = await openChdbStore({ path });
const builder = createEntryBuilder(source, { day: -1, heads: [] });
for (let from = 0; from < count; from += 10_000) {
  const entries: SealedEntry[] = [];
  for (let index = from; index < Math.min(count, from + 10_000); index++)
    entries.push(
      ...builder.add({ ...recordAt(index, shape), offset: BigInt(index), appendTimeMs: startMs + index }),
    );
  await store.append(entries);
}
const inForce = [
  policyDocumentOf('registry', toolRegistry),
  policyDocumentOf('rules', readRuleFiles(['rules']).document),
].map((document) => policyEvent('custody-control.0', document, 1));
const config = configSchema.parse({ sql: { listener: { port: 0 } } });
const endpoint = createSqlEndpoint({
  ...{ config: config.sql, tokens: [], storePath: store.path },
  ...{ logger: createLogger({ level: 'silent' }), metrics: createMetrics(), clock: systemClock },
});
await endpoint.start();
const { host, port } = endpoint.address();
let readMs = 0;
let readBytes = 0;
const query: StoredQuery = async (statement, parameters = {}) => {
  const url = new URL(`http://${host}:${port}/`);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(`param_${name}`, value);
  const began = performance.now();
  const response = await fetch(url, { method: 'POST', body: statement });
  const bytes = await response.arrayBuffer();
  readMs += performance.now() - began;
  readBytes += bytes.byteLength;
  if (!response.ok) throw new Error(`cannot read the store: ${Buffer.from(bytes).toString()}`);
  return new Response(bytes);
};
const range = { warmupFromMs: 0, fromMs: 0, toMs: startMs + count, tenant: undefined };
const began = performance.now();
const cpuBegan = process.cpuUsage();
const played = await playStore({
  ...{
    query,
    range,
    threads,
    config: config.detect,
    inForce,
    profile: false,
    sessions: new Set<string>(),
  },
  onProgress: () => undefined,
});
const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpuBegan);
if (played.events !== count) throw new Error(`played ${played.events} of ${count} events`);
await endpoint.stop();
await store.close();
rmSync(path, { recursive: true, force: true });
report(
  'backtest',
  `${count} events of ${tenants} tenants, ${threads} threads, shipped rules and a registry in force, store and SQL endpoint in the same process`,
  {
    events: count,
    seconds: Number(seconds.toFixed(2)),
    events_per_sec: Math.round(count / seconds),
    cpu_us_per_event: Number(((user + system) / count).toFixed(1)),
    playing_us_per_event: Number(((played.busyMs * 1000) / count).toFixed(1)),
    reading_us_per_event: Number(((readMs * 1000) / count).toFixed(1)),
    read_mib: Math.round(readBytes / 1024 / 1024),
    alerts: played.alerts.length,
  },
);
