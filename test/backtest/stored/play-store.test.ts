import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alertQuality, labelsMet } from '../../../backtest/stored/alert-labels.ts';
import { playStore } from '../../../backtest/stored/play-store.ts';
import { unplayedAlerts } from '../../../backtest/stored/unplayed-alerts.ts';
import { storedAlerts, storedDispositions } from '../../../backtest/stored/stored-alerts.ts';
import type { StoredQuery } from '../../../backtest/stored/stored-query.ts';
import { encodeEvent } from '../../../collectors/normalize/encode.ts';
import { createEngine } from '../../../detectors/engine/engine.ts';
import { createEntryBuilder } from '../../../evidence/entry-builder.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createLogger } from '../../../runtime/logger.ts';
import { createMetrics } from '../../../runtime/metrics.ts';
import type { Alert } from '../../../schemas/alert.ts';
import { configSchema } from '../../../schemas/config.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../../../schemas/event.ts';
import { openChdbStore, type ChdbStore } from '../../../sinks/store/chdb-store.ts';
import { createSqlEndpoint } from '../../../sinks/store/sql-endpoint/sql-endpoint.ts';

const startMs = 1_767_225_600_000;
const config = configSchema.parse({ sql: { listener: { port: 0 } } });
/** The same call again and again: a loop, in three tenants, 10 s apart. */
const events = Array.from({ length: 90 }, (_, index): CustodyEvent => {
  const time = `${startMs + index * 10_000}000000`;
  const id = String(index).padStart(12, '0');
  return {
    ...{
      schema: EVENT_SCHEMA,
      event_id: `00000000-0000-8000-8000-${id}`,
      kind: 'tool_call',
      phase: 'complete',
    },
    ...{ tenant: `tenant-${index % 3}`, time_unix_nano: time, observed_time_unix_nano: time },
    source: { collector: 'otlp_http', signal: 'span', dialect: 'test', vantage: 'client' },
    session: {
      key: `s-${index % 3}-${Math.floor(index / 45)}`,
      source: 'conversation_id',
      confidence: 'high',
    },
    tool: { name: 'get_item', action: 'read' },
    arguments: { digest: 'a'.repeat(64), size_bytes: 20 },
    result: { category: 'ok', size_bytes: 10 },
  };
});

let store: ChdbStore;
let endpoint: ReturnType<typeof createSqlEndpoint>;
let query: StoredQuery;
let live: Alert[];
const path = mkdtempSync(join(tmpdir(), 'custody-play-store-'));

beforeAll(async () => {
  store = await openChdbStore({ path });
  const place = { deployment: 'test', topic: 'custody.events', topicId: 't', partition: 0 };
  const builder = createEntryBuilder(place, { day: -1, heads: [] });
  await store.append(
    events.flatMap((event, index) =>
      builder.add({
        key: event.tenant,
        value: encodeEvent(event),
        offset: BigInt(index),
        appendTimeMs: startMs + index * 10_000,
      }),
    ),
  );
  const deps = { logger: createLogger({ level: 'silent' }), metrics: createMetrics(), clock: systemClock };
  endpoint = createSqlEndpoint({ config: config.sql, tokens: [], storePath: store.path, ...deps });
  await endpoint.start();
  const { host, port } = endpoint.address();
  query = async (statement, parameters = {}) => {
    const url = new URL(`http://${host}:${port}/`);
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(`param_${name}`, value);
    const answer = await fetch(url, { method: 'POST', body: statement });
    if (!answer.ok) throw new Error(await answer.text());
    return answer;
  };
  const engine = createEngine(config.detect);
  live = events.flatMap((event, index) => engine.process({ event, appendTimeMs: startMs + index * 10_000 }));
  const alertBuilder = createEntryBuilder(
    { ...place, topic: 'custody.alerts', topicId: 'a' },
    { day: -1, heads: [] },
  );
  await store.append(
    live.flatMap((alert, index) =>
      alertBuilder.add({
        key: alert.tenant,
        value: Buffer.from(JSON.stringify(alert)),
        offset: BigInt(index),
        appendTimeMs: Number(alert.time_unix_nano.slice(0, -6)),
      }),
    ),
  );
});

afterAll(async () => {
  await endpoint.stop();
  await store.close();
  rmSync(path, { recursive: true, force: true });
});

const play = (threads: number, fromMs = 0, tenant?: string) =>
  playStore({
    ...{
      query,
      threads,
      config: config.detect,
      inForce: [],
      profile: threads === 1,
      sessions: new Set(['s-0-0', 's-1-1', 'nowhere']),
    },
    range: { warmupFromMs: 0, fromMs, toMs: startMs + 10_000_000, tenant },
    onProgress: () => undefined,
  });
