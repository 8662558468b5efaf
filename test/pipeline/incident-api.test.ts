import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { request } from 'node:http';
import { createEngine } from '../../detectors/engine/engine.ts';
import { createAdminHttp } from '../../pipeline/admin-http.ts';
import { incidentChangeEvent, incidentChangeRecord } from '../../pipeline/incident-change.ts';
import type { Status } from '../../pipeline/status.ts';
import type { BearerToken } from '../../runtime/bearer.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { configSchema } from '../../schemas/config.ts';
import { eventSchema } from '../../schemas/event.ts';
import type { RawQuery } from '../../sinks/store/store.ts';
import {
  ledgerOf,
  sealed,
  source,
  START_MS,
  startStore,
  type StoreHarness,
} from '../sinks/store/ledger-harness.ts';
import { sampleAlert, uuid } from '../sinks/siem/sample-alert.ts';
import { memoryState, memoryTopic, type MemoryTopic } from '../support/memory-topic.ts';

const ours = uuid(501);
const theirs = uuid(502);
const tokens: BearerToken[] = [
  { value: 'ann-token', tenant: undefined, name: 'ann' },
  { value: 'acme-token', tenant: 'acme', name: 'acme desk' },
];

let store: StoreHarness;
let events: MemoryTopic;
const stops: (() => Promise<void>)[] = [];
beforeAll(async () => {
  store = await startStore();
  const alerts = [
    sampleAlert(1, { incident_id: ours, risk_score: 60 }),
    sampleAlert(2, { incident_id: ours, risk_score: 84, severity: 'critical', related_incidents: [uuid(9)] }),
    sampleAlert(3, { incident_id: theirs, risk_score: 60, tenant: 'rival' }),
  ].map((alert) => ({
    key: alert.tenant,
    value: Buffer.from(JSON.stringify(alert)),
    appendTimeMs: START_MS + 60_000,
  }));
  await store.store().append(sealed(alerts, { ...source, topic: 'custody.alerts', topicId: 't-alerts' }));
  events = memoryTopic('custody.events', START_MS + 120_000);
  const ledger = ledgerOf({ store: store.store(), state: memoryState(), events });
  await ledger.start();
  stops.push(() => ledger.stop());
});
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
  await store.close();
});

interface Doors {
  readonly tokens?: readonly BearerToken[];
  readonly raw?: RawQuery | undefined;
  readonly topic?: { append: MemoryTopic['append'] };
}
async function open(doors: Doors = {}): Promise<string> {
  const http = createAdminHttp({
    listener: { enabled: true, host: '127.0.0.1', port: 0, dangerously_without_tls: false },
    tokens: doors.tokens ?? tokens,
    metrics: createMetrics(),
    status: () => Promise.resolve({ ready: true, alarms: [] } as unknown as Status),
    learning: (tenant) => (tenant === 'acme' ? { loop: { learning: true, seen: 3 } } : {}),
    incidents: {
      events: doors.topic ?? events,
      raw: 'raw' in doors ? doors.raw : store.store().raw,
      clock: { nowMs: () => START_MS + 120_000 },
      logger: createLogger({ level: 'silent' }),
    },
  });
  await http.start();
  stops.push(() => http.stop());
  return `http://127.0.0.1:${http.address().port}`;
}

let url: string;
beforeEach(async () => {
  url = await open();
});

