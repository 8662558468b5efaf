import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alertQuality } from '../../../backtest/stored/alert-labels.ts';
import { playStore } from '../../../backtest/stored/play-store.ts';
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
      sessions: new Set(['s-0-0']),
    },
    range: { warmupFromMs: 0, fromMs, toMs: startMs + 10_000_000, tenant },
    onProgress: () => undefined,
  });
const ids = (alerts: readonly Alert[]) => alerts.map(({ alert_id: id }) => id).sort();

describe('stored history', () => {
  test('gives the alerts the live engine raised, on one thread or two', { timeout: 120_000 }, async () => {
    expect(live.length).toBeGreaterThan(5);
    const one = await play(1);
    expect(one.events).toBe(events.length);
    expect(ids(one.alerts)).toEqual(ids(live));
    expect(one.times['loop']).toBeGreaterThan(0);
    expect((await play(2)).alerts).toEqual(one.alerts);
  });

  test(
    'before the range it is learned from, and alerts are of the range and the tenant',
    { timeout: 120_000 },
    async () => {
      const fromMs = startMs + 450_000;
      const later = live.filter(({ time_unix_nano: time }) => Number(time.slice(0, -6)) >= fromMs);
      expect(later.length).toBeGreaterThan(0);
      expect(later.length).toBeLessThan(live.length);
      expect(ids((await play(2, fromMs)).alerts)).toEqual(ids(later));
      const own = await play(1, 0, 'tenant-1');
      expect(ids(own.alerts)).toEqual(ids(live.filter(({ tenant }) => tenant === 'tenant-1')));
    },
  );

  test('what fired and what people decided is asked of the store', async () => {
    const range = { warmupFromMs: 0, fromMs: 0, toMs: startMs * 2, tenant: undefined };
    expect(await storedAlerts(query, range)).toEqual(new Map());
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
    ]);
    const quality = alertQuality(live, { alerts: new Map(), sessions }, new Map());
    expect(quality).toMatchObject({ precision: 1, recall: 0.5, sessions_fine: 1, sessions_fine_alerted: 0 });
    expect(quality.right + quality.wrong + quality.unknown).toBe(paging.length);
    const dismissed = new Map([[first.incident_id ?? '', 'false_positive' as const]]);
    expect(alertQuality([first], { alerts: new Map(), sessions: new Map() }, dismissed).precision).toBe(0);
  });
});
