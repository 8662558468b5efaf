import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from 'chdb';
import { expect, test } from 'vitest';
import { formatVerifierKey, signingKey } from '../../evidence/note/key.ts';
import { createAlarms } from '../../pipeline/alarms.ts';
import type { PipelineContext } from '../../pipeline/context.ts';
import { createScrub } from '../../pipeline/scrub.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { configSchema } from '../../schemas/config.ts';
import { openChdbStore } from '../../sinks/store/chdb-store.ts';
import { createLedgerWriter } from '../../sinks/store/ledger-writer.ts';
import { openEmbeddedLog } from '../../streams/embedded/open-log.ts';
import { testNotary } from '../attacks/test-notary.ts';
import { until } from '../support/pipeline-process.ts';
import { verifies } from '../requirements.ts';
import { embeddedLogConfig } from '../support/embedded-log-config.ts';

test('the scheduled verification is silent on an untouched store and raises an alarm on a changed one', async () => {
  verifies('P4');
  const dataDir = await mkdtemp(join(tmpdir(), 'custody-scrub-'));
  const config = configSchema.parse({ ledger: { linger_ms: 0 } });
  const logger = createLogger({ level: 'silent' });
  const metrics = createMetrics();
  const log = await openEmbeddedLog({
    directory: join(dataDir, 'log'),
    config: embeddedLogConfig(),
    clock: systemClock,
  });
  const store = await openChdbStore({ path: join(dataDir, 'store') });
  const [events, alerts, deadletter] = [
    log.topic('custody.events'),
    log.topic('custody.alerts'),
    log.topic('custody.deadletter'),
  ];
  const ledger = createLedgerWriter({
    topics: { events, alerts, deadletter },
    store,
    log,
    deployment: 'd',
    config: config.ledger,
    logger,
    metrics,
    onIntegrity: (error) => {
      throw error;
    },
  });
  await ledger.start();
  await events.append(
    [1, 2, 3].map((n) => ({
      key: 'default',
      value: Buffer.from(`{"n":${n},"schema":"custody.event/v1","tenant":"default"}`),
    })),
  );
  await until('the ledger', async () => (await events.committed('ledger', 0)) === 3n);
  await ledger.stop();

  const alarms = createAlarms(() => undefined);
  const origin = 'd/anchor';
  const key = signingKey(origin, 'log', generateKeyPairSync('ed25519').privateKey);
  mkdirSync(join(dataDir, 'notary'));
  writeFileSync(join(dataDir, 'notary', 'notary.vkey'), formatVerifierKey(key));
  await testNotary('d', key).sign(store, systemClock.nowMs());
  const anchorFile = join(dataDir, 'anchor', 'checkpoints.jsonl');
  const notary = { ...config.notary, anchors: [{ id: 'file', type: 'file', path: anchorFile }] };
  const parts = { ...config, data_dir: dataDir };
  const context = {
    store,
    log,
    deployment: 'd',
    logger,
    alarms,
    metrics,
    clock: systemClock,
    config: parts,
  };
  const scrub = createScrub(context as unknown as PipelineContext);
  await scrub.run('whole');
  await scrub.run('recent');
  expect(alarms.active).toEqual([]);
  expect(scrub.status()).toMatchObject({
    whole: { verdict: 'valid', entries: 4, signed_size: '2', findings_total: 0, checks_not_done: [] },
    recent: { verdict: 'valid', entries: 4 },
  });
  expect(await metrics.registry.getSingleMetricAsString('custody_verify_signed_entries')).toMatch(/ 2$/m);

  // An anchor that cannot be asked: once is no alarm, twice is, and a whole answer ends it.
  const apart = createScrub({ ...context, config: { ...parts, notary } } as unknown as PipelineContext);
  await apart.run('whole');
  expect(alarms.active).toEqual([]);
  await apart.run('whole');
  expect(alarms.active).toMatchObject([{ component: 'store', code: 'unverified', place: 'whole' }]);
  expect(alarms.active[0]?.message).toMatch(/2 times in a row: .*directory/);
  mkdirSync(join(dataDir, 'anchor'));
  await apart.run('whole');
  expect(alarms.active).toEqual([]);

  const session = new Session(store.path);
  await session.queryAsync(
    `ALTER TABLE custody.entries UPDATE body = replaceOne(body, '"n":2', '"n":9') WHERE seq = 2 SETTINGS mutations_sync = 2`,
  );
  session.close();
  await scrub.run('whole');
  expect(alarms.active).toMatchObject([{ component: 'store', code: 'invalid' }]);
  expect(alarms.active[0]?.message).toMatch(/BODY_HASH in d\/default\/.* at 2/);

  await store.close();
  await log.close();
  await rm(dataDir, { recursive: true, force: true });
});
