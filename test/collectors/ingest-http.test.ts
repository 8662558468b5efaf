import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { createIngestHttp, type HttpTimeouts, type IngestHttp } from '../../collectors/ingest-http.ts';
import type { IngestDeps } from '../../collectors/intake.ts';
import type { BearerToken } from '../../runtime/bearer.ts';
import { TransientError } from '../../runtime/errors.ts';
import { eventSchema } from '../../schemas/event.ts';
import { malformedSchema } from '../../schemas/malformed.ts';
import { verifies } from '../requirements.ts';
import { heldTopic, testIngest, type TestIngest } from '../support/ingest-deps.ts';
import { asOtlpJson } from '../support/otlp-arbitrary.ts';
import { logsResponse, rpcStatus, traceResponse } from '../support/otlp-proto.ts';
import { badSpan, spansBody, spansRequest, toolSpan } from '../support/otlp-requests.ts';
import { sampleEvent } from '../support/sample-event.ts';
import type { Parsed } from '../support/parsed.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly json: () => Parsed;
}

let ingest: TestIngest;
let http: IngestHttp;

async function start(
  config: Record<string, unknown> = {},
  options: Parameters<typeof testIngest>[1] & {
    change?: (deps: IngestDeps) => IngestDeps;
    timeouts?: HttpTimeouts;
  } = {},
): Promise<void> {
  ingest = await testIngest(config, options);
  http = createIngestHttp(options.change?.(ingest.deps) ?? ingest.deps, options.timeouts);
  await http.start();
}

afterEach(async () => {
  await http.stop();
  await ingest.close();
});

function post(
  path: string,
  body: Uint8Array | string,
  headers: Record<string, string> = { 'content-type': 'application/x-protobuf' },
  method = 'POST',
): Promise<Answer> {
  const { host, port } = http.address();
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host, port, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const whole = Buffer.concat(chunks);
        const json = () => JSON.parse(whole.toString());
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: whole, json });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

const JSON_TYPE = { 'content-type': 'application/json' };
const NDJSON_TYPE = { 'content-type': 'application/x-ndjson' };
const token: BearerToken = { value: 'the-right-token', tenant: 'acme' };
const audit = (overrides: Record<string, unknown> = {}) => ({
  event: 'mcp.tool.invoke',
  time: '2026-09-22T10:00:00Z',
  'actor.id': 'agent-1',
  'tool.name': 'search_docs',
  ...overrides,
});

