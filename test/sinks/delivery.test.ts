import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { PermanentError, TransientError } from '../../runtime/errors.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createMetrics, type Metrics } from '../../runtime/metrics.ts';
import type { Alert } from '../../schemas/alert.ts';
import { malformedSchema, type Malformed } from '../../schemas/malformed.ts';
import { createDelivery, type DeliveryOptions } from '../../sinks/delivery.ts';
import { SinkPausedError, type Sink } from '../../sinks/sink.ts';
import { openEmbeddedLog, type EmbeddedLog } from '../../streams/embedded/open-log.ts';
import type { ConsumeOptions } from '../../streams/topic.ts';
import { sampleAlert, uuid } from './siem/sample-alert.ts';
import { verifies } from '../requirements.ts';
import { embeddedLogConfig } from '../support/embedded-log-config.ts';

let folder: string;
let log: EmbeddedLog;
let metrics: Metrics;
const stops: (() => Promise<void>)[] = [];
const logger = createLogger({ level: 'silent' });
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'custody-delivery-'));
  metrics = createMetrics();
  log = await openEmbeddedLog({ directory: folder, config: embeddedLogConfig(), clock: systemClock });
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await log.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A destination with a script: what each attempt does, then success for ever. */
function scriptedSink(
  id: string,
  script: ((alerts: readonly Alert[], signal: AbortSignal) => void | Promise<void>)[] = [],
  extra: Partial<Sink> = {},
) {
  const attempts: string[][] = [];
  const taken: string[] = [];
  const sink: Sink = {
    name: 'sink_scripted',
    id,
    acknowledgement: 'receiver',
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    async write(alerts, signal) {
      const attempt = attempts.push(alerts.map(({ alert_id }) => alert_id)) - 1;
      await script[attempt]?.(alerts, signal);
      taken.push(...alerts.map(({ alert_id }) => alert_id));
    },
    ...extra,
  };
  return { sink, attempts, taken };
}
const append = (alerts: readonly Alert[]) =>
  log
    .topic('custody.alerts')
    .append(alerts.map((alert) => ({ key: alert.tenant, value: Buffer.from(JSON.stringify(alert)) })));
const committed = (id: string) => log.topic('custody.alerts').committed(`sink.${id}`, 0);
const drained = (id: string, count: number) =>
  vi.waitFor(async () => expect(await committed(id)).toBe(BigInt(count)), { timeout: 120_000, interval: 5 });
const value = async (metric: { get(): Promise<{ values: { value: number; labels: object }[] }> }) =>
  (await metric.get()).values;
async function deadLetters(): Promise<Malformed[]> {
  const letters: Malformed[] = [];
  for await (const record of log.topic('custody.deadletter').read(0, 0n))
    letters.push(malformedSchema.parse(JSON.parse(Buffer.from(record.value).toString())));
  return letters;
}
async function start(sink: Sink, options: Partial<DeliveryOptions> = {}) {
  const delivery = createDelivery({
    topic: log.topic('custody.alerts'),
    deadletter: log.topic('custody.deadletter'),
    sink,
    clock: systemClock,
    logger,
    metrics,
    onIntegrity: (error) => expect.fail(error.message),
    sleep: () => Promise.resolve(),
    random: () => 0.5,
    ...options,
  });
  stops.push(() => delivery.stop());
  await delivery.start();
  return delivery;
}
const many = (count: number) => Array.from({ length: count }, (_, n) => sampleAlert(n));

describe('alerts on trial and silenced ones', () => {
  const mixed = () => [
    sampleAlert(1),
    sampleAlert(2, { mode: 'shadow' }),
    sampleAlert(3, { mode: 'suppressed', suppressed_by: 'planned work until Friday' }),
    sampleAlert(4),
    sampleAlert(5, { mode: 'shadow' }),
  ];

  it('are not sent, but counted, and the position moves past them', async () => {
    const { sink, taken } = scriptedSink('a');
    await append(mixed());
    await start(sink);
    await drained('a', 5);
    expect(taken).toEqual([uuid(1), uuid(4)]);
    expect(await value(metrics.sinkWithheld)).toEqual([
      { value: 2, labels: { sink: 'a', mode: 'shadow' } },
      { value: 1, labels: { sink: 'a', mode: 'suppressed' } },
    ]);
    expect(await deadLetters()).toEqual([]);
  });

  it('are sent to a sink that wants them', async () => {
    const { sink, taken } = scriptedSink('a');
    await append(mixed());
    await start(sink, { includeShadow: true });
    await drained('a', 5);
    expect(taken).toEqual(mixed().map(({ alert_id }) => alert_id));
    expect(await value(metrics.sinkWithheld)).toEqual([]);
  });
});