const ids = (alerts: readonly Alert[]) => alerts.map(({ alert_id: id }) => id).sort();

describe('stored history', () => {
  test('gives the alerts the live engine raised, on one thread or two', async () => {
    expect(live.length).toBeGreaterThan(5);
    const one = await play(1);
    expect(one.events).toBe(events.length);
    expect(ids(one.alerts)).toEqual(ids(live));
    expect(one.times['loop']).toBeGreaterThan(0);
    expect([...one.sessions].sort()).toEqual(['s-0-0', 's-1-1']);
    expect((await play(2)).alerts).toEqual(one.alerts);
  });

  test('before the range it is learned from, and alerts are of the range and the tenant', async () => {
    const fromMs = startMs + 450_000;
    const later = live.filter(({ time_unix_nano: time }) => Number(time.slice(0, -6)) >= fromMs);
    expect(later.length).toBeGreaterThan(0);
    expect(later.length).toBeLessThan(live.length);
    expect(ids((await play(2, fromMs)).alerts)).toEqual(ids(later));
    expect([...(await play(2, fromMs)).sessions]).toEqual(['s-1-1']);
    const own = await play(1, 0, 'tenant-1');
    expect([...own.sessions]).toEqual(['s-1-1']);
    expect(ids(own.alerts)).toEqual(ids(live.filter(({ tenant }) => tenant === 'tenant-1')));
  });

  test('what fired and what people decided is asked of the store', async () => {
    const range = { warmupFromMs: 0, fromMs: 0, toMs: startMs * 2, tenant: undefined };
    const fired = await storedAlerts(query, range);
    expect([...fired.keys()].sort()).toEqual(ids(live));
    expect(await unplayedAlerts(query, range, fired.values())).toEqual(new Set());
    const toMs = startMs + 450_000;
    const later = live.filter(({ time_unix_nano: time }) => Number(time.slice(0, -6)) >= toMs);
    expect([...(await unplayedAlerts(query, { ...range, toMs }, fired.values()))].sort()).toEqual(ids(later));
    expect(await storedDispositions(query)).toEqual(new Map());
  });

  test('precision is of alerts anything is known of, recall of the sessions in which something was wrong', () => {
    const paging = live.filter(({ severity }) => severity !== 'low' && severity !== 'info');
    const [first] = paging;
    if (first === undefined) throw new Error('an alert that pages is needed');
    const sessions = new Map([
      [first.session_key ?? '', true],
      ['unseen', true],
      ['quiet', false],
      ['quiet elsewhere', false],
    ]);
    const known = { alerts: new Map([['never raised', true]]), sessions };
    const met = labelsMet(known, { alerts: live, sessions: new Set([first.session_key ?? '', 'quiet']) });
    expect(met).toMatchObject({ sessionsMissed: 2, alertsMissed: 1 });
    const quality = alertQuality(live, met.labels, new Map());
    expect(quality).toMatchObject({ precision: 1, recall: 1, sessions_wrong: 1, sessions_fine: 1 });
    expect(quality.sessions_fine_alerted).toBe(0);
    expect(quality.right + quality.wrong + quality.unknown).toBe(paging.length);
    const dismissed = new Map([[first.incident_id ?? '', 'false_positive' as const]]);
    expect(alertQuality([first], { alerts: new Map(), sessions: new Map() }, dismissed).precision).toBe(0);
  });
});

test('alerts on events that were not played are told apart from alerts that are gone', async () => {
  const evidence = new Map([
    ['00000000-0000-8000-8000-00000000000a', '00000000-0000-8000-8000-000000000001'],
    ['00000000-0000-8000-8000-00000000000b', '00000000-0000-8000-8000-000000000002'],
  ]);
  const asked: string[] = [];
  const store: StoredQuery = (statement) => {
    asked.push(statement);
    const rows = statement.includes('custody.alerts')
      ? [...evidence].map(([alert_id, event_id]) => ({ alert_id, event_id }))
      : [{ event_id: '00000000-0000-8000-8000-000000000001' }];
    return Promise.resolve(new Response(rows.map((row) => JSON.stringify(row)).join('\n')));
  };
  const missing = [...evidence.keys(), "x' OR 1 --"].map((id) => ({
    ...{ alert_id: id, detector_id: 'loop', severity: 'low', title: 't', session_key: 's', time: '' },
  }));
  const range = { warmupFromMs: 0, fromMs: 0, toMs: 1, tenant: undefined };
  expect([...(await unplayedAlerts(store, range, missing))]).toEqual([
    '00000000-0000-8000-8000-00000000000b',
  ]);
  expect(asked.join()).not.toContain('OR 1');
});
