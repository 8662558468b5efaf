import {
  Client,
  compressionAlgorithms,
  credentials,
  Metadata,
  status,
  type ServiceError,
} from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { createIngestGrpc, type IngestGrpc } from '../../collectors/ingest-grpc.ts';
import type { IngestDeps } from '../../collectors/intake.ts';
import type { BearerToken } from '../../runtime/bearer.ts';
import { TransientError } from '../../runtime/errors.ts';
import { verifies } from '../requirements.ts';
import { heldTopic, testIngest, type TestIngest } from '../support/ingest-deps.ts';
import { retryInfo, rpcStatus, traceResponse } from '../support/otlp-proto.ts';
import { badSpan, spansBody, toolSpan } from '../support/otlp-requests.ts';
import type { Parsed } from '../support/parsed.ts';

const TRACES = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const LOGS = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
const token: BearerToken = { value: 'the-right-token', tenant: 'acme' };

let ingest: TestIngest;
let grpc: IngestGrpc;
let client: Client;

async function start(
  config: Record<string, unknown> = {},
  options: Parameters<typeof testIngest>[1] & { change?: (deps: IngestDeps) => IngestDeps } = {},
): Promise<void> {
  ingest = await testIngest(config, options);
  grpc = createIngestGrpc(options.change?.(ingest.deps) ?? ingest.deps);
  await grpc.start();
  const { host, port } = grpc.address();
  client = new Client(`${host}:${port}`, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
  });
}

afterEach(async () => {
  client.close();
  await grpc.stop();
  await ingest.close();
});

function call(path: string, body: Uint8Array, headers: Record<string, string> = {}): Promise<Buffer> {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const pass = (bytes: Buffer) => bytes;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, pass, pass, Buffer.from(body), metadata, (error, answer) => {
      if (error === null) resolve(answer!);
      else reject(error);
    });
  });
}

const refused = (path: string, body: Uint8Array, headers?: Record<string, string>): Promise<ServiceError> =>
  call(path, body, headers).then(
    () => expect.unreachable('the call was accepted'),
    (error: unknown) => error as ServiceError,
  );

function retryDelayOf(error: ServiceError): unknown {
  const details = rpcStatus.decode(error.metadata.get('grpc-status-details-bin')[0] as Buffer) as Parsed;
  expect(details.details[0].typeUrl).toBe('type.googleapis.com/google.rpc.RetryInfo');
  return retryInfo.toObject(retryInfo.decode(details.details[0].value), { longs: Number })['retryDelay'];
}