interface Answer {
  readonly status: number;
  readonly body: {
    readonly error?: { readonly code: string; readonly message: string; readonly path?: string };
    readonly [name: string]: unknown;
  };
}
async function ask(
  path: string,
  {
    body,
    token = 'ann-token',
    type = 'application/json',
    base = url,
    raw,
  }: {
    body?: unknown;
    token?: string;
    type?: string;
    base?: string;
    raw?: string;
  } = {},
): Promise<Answer> {
  const text = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await fetch(`${base}${path}`, {
    headers: {
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(text === undefined ? {} : { 'content-type': type }),
    },
    ...(text === undefined ? {} : { method: 'POST', body: text }),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}
const lastEvent = () => {
  const record = events.records.at(-1);
  return eventSchema.parse(JSON.parse(Buffer.from(record?.value ?? []).toString()));
};

describe('GET /v1/incidents', () => {
  it('lists incidents by risk, and filters by tenant, status and time', async () => {
    const list = async (query: string) =>
      ((await ask(`/v1/incidents${query}`)).body['incidents'] as { incident_id: string }[]).map(
        ({ incident_id }) => incident_id,
      );
    expect(await list('')).toEqual([ours, theirs]);
    expect(await list('?tenant=rival&status=open')).toEqual([theirs]);
    expect(await list('?status=resolved')).toEqual([]);
    expect(await list(`?since=${new Date(START_MS - 1000).toISOString()}`)).toEqual([ours, theirs]);
    expect(await list('?since=2199-01-01T00:00:00Z')).toEqual([]);
    expect(await list('?limit=1')).toEqual([ours]);
  });

  it.each([
    ['?tenant=no%20tenant', 'query.tenant'],
    ['?status=gone', 'query.status'],
    ["?since='%20OR%201", 'query.since'],
    ['?limit=100000', 'query.limit'],
    ['?other=1', 'query'],
  ])('refuses %s and says what is wrong', async (query, path) => {
    expect(await ask(`/v1/incidents${query}`)).toMatchObject({
      status: 400,
      body: { error: { code: 'input_invalid', path } },
    });
  });

  it('quotes what it puts into its statement', async () => {
    const assignee = encodeURIComponent("x' OR 1 -- \\");
    expect((await ask(`/v1/incidents?assignee=${assignee}`)).body['incidents']).toEqual([]);
  });
});

describe('GET /v1/incidents/:id', () => {
  it('gives the incident, its alerts with their places in the ledger, and its changes', async () => {
    const { body } = await ask(`/v1/incidents/${ours.toUpperCase()}`);
    expect(body).toMatchObject({
      incident: { incident_id: ours, severity: 'critical', risk_score: 84, related_incidents: [uuid(9)] },
      alerts: [
        { alert_id: uuid(1), seq: 1 },
        { alert_id: uuid(2), seq: 2 },
      ],
    });
  });

  it.each([
    [uuid(777), 404, 'not_found'],
    ['7d0f', 400, 'input_invalid'],
    ["'; DROP", 400, 'input_invalid'],
  ])('answers %s with %i', async (id, status, code) => {
    expect(await ask(`/v1/incidents/${encodeURIComponent(id)}`)).toMatchObject({
      status,
      body: { error: { code } },
    });
  });
});

describe('POST /v1/incidents/:id', () => {
  it('appends an event that names who did it by the token, and the ledger and the views show it', async () => {
    const change = { status: 'acknowledged', assignee: 'bob', disposition: 'undetermined', note: 'looking' };
    const { status, body } = await ask(`/v1/incidents/${ours}`, { body: change });
    expect(status).toBe(200);
    expect(lastEvent()).toMatchObject({
      event_id: body['event_id'],
      kind: 'incident',
      tenant: 'acme',
      incident: { incident_id: ours, ...change, changed_by: 'ann' },
      source: { collector: 'pipeline' },
    });
    expect(events.records.at(-1)?.key).toBe('acme');
    await events.drained('ledger');
    const after = await ask(`/v1/incidents/${ours}`);
    expect(after.body).toMatchObject({
      incident: { status: 'acknowledged', assignee: 'bob', time_to_acknowledge_sec: 60 },
    });
    expect((after.body['changes'] as unknown[]).at(-1)).toMatchObject({ changed_by: 'ann', note: 'looking' });
  });

  it('takes the name of nobody but the token: a body that names another is refused', async () => {
    const before = events.records.length;
    for (const body of [
      { status: 'resolved', changed_by: 'the boss' },
      { status: 'resolved', incident_id: theirs },
      { status: 'resolved', tenant: 'rival' },
    ])
      expect((await ask(`/v1/incidents/${ours}`, { body })).status).toBe(400);
    expect(events.records.length).toBe(before);
  });

  it('redacts what is secret in a note before it is durable', async () => {
    await ask(`/v1/incidents/${ours}`, { body: { note: 'key AKIAIOSFODNN7EXAMPLE of jo@example.test' } });
    const { incident, pii } = lastEvent();
    expect(incident?.note).not.toMatch(/AKIAIOSFODNN7EXAMPLE|jo@example/);
    expect(Object.keys(pii?.redactions ?? {}).length).toBeGreaterThan(0);
  });

  it.each([
    ['nothing', {}],
    ['an unknown status', { status: 'closed' }],
    ['an unknown disposition', { disposition: 'maybe' }],
    ['a number for a text', { note: 7 }],
    ['an assignee of many lines', { assignee: 'a\nb' }],
    ['a note that is too long', { note: 'x'.repeat(2049) }],
    ['an assignee that is too long', { assignee: 'x'.repeat(257) }],
    ['a list', []],
    ['null', null],
  ])('refuses %s, and appends nothing', async (_what, body) => {
    const before = events.records.length;
    const answer = await ask(`/v1/incidents/${ours}`, { raw: JSON.stringify(body) });
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'input_invalid' } } });
    expect(answer.body.error?.path).toMatch(/^body/);
    expect(events.records.length).toBe(before);
  });

  it.each([
    ['empty', ''],
    ['blank', ' \n\t'],
    ['invisible', '\u200b\u00ad\ufeff'],
  ])('refuses a note that is %s, names its place, and appends nothing', async (_what, note) => {
    const before = events.records.length;
    for (const body of [{ note }, { status: 'resolved', note }])
      expect(await ask(`/v1/incidents/${ours}`, { body })).toMatchObject({
        status: 400,
        body: { error: { code: 'input_invalid', path: 'body.note' } },
      });
    expect(events.records.length).toBe(before);
  });

  it('reads an empty note of a record that is in the log already', async () => {
    const event = incidentChangeEvent(
      { status: 'in_progress', note: '' },
      { tenant: 'acme', incidentId: ours, changedBy: 'ann', nowMs: START_MS + 120_000 },
    );
    await events.append([incidentChangeRecord(event)]);
    await events.drained('ledger');
    const { body } = await ask(`/v1/incidents/${ours}`);
    expect((body['changes'] as unknown[]).at(-1)).toMatchObject({ status: 'in_progress', note: '' });
    expect(body['incident']).toMatchObject({ status: 'in_progress' });
    const engine = createEngine(configSchema.parse({}).detect);
    expect(engine.process({ event: lastEvent(), appendTimeMs: START_MS })).toEqual([]);
  });

  it('refuses what is no JSON, too large, or comes as another type', async () => {
    expect(await ask(`/v1/incidents/${ours}`, { raw: '{"status":' })).toMatchObject({ status: 400 });
    expect(await ask(`/v1/incidents/${ours}`, { raw: `"${'x'.repeat(20_000)}"` })).toMatchObject({
      status: 413,
      body: { error: { code: 'input_too_large' } },
    });
    const before = events.records.length;
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/xml']) {
      const { status } = await ask(`/v1/incidents/${ours}`, { raw: '{"status":"resolved"}', type });
      expect(status).toBe(type === 'text/plain' ? 400 : 415);
    }
    expect(events.records.length).toBe(before);
  });

  it('does not know an incident without an alert, and appends nothing', async () => {
    const before = events.records.length;
    expect(await ask(`/v1/incidents/${uuid(777)}`, { body: { status: 'resolved' } })).toMatchObject({
      status: 404,
      body: { error: { code: 'not_found' } },
    });
    // Named as related by an alert, but no alert is in it.
    expect((await ask(`/v1/incidents/${uuid(9)}`, { body: { status: 'resolved' } })).status).toBe(404);
    expect(events.records.length).toBe(before);
  });

  it('says so when the log does not take it', async () => {
    const topic = { append: () => Promise.reject(new Error('secret detail')) };
    const base = await open({ topic });
    const { status, body } = await ask(`/v1/incidents/${ours}`, { base, body: { status: 'resolved' } });
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain('secret detail');
  });

  it('answers 503 when too many questions run at once, and again 200 when they ended', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let started = 0;
    const raw: RawQuery = async function* (statement) {
      started += 1;
      await held;
      yield* store.store().raw(statement);
    };
    const base = await open({ raw });
    const waiting = Array.from({ length: 4 }, () => ask('/v1/incidents', { base }));
    await expect.poll(() => started).toBe(4);
    expect(await ask('/v1/incidents', { base })).toMatchObject({
      status: 503,
      body: { error: { code: 'overloaded' } },
    });
    release();
    for (const answer of await Promise.all(waiting)) expect(answer.status).toBe(200);
    expect((await ask('/v1/incidents', { base })).status).toBe(200);
  });

  it('answers 503 in a process that has no ledger', async () => {
    const base = await open({ raw: undefined });
    expect(await ask(`/v1/incidents/${ours}`, { base, body: { status: 'resolved' } })).toMatchObject({
      status: 503,
      body: { error: { code: 'unavailable' } },
    });
  });
});

