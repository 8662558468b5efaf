import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createEngine } from '../../detectors/engine/engine.ts';
import { createAlarms, type Alarms } from '../../pipeline/alarms.ts';
import { createDetectStage } from '../../pipeline/detect-stage.ts';
import { eventOf } from '../../pipeline/detect-records.ts';
import { createPolicyDocuments, type PolicyDocuments } from '../../pipeline/policy-documents.ts';
import { policyDocumentOf } from '../../pipeline/policy-source.ts';
import { registrySource } from '../../pipeline/registry-file.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { configSchema } from '../../schemas/config.ts';
import { eventSchema, type CustodyEvent } from '../../schemas/event.ts';
import { openEmbeddedLog, type EmbeddedLog } from '../../streams/embedded/open-log.ts';
import { embeddedLogConfig } from '../support/embedded-log-config.ts';
import { until } from '../support/pipeline-process.ts';

const config = configSchema.parse({});
const logger = createLogger({ level: 'silent' });
let directory: string;
let file: string;
let alarms: Alarms;
let log: EmbeddedLog;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'custody-policy-'));
  file = join(directory, 'registry.yaml');
  alarms = createAlarms(() => undefined);
  log = await openEmbeddedLog({
    directory: join(directory, 'log'),
    config: { ...embeddedLogConfig(), partitions: 3 },
    clock: systemClock,
  });
});
afterEach(async () => {
  await log.close();
  await rm(directory, { recursive: true, force: true });
});

const policies = (): PolicyDocuments =>
  createPolicyDocuments({ sources: [registrySource(file)], intervalMs: 60_000, alarms, logger });

function stage(documents: PolicyDocuments | undefined) {
  return createDetectStage({
    events: log.topic('custody.events'),
    alerts: log.topic('custody.alerts'),
    log,
    createEngine: () => createEngine(config.detect),
    snapshotIntervalMs: 600_000,
    policies: documents,
    clock: systemClock,
    logger,
    metrics: createMetrics(),
    onIntegrity: (error) => {
      throw error;
    },
  });
}

/** What the log holds, with the partition of each. */
async function inTheLog(): Promise<{ readonly partition: number; readonly event: CustodyEvent }[]> {
  const found = [];
  for (let partition = 0; partition < 3; partition += 1)
    for await (const record of log.topic('custody.events').read(partition, 0n)) {
      const event = eventOf(record);
      if (event !== undefined) found.push({ partition, event });
    }
  return found;
}

const digestsIn = async (partition: number) =>
  (await inTheLog())
    .filter((found) => found.partition === partition)
    .map(({ event }) => event.policy_document?.digest);

/** Runs a stage until each partition has so many documents. */
async function run(documents: PolicyDocuments, count: number, work?: () => Promise<void>): Promise<void> {
  await documents.start();
  const detect = stage(documents);
  await detect.start();
  await work?.();
  await until(`${count} documents in each partition`, async () => {
    const found = await Promise.all([0, 1, 2].map(digestsIn));
    return found.every((digests) => digests.length >= count);
  });
  await detect.stop();
  await documents.stop();
}

const registryOf = (zone: string) => `version: 1\nzones:\n  - { name: ${zone}, trust: internal }\n`;
const digestOf = (zone: string) =>
  policyDocumentOf('registry', { version: 1, zones: [{ name: zone, trust: 'internal' }] }).digest;

describe('a policy document', () => {
  test('comes into force in each partition by a valid event of its control tenant', async () => {
    await writeFile(file, registryOf('a'));
    await run(policies(), 1);
    const found = await inTheLog();
    expect(found.map(({ partition }) => partition)).toEqual([0, 1, 2]);
    for (const { event } of found) {
      expect(eventSchema.parse(event)).toEqual(event);
      expect(event.tenant).toMatch(/^custody-control\.\d+$/);
      expect(event.policy_document).toEqual({
        type: 'registry',
        digest: digestOf('a'),
        document: '{"version":1,"zones":[{"name":"a","trust":"internal"}]}',
      });
    }
    expect(new Set(found.map(({ event }) => event.tenant)).size).toBe(3);
  });

  test('is not brought into force again by a restart, nor by a change of what is no content', async () => {
    await writeFile(file, registryOf('a'));
    await run(policies(), 1);
    await writeFile(file, `# the same\n${registryOf('a')}`);
    await run(policies(), 1);
    await writeFile(file, registryOf('b'));
    await run(policies(), 2);
    expect(await digestsIn(0)).toEqual([digestOf('a'), digestOf('b')]);
  });

  test('that a crashed owner appended is recognised before the next owner compares', async () => {
    await writeFile(file, registryOf('a'));
    await run(policies(), 1);
    // The crash: nothing of what was seen was kept.
    for await (const { name } of log.state.entries('detect'))
      await log.state.write([{ name, value: undefined }]);
    await run(policies(), 1);
    await writeFile(file, registryOf('b'));
    await run(policies(), 2);
    expect(await digestsIn(1)).toEqual([digestOf('a'), digestOf('b')]);
  });

  test('that changes while the pipeline runs comes into force without a restart', async () => {
    await writeFile(file, registryOf('a'));
    const documents = policies();
    await run(documents, 2, async () => {
      await until('the first', async () => (await digestsIn(2)).length === 1);
      await writeFile(file, registryOf('longer'));
      await documents.refresh();
    });
    expect(await digestsIn(2)).toEqual([digestOf('a'), digestOf('longer')]);
  });

  test('is appended once however often is looked before it is seen', async () => {
    await writeFile(file, registryOf('a'));
    const documents = policies();
    await run(documents, 1, async () => {
      for (let look = 0; look < 20; look += 1) await documents.refresh();
    });
    expect(await digestsIn(0)).toHaveLength(1);
  });
});

describe('an invalid file', () => {
  test('is refused with an alarm that names the line and the wrong key, and the document before stays wanted', async () => {
    await writeFile(file, registryOf('a'));
    const documents = policies();
    await documents.refresh();
    await writeFile(file, `${registryOf('a')}servers:\n  - name: x\n    zone: nowhere\n`);
    await documents.refresh();
    expect(documents.wanted().map(({ digest }) => digest)).toEqual([digestOf('a')]);
    expect(alarms.active).toMatchObject([{ code: 'policy_refused', advisory: true }]);
    expect(alarms.active[0]?.message).toContain('line 6: servers[0].zone: there is no zone "nowhere"');
    await writeFile(file, registryOf('repaired'));
    await documents.refresh();
    expect(documents.wanted().map(({ digest }) => digest)).toEqual([digestOf('repaired')]);
    expect(alarms.active).toEqual([]);
  });

  test.each([
    ['nothing there', undefined, /cannot read registry .*: ENOENT/],
    ['no YAML', 'a: [1', /line 1: the document: not valid YAML/],
    ['no mapping', '7', /the document: /],
    [
      'aliases that multiply',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'.replace(/./g, (name, at: number) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[at]}`).join(',')}]\n`)}`,
      /aliases/,
    ],
    ['half of a character', 'version: 1\nzones: [{ name: "\\ud800", trust: vendor }]', /cannot use registry/],
  ])('with %s in it is refused in words', async (_, text, message) => {
    if (text !== undefined) await writeFile(file, text);
    const documents = policies();
    await documents.start();
    await documents.stop();
    expect(documents.wanted()).toEqual([]);
    expect(alarms.active[0]?.message).toMatch(message);
  });

  test('that is larger than a record can be is refused', () => {
    expect(() => policyDocumentOf('registry', { text: 'x'.repeat(800_000) })).toThrow(/too large/);
  });
});