describe('OTLP over gRPC', () => {
  it('stores every span and answers with the empty message', async () => {
    await start();
    expect(await call(TRACES, spansBody(toolSpan(), toolSpan()))).toHaveLength(0);
    const events = await ingest.stored(ingest.deps.events);
    expect(events.map(({ source }) => source.collector)).toEqual(['otlp_grpc', 'otlp_grpc']);
  });

  it('takes empty requests of both services', async () => {
    await start();
    expect(await call(TRACES, new Uint8Array(0))).toHaveLength(0);
    expect(await call(LOGS, new Uint8Array(0))).toHaveLength(0);
  });

  it('tells which spans were refused and keeps them as malformed records', async () => {
    verifies('P2');
    await start();
    const answer = traceResponse.decode(await call(TRACES, spansBody(badSpan(), toolSpan())));
    expect(traceResponse.toObject(answer, { longs: Number })['partialSuccess']).toEqual({
      rejectedSpans: 1,
      errorMessage: 'resourceSpans[0].scopeSpans[0].spans[0].traceId: must be 16 bytes',
    });
    expect(await ingest.stored(ingest.deps.events)).toHaveLength(1);
    expect(await ingest.stored(ingest.deps.deadletter)).toMatchObject([{ stage: 'otlp_grpc' }]);
  });

  it('answers INVALID_ARGUMENT to an undecodable message and keeps one malformed record', async () => {
    verifies('P10');
    await start();
    const error = await refused(TRACES, Buffer.from([0x0a, 0x7f, 1]));
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(error.details).toContain('behind the end of its message');
    expect(await ingest.stored(ingest.deps.deadletter)).toHaveLength(1);
  });

  it('answers UNIMPLEMENTED to metrics', async () => {
    await start();
    const path = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';
    expect((await refused(path, new Uint8Array(0))).code).toBe(status.UNIMPLEMENTED);
  });

  it('asks for the token before it reads the message, and its tenant wins', async () => {
    verifies('P8');
    await start({}, { tokens: [token] });
    expect((await refused(TRACES, spansBody(toolSpan()))).code).toBe(status.UNAUTHENTICATED);
    const wrong = { authorization: 'Bearer wrong' };
    // Over the size limit as well: the missing token is what counts, so the message was not read.
    expect((await refused(TRACES, Buffer.alloc(20_000_000), wrong)).code).toBe(status.UNAUTHENTICATED);
    const claims = [{ key: 'tenant.id', value: { stringValue: 'someone-else' } }];
    await call(TRACES, spansBody(toolSpan({ attributes: claims })), {
      authorization: 'bearer the-right-token',
    });
    expect(await ingest.stored(ingest.deps.events)).toMatchObject([{ tenant: 'acme' }]);
  });

  it('answers RESOURCE_EXHAUSTED without RetryInfo over the size limit, also when compressed', async () => {
    verifies('P10');
    await start({ request_max_bytes: 100_000 });
    const plain = await refused(TRACES, Buffer.alloc(200_000));
    expect(plain.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(plain.metadata.get('grpc-status-details-bin')).toEqual([]);
    const { host, port } = grpc.address();
    client.close();
    client = new Client(`${host}:${port}`, credentials.createInsecure(), {
      'grpc.default_compression_algorithm': compressionAlgorithms.gzip,
      'grpc.max_send_message_length': -1,
    });
    expect((await refused(TRACES, Buffer.alloc(50_000_000))).code).toBe(status.RESOURCE_EXHAUSTED);
    // More refusals than calls may be read at a time: a refused one must not go on counting.
    for (let i = 0; i < 35; i++) await refused(TRACES, Buffer.alloc(200_000));
    expect(await call(TRACES, spansBody(toolSpan()))).toHaveLength(0);
  });

  it('answers RESOURCE_EXHAUSTED with RetryInfo over the rate', async () => {
    const clock = { ms: 1_790_000_000_000, nowMs: () => clock.ms };
    await start({ requests_per_second_max: 1 }, { clock });
    await call(TRACES, new Uint8Array(0));
    const error = await refused(TRACES, new Uint8Array(0));
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(retryDelayOf(error)).toEqual({ seconds: 1 });
    clock.ms += 1000;
    expect(await call(TRACES, new Uint8Array(0))).toHaveLength(0);
  });

  it('answers UNAVAILABLE with RetryInfo when the append rejects', async () => {
    verifies('P1');
    let held: ReturnType<typeof heldTopic> | undefined;
    await start({}, { change: (deps) => ({ ...deps, events: (held = heldTopic(deps.events)) }) });
    held!.settle(new TransientError('overloaded', 'cannot append: test', { retryAfterMs: 1500 }));
    const error = await refused(TRACES, spansBody(toolSpan()));
    expect(error.code).toBe(status.UNAVAILABLE);
    expect(retryDelayOf(error)).toEqual({ seconds: 1, nanos: 500_000_000 });
  });

  it('answers nothing before the append has resolved, and finishes it before it stops', async () => {
    verifies('P1');
    let held: ReturnType<typeof heldTopic> | undefined;
    await start({}, { change: (deps) => ({ ...deps, events: (held = heldTopic(deps.events)) }) });
    let answered = false;
    const answer = call(TRACES, spansBody(toolSpan())).then((done) => {
      answered = true;
      return done;
    });
    await held!.appending;
    await call(TRACES, new Uint8Array(0));
    expect(answered).toBe(false);
    const stopped = grpc.stop();
    held!.settle();
    expect(await answer).toHaveLength(0);
    await stopped;
    expect(await ingest.stored(ingest.deps.events)).toHaveLength(1);
  });

  it('says which address is taken', async () => {
    await start();
    const { port } = grpc.address();
    const second = createIngestGrpc({
      ...ingest.deps,
      config: { ...ingest.deps.config, grpc: { ...ingest.deps.config.grpc, port } },
    });
    await expect(second.start()).rejects.toMatchObject({ code: 'port_taken' });
    await second.stop();
  });
});