describe('who may', () => {
  it('nobody without a token where there are tokens', async () => {
    const before = events.records.length;
    for (const token of ['', 'wrong'])
      expect((await ask(`/v1/incidents/${ours}`, { token, body: { status: 'resolved' } })).status).toBe(401);
    expect(events.records.length).toBe(before);
  });

  it("a token of one tenant sees and changes that tenant's incidents alone", async () => {
    const token = 'acme-token';
    const before = events.records.length;
    expect((await ask('/v1/incidents', { token })).body['incidents']).toHaveLength(1);
    expect((await ask('/v1/incidents?tenant=rival', { token })).body['incidents']).toEqual([]);
    expect((await ask(`/v1/incidents/${theirs}`, { token })).status).toBe(404);
    const body = { disposition: 'false_positive' };
    expect((await ask(`/v1/incidents/${theirs}`, { token, body })).status).toBe(404);
    expect(events.records.length).toBe(before);
    expect((await ask(`/v1/incidents/${ours}`, { token, body })).status).toBe(200);
    expect(lastEvent().incident?.changed_by).toBe('acme desk');
  });

  it('everybody on this machine where there is no token, but no web page under a name of its own', async () => {
    const base = await open({ tokens: [] });
    expect((await ask(`/v1/incidents/${ours}`, { base, token: '', body: { note: 'n' } })).status).toBe(200);
    expect(lastEvent().incident?.changed_by).toBe('local');
    const { port } = new URL(base);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request(
        { port, host: '127.0.0.1', path: '/v1/incidents', headers: { host: 'evil.example' } },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      )
        .on('error', reject)
        .end();
    });
    expect(status).toBe(403);
  });
});

describe('GET /v1/learning', () => {
  it('tells how far the detectors are with a tenant, to who may know', async () => {
    expect((await ask('/v1/learning?tenant=acme')).body).toEqual({
      tenant: 'acme',
      detectors: { loop: { learning: true, seen: 3 } },
    });
    expect((await ask('/v1/learning?tenant=rival', { token: 'acme-token' })).body['detectors']).toEqual({});
    expect((await ask('/v1/learning')).status).toBe(400);
  });
});