describe('delivery', () => {
  it('hands every alert to the sink in order and commits only after the sink took it', async () => {
    verifies('P6');
    const seen: (bigint | undefined)[] = [];
    const { sink, taken } = scriptedSink('a', [async () => void seen.push(await committed('a'))]);
    await append(many(1200));
    await start(sink);
    await drained('a', 1200);
    expect(taken).toEqual(many(1200).map(({ alert_id }) => alert_id));
    expect(seen).toEqual([undefined]);
    expect(await value(metrics.sinkDelivered)).toEqual([{ value: 1200, labels: { sink: 'a' } }]);
  });

  it('repeats the whole batch on transient failures for ever, with full jitter, and commits nothing meanwhile', async () => {
    const fail = () => {
      throw new TransientError('unavailable', 'cannot write x: down');
    };
    const { sink, attempts, taken } = scriptedSink(
      'a',
      Array.from({ length: 30 }, () => fail),
    );
    const waits: number[] = [];
    await append(many(3));
    await start(sink, {
      retry: { base_ms: 100, cap_ms: 5000 },
      sleep: async (ms) => {
        waits.push(ms);
        expect(await committed('a')).toBeUndefined();
      },
    });
    await drained('a', 3);
    expect(attempts).toHaveLength(31);
    expect(new Set(attempts.map((ids) => ids.join()))).toHaveProperty('size', 1);
    expect(taken).toHaveLength(3);
    expect(waits.slice(0, 7)).toEqual([50, 100, 200, 400, 800, 1600, 2500]);
    expect(waits.at(-1)).toBe(2500);
    expect(await value(metrics.sinkRetries)).toEqual([
      { value: 30, labels: { sink: 'a', code: 'unavailable' } },
    ]);
  });

  it('lets Retry-After win over the back-off, up to an hour', async () => {
    const after = (retryAfterMs: number) => () => {
      throw new TransientError('rate_limited', 'cannot write x: 429', { retryAfterMs });
    };
    const { sink } = scriptedSink('a', [after(7000), after(10 ** 12)]);
    const waits: number[] = [];
    await append(many(1));
    await start(sink, { sleep: (ms) => Promise.resolve(void waits.push(ms)) });
    await drained('a', 1);
    expect(waits).toEqual([7000, 3_600_000]);
  });

  it('halves a refused batch and dead-letters only the alert that can never be taken', async () => {
    verifies('P6');
    const bad = uuid(5);
    const { sink, taken } = scriptedSink('a');
    const poisoned: Sink = {
      ...sink,
      write(alerts, signal) {
        if (alerts.some(({ alert_id }) => alert_id === bad))
          return Promise.reject(new PermanentError('rejected', 'cannot write x: 400'));
        return sink.write(alerts, signal);
      },
    };
    const digestKey = Buffer.alloc(32, 7);
    await append(many(11));
    await start(poisoned, { digestKey });
    await drained('a', 11);
    expect(taken).toEqual(
      many(11)
        .map(({ alert_id }) => alert_id)
        .filter((id) => id !== bad),
    );
    const body = JSON.stringify(sampleAlert(5));
    expect(await deadLetters()).toMatchObject([
      {
        stage: 'sink.a',
        code: 'rejected',
        alert_id: bad,
        tenant: 'acme',
        size_bytes: Buffer.byteLength(body),
        digest: createHmac('sha256', digestKey).update(body).digest('hex'),
      },
    ]);
    expect(await value(metrics.sinkDeadLetters)).toEqual([{ value: 1, labels: { sink: 'a' } }]);
    expect(await value(metrics.dropped)).toEqual([
      { value: 1, labels: { stage: 'sink', reason: 'rejected' } },
    ]);
  });

  it('dead-letters a record that is no alert and goes on', async () => {
    verifies('P6', 'P10');
    const { sink, taken } = scriptedSink('a');
    await append([sampleAlert(1)]);
    await log.topic('custody.alerts').append([
      { key: 'acme', value: Buffer.from('{"schema":"custody.alert/v1"') },
      { key: 'acme', value: Buffer.from('{"schema":"custody.alert/v1","alert_id":7}') },
      { key: 'acme', value: Buffer.from([0xff, 0x00]) },
    ]);
    await append([sampleAlert(2)]);
    await start(sink);
    await drained('a', 5);
    expect(taken).toEqual([uuid(1), uuid(2)]);
    expect((await deadLetters()).map(({ code, path }) => ({ code, path }))).toEqual([
      { code: 'input_invalid', path: undefined },
      { code: 'input_invalid', path: 'alert_id' },
      { code: 'input_invalid', path: undefined },
    ]);
  });

  it('raises the pause gauge while somebody must act, and drops nothing', async () => {
    const gauge: number[] = [];
    const { sink, taken } = scriptedSink('a', [
      () => {
        throw new SinkPausedError('cannot deliver: 401');
      },
    ]);
    await append(many(2));
    await start(sink, {
      sleep: async () => void gauge.push((await value(metrics.sinkPaused))[0]?.value ?? -1),
    });
    await drained('a', 2);
    expect(gauge).toEqual([1]);
    expect((await value(metrics.sinkPaused))[0]?.value).toBe(0);
    expect(taken).toHaveLength(2);
    expect(await deadLetters()).toEqual([]);
  });

  it('does not send an alert twice that the log holds twice', async () => {
    const { sink, taken } = scriptedSink('a');
    await append([sampleAlert(1), sampleAlert(2), sampleAlert(1)]);
    await start(sink);
    await drained('a', 3);
    await append([sampleAlert(2), sampleAlert(3)]);
    await drained('a', 5);
    expect(taken).toEqual([uuid(1), uuid(2), uuid(3)]);
  });

  it('gives a sink that acknowledges one by one single alerts', async () => {
    const { sink, attempts } = scriptedSink('a', [], { batchMaxCount: 1 });
    await append(many(4));
    await start(sink);
    await drained('a', 4);
    expect(attempts.map((ids) => ids.length)).toEqual([1, 1, 1, 1]);
  });

  it('keeps one sink going while another is down', async () => {
    verifies('P6');
    const down = scriptedSink(
      'down',
      Array.from({ length: 10_000 }, () => () => {
        throw new TransientError('unavailable', 'cannot write x: down');
      }),
    );
    const up = scriptedSink('up');
    await append(many(50));
    await start(down.sink, {
      sleep: (_ms, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    });
    await start(up.sink);
    await drained('up', 50);
    expect(up.taken).toHaveLength(50);
    expect(await committed('down')).toBeUndefined();
  });

  it('stops at once during a wait, and the next run delivers what was not taken', async () => {
    let waiting!: () => void;
    const waits = new Promise<void>((resolve) => (waiting = resolve));
    const failing = scriptedSink('a', [
      () => {
        throw new TransientError('unavailable', 'cannot write x: down');
      },
    ]);
    await append(many(3));
    const first = await start(failing.sink, {
      sleep: (_ms, signal) => {
        waiting();
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    });
    await waits;
    await first.stop();
    expect(await committed('a')).toBeUndefined();
    const second = scriptedSink('a');
    await start(second.sink);
    await drained('a', 3);
    expect(second.taken).toHaveLength(3);
  });

  it('lets the running write finish before it stops', async () => {
    let release!: () => void;
    let entered!: () => void;
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const { sink, taken } = scriptedSink('a', [
      () =>
        new Promise<void>((resolve) => {
          release = resolve;
          entered();
        }),
    ]);
    await append(many(2));
    const delivery = await start(sink);
    await inside;
    const stopped = delivery.stop();
    release();
    await stopped;
    expect(taken).toHaveLength(2);
    expect(await committed('a')).toBe(2n);
  });

  it('keeps trying the dead letter until it is durable', async () => {
    const { sink } = scriptedSink('a', [
      () => {
        throw new PermanentError('rejected', 'cannot write x: 400');
      },
    ]);
    const real = log.topic('custody.deadletter');
    let refusals = 2;
    const deadletter = {
      name: real.name,
      topicId: real.topicId,
      partitions: real.partitions,
      append: (records: Parameters<typeof real.append>[0]) =>
        refusals-- > 0
          ? Promise.reject(new TransientError('disk_full', 'cannot append: full'))
          : real.append(records),
      consume: real.consume.bind(real),
      read: real.read.bind(real),
      bounds: real.bounds.bind(real),
      committed: real.committed.bind(real),
    };
    await append(many(1));
    await start(sink, { deadletter });
    await drained('a', 1);
    expect(await deadLetters()).toHaveLength(1);
  });

  it('goes on with nothing, and says so, when the log holds less than was delivered', async () => {
    await append(many(3));
    const first = scriptedSink('a', []);
    const delivery = await start(first.sink);
    await drained('a', 3);
    await delivery.stop();
    const real = log.topic('custody.alerts');
    const shortened = {
      ...real,
      consume: (options: ConsumeOptions) =>
        real.consume({
          ...options,
          startOffset: async (partition) => (await real.bounds(partition)).end + 5n,
        }),
    };
    const alarms: string[] = [];
    const second = scriptedSink('a', []);
    const again = await start(second.sink, {
      topic: shortened,
      onIntegrity: ({ message }, place) => alarms.push(`${place}: ${message}`),
    });
    await vi.waitFor(() => expect(alarms).toHaveLength(1), 120_000);
    expect(alarms[0]).toMatch(/^custody\.alerts\/0: cannot consume .* from offset 8: the log holds 0 to 3$/);
    // The log grows past where it was refused, and another sink has all of it by then.
    await append(many(10).slice(3));
    await start(scriptedSink('b', []).sink);
    await drained('b', 10);
    await again.stop();
    expect(second.taken).toEqual([]);
    expect(await committed('a')).toBe(3n);
  });

  it('reports a bug instead of hiding it', async () => {
    const bugs: unknown[] = [];
    const { sink } = scriptedSink('a', [
      () => {
        throw new TypeError('bug');
      },
    ]);
    await append(many(1));
    await start(sink, { onBug: (error) => bugs.push(error) });
    await vi.waitFor(() => expect(bugs).toHaveLength(1), 120_000);
    expect(bugs[0]).toBeInstanceOf(TypeError);
    expect(await committed('a')).toBeUndefined();
  });
});
