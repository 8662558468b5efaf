import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { configSchema, type SinkConfig } from '../../schemas/config.ts';
import { createDelivery } from '../../sinks/delivery.ts';
import { createSink } from '../../sinks/siem/create-sink.ts';
import { openEmbeddedLog } from '../../streams/embedded/open-log.ts';
import { createAuthority } from '../support/certificates.ts';
import { daemonMissing, startSyslogDaemon } from '../support/syslog-daemons.ts';
import { sampleAlert } from './siem/sample-alert.ts';
import { startReceiver, status } from './siem/webhook/receiver.ts';
import { verifies } from '../requirements.ts';
import { embeddedLogConfig } from '../support/embedded-log-config.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A log with alerts, and one delivery per configured sink, wired as the pipeline does. */
async function setUp(configs: readonly object[]) {
  const dataDir = mkdtempSync(join(tmpdir(), 'custody-deliver-'));
  cleanups.push(() => rmSync(dataDir, { recursive: true, force: true }));
  const config = configSchema.parse({
    sinks: configs.map((entry) => ({ ...entry, retry: { base_ms: 20, cap_ms: 100 } })),
  });
  const log = await openEmbeddedLog({
    directory: join(dataDir, 'log'),
    config: embeddedLogConfig(),
    clock: systemClock,
  });
  cleanups.push(() => log.close());
  const [metrics, logger] = [createMetrics(), createLogger({ level: 'silent' })];
  const topic = log.topic('custody.alerts');
  const start = async (sinkConfig: SinkConfig) => {
    const sink = createSink(sinkConfig, {
      dataDir,
      secrets: () => `whsec_${Buffer.alloc(32, 1).toString('base64')}`,
      logger,
      metrics,
      clock: systemClock,
    });
    const delivery = createDelivery({
      topic,
      deadletter: log.topic('custody.deadletter'),
      sink,
      retry: sinkConfig.retry,
      onIntegrity: (error) => expect.fail(error.message),
      clock: systemClock,
      logger,
      metrics,
    });
    cleanups.push(() => delivery.stop());
    await delivery.start();
    return delivery;
  };
  return {
    dataDir,
    config,
    start,
    append: (from: number, to: number) =>
      topic.append(
        Array.from({ length: to - from }, (_, index) => ({
          key: 'acme',
          value: Buffer.from(JSON.stringify(sampleAlert(from + index))),
        })),
      ),
    committed: (id: string) => topic.committed(`sink.${id}`, 0),
  };
}
const idsOf = (from: number, to: number) =>
  new Set(Array.from({ length: to - from }, (_, index) => sampleAlert(from + index).alert_id));

describe('delivery to real receivers', () => {
  it('brings every alert to a webhook that is killed and comes back, and to the file meanwhile', async () => {
    verifies('P6');
    const authority = createAuthority();
    cleanups.push(() => authority.remove());
    const identity = authority.issue('hook', ['IP:127.0.0.1']);
    const got: string[] = [];
    // Every fifth request is lost after it was taken: the answer never comes.
    const first = await startReceiver(
      (request, index, response) => {
        got.push(request.headers['webhook-id'] ?? '');
        if (index % 5 === 4) response.destroy();
        else response.writeHead(200).end();
      },
      { identity },
    );
    const { append, start, config, committed, dataDir } = await setUp([
      {
        id: 'hook',
        type: 'webhook',
        url: first.url,
        secret: { env: 'HOOK' },
        ca_file: authority.caFile,
        allow_private_addresses: true,
      },
      { id: 'soc', type: 'ocsf_file' },
    ]);
    for (const sinkConfig of config.sinks) await start(sinkConfig);
    await append(0, 100);
    await vi.waitFor(() => expect(got.length).toBeGreaterThan(30), { timeout: 120_000, interval: 2 });
    await first.close();
    await append(100, 150);
    await vi.waitFor(async () => expect(await committed('soc')).toBe(150n), {
      timeout: 120_000,
      interval: 5,
    });
    expect(await committed('hook')).not.toBe(150n);
    const lines = readFileSync(join(dataDir, 'alerts', 'soc.ocsf.ndjson'), 'utf8')
      .trimEnd()
      .split('\n');
    expect(
      new Set(lines.map((line) => (JSON.parse(line) as { metadata: { uid: string } }).metadata.uid)),
    ).toEqual(idsOf(0, 150));

    const second = await startReceiver(status(204), { identity, port: first.port });
    cleanups.push(() => second.close());
    await vi.waitFor(async () => expect(await committed('hook')).toBe(150n), {
      timeout: 120_000,
      interval: 5,
    });
    expect(new Set([...got, ...second.received.map(({ headers }) => headers['webhook-id'])])).toEqual(
      idsOf(0, 150),
    );
  });

  it('goes on where it was when the pipeline stops in the middle and starts again', async () => {
    verifies('P6');
    let taken = 0;
    const receiver = await startReceiver((_request, _index, response) => {
      taken += 1;
      response.writeHead(200).end();
    });
    cleanups.push(() => receiver.close());
    const { append, start, config, committed } = await setUp([
      {
        id: 'hook',
        type: 'webhook',
        url: receiver.url,
        secret: { env: 'HOOK' },
        allow_private_addresses: true,
      },
    ]);
    await append(0, 400);
    const run = await start(config.sinks[0]!);
    await vi.waitFor(() => expect(taken).toBeGreaterThan(20), { timeout: 120_000, interval: 1 });
    await run.stop();
    await start(config.sinks[0]!);
    await vi.waitFor(async () => expect(await committed('hook')).toBe(400n), {
      timeout: 120_000,
      interval: 5,
    });
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).toEqual(idsOf(0, 400));
  });

  const missing = daemonMissing('rsyslog');
  it.skipIf(missing !== undefined)(
    `brings every alert to an rsyslog that is killed and comes back${missing === undefined ? '' : ` [skipped: ${missing}]`}`,
    async () => {
      verifies('P6');
      const daemon = await startSyslogDaemon('rsyslog', {});
      cleanups.push(() => daemon.remove());
      const { append, start, config, committed } = await setUp([
        { id: 'siem', type: 'syslog', host: '127.0.0.1', port: daemon.port, transport: 'tcp' },
      ]);
      await start(config.sinks[0]!);
      await append(0, 50);
      await vi.waitFor(async () => expect(await committed('siem')).toBe(50n), {
        timeout: 120_000,
        interval: 5,
      });
      daemon.freeze();
      await append(50, 100);
      await vi.waitFor(async () => expect(await committed('siem')).toBe(100n), {
        timeout: 120_000,
        interval: 5,
      });
      await daemon.kill('SIGKILL');
      await append(100, 150);
      await daemon.start();
      await vi.waitFor(
        () =>
          expect(new Set(daemon.received().map(({ sd }) => /uid="([^"]*)"/.exec(sd)?.[1]))).toEqual(
            idsOf(0, 150),
          ),
        { timeout: 120_000, interval: 25 },
      );
    },
  );
});