describe('OTLP over HTTP', () => {
  it('stores every span of a request and answers with the empty message', async () => {
    await start();
    const answer = await post('/v1/traces', spansBody(toolSpan(), toolSpan()));
    expect(answer).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    expect(answer.headers['content-type']).toBe('application/x-protobuf');
    const events = await ingest.stored(ingest.deps.events);
    expect(events).toHaveLength(2);
    for (const event of events) {
      expect(eventSchema.parse(event)).toMatchObject({
        tenant: 'default',
        source: { collector: 'otlp_http' },
      });
    }
  });

  it('answers JSON with JSON, whatever parameters the content type has', async () => {
    await start();
    const body = asOtlpJson(spansRequest(toolSpan()));
    const answer = await post('/v1/traces', body, { 'content-type': 'Application/JSON; charset=utf-8' });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.json()).toEqual({});
    expect(await ingest.stored(ingest.deps.events)).toHaveLength(1);
  });

  it('takes empty requests', async () => {
    await start();
    expect(await post('/v1/traces', '')).toMatchObject({ status: 200 });
    expect(await post('/v1/logs', '{}', JSON_TYPE)).toMatchObject({ status: 200 });
  });

  it('keeps the good spans, tells which were refused and keeps those as malformed records', async () => {
    verifies('P2', 'P10');
    await start();
    const answer = await post('/v1/traces', spansBody(toolSpan(), badSpan(), toolSpan()));
    expect(answer.status).toBe(200);
    const { partialSuccess } = traceResponse.toObject(traceResponse.decode(answer.body), { longs: Number });
    expect(partialSuccess.rejectedSpans).toBe(1);
    expect(partialSuccess.errorMessage).toBe(
      'resourceSpans[0].scopeSpans[0].spans[1].traceId: must be 16 bytes',
    );
    expect(await ingest.stored(ingest.deps.events)).toHaveLength(2);
    const [malformed] = await ingest.stored(ingest.deps.deadletter);
    expect(malformedSchema.parse(malformed)).toMatchObject({
      stage: 'otlp_http',
      code: 'input_invalid',
      path: 'resourceSpans[0].scopeSpans[0].spans[1].traceId',
      reason: 'must be 16 bytes',
    });
    expect(malformed.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(malformed.excerpt).toContain('search_docs');
  });

  it('answers a partial success in JSON with the count as a string', async () => {
    await start();
    const answer = await post('/v1/traces', asOtlpJson(spansRequest(badSpan())), JSON_TYPE);
    expect(answer.status).toBe(200);
    expect(answer.json().partialSuccess).toMatchObject({ rejectedSpans: '1' });
  });

  it('redacts secrets from the excerpt of a refused span in both encodings', async () => {
    verifies('P7');
    await start();
    const secret = ['ghp', 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8'].join('_');
    const attributes = [
      { key: 'password', value: { stringValue: 'correct horse battery' } },
      { key: 'note', value: { stringValue: `token is ${secret}` } },
    ];
    const span = { ...badSpan(), attributes };
    await post('/v1/traces', spansBody(span));
    await post('/v1/traces', asOtlpJson(spansRequest(span)), JSON_TYPE);
    await post('/v1/traces', asOtlpJson(spansRequest({ ...span, kind: [] })), JSON_TYPE);
    const records = await ingest.stored(ingest.deps.deadletter);
    expect(records).toHaveLength(3);
    for (const record of records) {
      expect(record.excerpt).toContain('note');
      expect(JSON.stringify(record)).not.toContain(secret);
      expect(JSON.stringify(record)).not.toContain('correct horse');
    }
  });

  it('answers an undecodable body with 400 and a Status in its encoding, and keeps one malformed record', async () => {
    verifies('P10');
    await start();
    const binary = await post('/v1/traces', Buffer.from([0x0a, 0x7f, 1]));
    expect(binary.status).toBe(400);
    const status = rpcStatus.toObject(rpcStatus.decode(binary.body));
    expect(status).toMatchObject({ code: 3 });
    expect(status['message']).toContain('behind the end of its message');
    const json = await post('/v1/logs', '{"resourceLogs": hunter2', JSON_TYPE);
    expect(json.status).toBe(400);
    expect(json.json()).toMatchObject({ code: 3 });
    expect(json.body.toString()).not.toContain('hunter2');
    const records = await ingest.stored(ingest.deps.deadletter);
    expect(records.map(({ size_bytes }) => size_bytes)).toEqual([3, 24]);
    expect(await ingest.stored(ingest.deps.events)).toEqual([]);
  });

  it('answers nothing before the append has resolved', async () => {
    verifies('P1');
    let held: ReturnType<typeof heldTopic> | undefined;
    await start({}, { change: (deps) => ({ ...deps, events: (held = heldTopic(deps.events)) }) });
    let answered = false;
    const answer = post('/v1/traces', spansBody(toolSpan())).then((done) => {
      answered = true;
      return done;
    });
    await held!.appending;
    // Another request goes all the way round while the first one waits.
    expect((await post('/v1/traces', '')).status).toBe(200);
    expect(answered).toBe(false);
    held!.settle();
    expect((await answer).status).toBe(200);
    expect(await ingest.stored(ingest.deps.events)).toHaveLength(1);
  });

  it.each(['overloaded', 'unavailable', 'disk_full'] as const)(
    'answers 503 with Retry-After when the append rejects with %s',
    async (code) => {
      verifies('P1');
      let held: ReturnType<typeof heldTopic> | undefined;
      await start({}, { change: (deps) => ({ ...deps, events: (held = heldTopic(deps.events)) }) });
      held!.settle(new TransientError(code, 'cannot append: test', { retryAfterMs: 2500 }));
      const answer = await post('/v1/traces', spansBody(toolSpan()));
      expect(answer.status).toBe(503);
      expect(answer.headers['retry-after']).toBe('3');
      expect(rpcStatus.toObject(rpcStatus.decode(answer.body))).toMatchObject({ code: 14 });
    },
  );

  it('finishes what it has read before it stops, and answers it', async () => {
    let held: ReturnType<typeof heldTopic> | undefined;
    await start({}, { change: (deps) => ({ ...deps, events: (held = heldTopic(deps.events)) }) });
    const answer = post('/v1/traces', spansBody(toolSpan()));
    await held!.appending;
    const stopped = http.stop();
    held!.settle();
    expect((await answer).status).toBe(200);
    await stopped;
  });

  it('stops while a body is still coming in, and may be stopped before start and twice', async () => {
    await start();
    const { host, port } = http.address();
    const socket = connect(port, host);
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.on('close', resolve));
    await new Promise<void>((resolve) => {
      socket.on('connect', () => {
        socket.write(
          'POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\nContent-Length: 9\r\n\r\nx',
          () => resolve(),
        );
      });
    });
    await http.stop();
    await closed;
    await http.stop();
    await createIngestHttp(ingest.deps).stop();
  });
});

describe('the borders of the HTTP receiver', () => {
  it('asks for the token, and its tenant wins over the record’s own', async () => {
    verifies('P8');
    await start({}, { tokens: [token] });
    const missing = await post('/v1/traces', spansBody(toolSpan()));
    expect(missing.status).toBe(401);
    expect(missing.headers['www-authenticate']).toBe('Bearer');
    expect(rpcStatus.toObject(rpcStatus.decode(missing.body))).toMatchObject({ code: 16 });
    const wrong = await post('/v1/audit', '{}', { ...JSON_TYPE, authorization: 'Bearer wrong' });
    expect(wrong.status).toBe(401);
    expect(wrong.json().error.code).toBe('unauthorized');
    const headers = { 'content-type': 'application/x-protobuf', authorization: 'Bearer the-right-token' };
    const claims = [{ key: 'tenant.id', value: { stringValue: 'someone-else' } }];
    expect((await post('/v1/traces', spansBody(toolSpan({ attributes: claims })), headers)).status).toBe(200);
    expect(await ingest.stored(ingest.deps.events)).toMatchObject([{ tenant: 'acme' }]);
    expect(await ingest.stored(ingest.deps.deadletter)).toEqual([]);
  });

  it.each([
    ['GET', '/v1/traces', 405],
    ['HEAD', '/v1/traces', 405],
    ['OPTIONS', '/v1/audit', 405],
    ['POST', '/v1/metrics', 404],
    ['POST', '/', 404],
    ['POST', '/v1/traces/', 404],
    ['POST', '/__proto__', 404],
  ])('answers %s %s with %i and no CORS header', async (method, path, status) => {
    await start();
    const answer = await post(path, '', JSON_TYPE, method);
    expect(answer.status).toBe(status);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    if (status === 405) expect(answer.headers.allow).toBe('POST');
    if (path === '/v1/metrics') expect(answer.json().error.message).toContain('only traces and logs');
  });

  it.each([
    [{ 'content-type': 'text/plain' }, 'unsupported_media_type'],
    [{}, 'unsupported_media_type'],
    [{ 'content-type': 'application/json', 'content-encoding': 'br' }, 'unsupported_encoding'],
    [{ 'content-type': 'application/json', 'content-encoding': 'gzip, gzip' }, 'unsupported_encoding'],
  ])('answers 415 to %o', async (headers, code) => {
    await start();
    const answer = await post('/v1/audit', '{}', headers);
    expect(answer.status).toBe(415);
    expect(answer.json().error.code).toBe(code);
  });

  it('refuses a foreign host name while it has no token, as a rebound web page would send', async () => {
    verifies('P8');
    await start();
    const answer = await post('/v1/audit', JSON.stringify(audit()), {
      ...JSON_TYPE,
      host: 'evil.example:4318',
    });
    expect(answer.status).toBe(403);
    expect((await post('/v1/traces', '', { ...JSON_TYPE, host: 'localhost:4318' })).status).toBe(400);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ] as const)('inflates %s', async (encoding, compress) => {
    await start();
    const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': encoding };
    expect((await post('/v1/traces', compress(spansBody(toolSpan())), headers)).status).toBe(200);
    expect((await post('/v1/traces', Buffer.from('not compressed'), headers)).status).toBe(400);
    expect((await post('/v1/traces', compress(spansBody(toolSpan())).subarray(0, -9), headers)).status).toBe(
      400,
    );
    expect(await ingest.stored(ingest.deps.events)).toHaveLength(1);
  });

  it('refuses a body over the limit by its declared length, and by its real one', async () => {
    verifies('P10');
    await start({ request_max_bytes: 4096 });
    const large = Buffer.alloc(3_000_000, 0x20);
    expect((await post('/v1/traces', large)).status).toBe(413);
    const chunked = await post('/v1/audit', large, { ...JSON_TYPE, 'transfer-encoding': 'chunked' });
    expect(chunked.status).toBe(413);
    expect(chunked.json().error.code).toBe('input_too_large');
  });

  it('refuses more records than the limit whole', async () => {
    await start({ records_max: 2 });
    expect((await post('/v1/traces', spansBody(toolSpan(), toolSpan(), toolSpan()))).status).toBe(413);
    expect((await post('/v1/audit', '{}\n{}\n{}\n', NDJSON_TYPE)).status).toBe(413);
    expect(await ingest.stored(ingest.deps.events)).toEqual([]);
  });

  it('answers 503 when too many bytes are in flight, and takes requests again afterwards', async () => {
    verifies('P10');
    let held: ReturnType<typeof heldTopic> | undefined;
    await start(
      { in_flight_max_bytes: 1024 * 1024 },
      { change: (deps) => ({ ...deps, events: (held = heldTopic(deps.events)) }) },
    );
    const first = post('/v1/traces', spansBody(toolSpan({ name: 'x'.repeat(600_000) })));
    await held!.appending;
    const second = await post('/v1/traces', spansBody(toolSpan({ name: 'x'.repeat(600_000) })));
    expect(second.status).toBe(503);
    expect(second.headers['retry-after']).toBe('1');
    held!.settle();
    expect((await first).status).toBe(200);
    expect((await post('/v1/traces', spansBody(toolSpan({ name: 'x'.repeat(600_000) })))).status).toBe(200);
  });

  it('answers 429 over the rate and lets in again when time has passed', async () => {
    const clock = { ms: 1_790_000_000_000, nowMs: () => clock.ms };
    await start({ requests_per_second_max: 2 }, { clock });
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await post('/v1/traces', '')).status);
    expect(statuses).toEqual([200, 200, 429]);
    expect((await post('/v1/traces', '')).headers['retry-after']).toBe('1');
    clock.ms += 500;
    expect((await post('/v1/traces', '')).status).toBe(200);
  });

  it('cuts off a sender that is too slow with its headers or its body', async () => {
    verifies('P10');
    await start({}, { timeouts: { headersMs: 200, requestMs: 400 } });
    const { host, port } = http.address();
    const cutOff = (start: string) =>
      new Promise<string>((resolve) => {
        const socket = connect(port, host, () => socket.write(start));
        let text = '';
        socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(text));
      });
    expect(await cutOff('POST /v1/traces HTTP/1.1\r\nHost: 127.')).toContain('408');
    await cutOff(
      'POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    );
    expect(await ingest.stored(ingest.deps.deadletter)).toEqual([]);
  });

  it('says which address is taken', async () => {
    await start();
    const { port } = http.address();
    const second = createIngestHttp({
      ...ingest.deps,
      config: { ...ingest.deps.config, http: { ...ingest.deps.config.http, port } },
    });
    await expect(second.start()).rejects.toMatchObject({
      code: 'port_taken',
      message: `cannot listen on 127.0.0.1:${port}: the port is in use; set ingest.http.port or CUSTODY_INGEST_HTTP_PORT`,
    });
  });
});

describe('audit events', () => {
  it.each([
    ['one object', JSON.stringify(audit()), JSON_TYPE, 1],
    ['an array', JSON.stringify([audit(), audit({ 'tool.name': 'other' })]), JSON_TYPE, 2],
    ['NDJSON with blank lines', `${JSON.stringify(audit())}\r\n\n${JSON.stringify(audit())}`, NDJSON_TYPE, 2],
    ['an empty array', '[]', JSON_TYPE, 0],
  ])('takes %s', async (_what, body, headers, accepted) => {
    await start();
    const answer = await post('/v1/audit', body, headers);
    expect(answer.json()).toEqual({ accepted, malformed: 0, errors: [] });
    expect(answer.status).toBe(200);
    const events = await ingest.stored(ingest.deps.events);
    expect(events).toHaveLength(accepted);
    for (const event of events) expect(eventSchema.parse(event).source.collector).toBe('audit_http');
  });

  it('accepts the usable ones of a mixed request and names the others', async () => {
    verifies('P2');
    await start();
    const answer = await post('/v1/audit', `${JSON.stringify(audit())}\nnot json\n7\n`, NDJSON_TYPE);
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({ accepted: 1, malformed: 2, errors: [{ index: 1 }, { index: 2 }] });
    expect(await ingest.stored(ingest.deps.deadletter)).toHaveLength(2);
    expect(answer.body.toString()).not.toContain('not json');
  });

  it('answers 400 when none is usable, and keeps them as malformed records', async () => {
    await start();
    const answer = await post('/v1/audit', '[1,"two"]', JSON_TYPE);
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ error: { code: 'input_invalid' }, accepted: 0, malformed: 2 });
    const broken = await post('/v1/audit', '{"password": "hunter2-is-long", oops', JSON_TYPE);
    expect(broken.status).toBe(400);
    expect(broken.body.toString()).not.toContain('hunter2');
    const records = await ingest.stored(ingest.deps.deadletter);
    expect(records).toHaveLength(3);
    expect(records[2].excerpt).toContain('oops');
    expect(records[2].excerpt).not.toContain('hunter2');
  });
});

describe('canonical events of a tap', () => {
  const tapEvent = (number: number, overrides: Record<string, unknown> = {}) => {
    const event = JSON.parse(Buffer.from(sampleEvent(number)).toString());
    return { ...event, source: { ...event.source, collector: 'mcp_stdio_tap', signal: 'mcp' }, ...overrides };
  };
  const lines = (...events: unknown[]) => events.map((event) => `${JSON.stringify(event)}\n`).join('');

  it('are stored as they are', async () => {
    await start();
    const answer = await post('/v1/events', lines(tapEvent(1), tapEvent(2)), NDJSON_TYPE);
    expect(answer.json()).toEqual({ accepted: 2, malformed: 0, errors: [] });
    expect(await ingest.stored(ingest.deps.events)).toEqual([tapEvent(1), tapEvent(2)]);
  });

  it('get the tenant of the token', async () => {
    verifies('P8');
    await start({}, { tokens: [token] });
    const headers = { ...NDJSON_TYPE, authorization: 'Bearer the-right-token' };
    expect((await post('/v1/events', lines(tapEvent(1, { tenant: 'other' })), headers)).status).toBe(200);
    expect(await ingest.stored(ingest.deps.events)).toMatchObject([{ tenant: 'acme' }]);
  });

  it('are refused with an unknown key, a wrong value or another collector, by path', async () => {
    verifies('P10');
    await start();
    const other = tapEvent(3);
    const answer = await post(
      '/v1/events',
      lines(
        tapEvent(1, { extra: 'payload-text' }),
        tapEvent(2, { tool: { name: 7 } }),
        { ...other, source: { ...other.source, collector: 'otlp_grpc' } },
        tapEvent(4),
      ),
      NDJSON_TYPE,
    );
    expect(answer.json()).toMatchObject({
      accepted: 1,
      malformed: 3,
      errors: [{ index: 0 }, { index: 1, path: '[1].tool.name' }, { index: 2, path: '[2].source.collector' }],
    });
    expect(answer.body.toString()).not.toContain('payload-text');
  });

  it('are redacted again', async () => {
    verifies('P7');
    await start();
    const secret = ['ghp', 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8'].join('_');
    const event = tapEvent(1, { arguments: { summary: `use ${secret}` }, attributes: { note: secret } });
    expect((await post('/v1/events', lines(event), NDJSON_TYPE)).status).toBe(200);
    expect(JSON.stringify(await ingest.stored(ingest.deps.events))).not.toContain(secret);
  });
});

it('answers logs with the logs response', async () => {
  await start();
  const answer = await post('/v1/logs', '');
  expect(logsResponse.toObject(logsResponse.decode(answer.body))).toEqual({});
});
