import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifies } from '../requirements.ts';
import { startFront, type Front } from '../support/clickhouse/start-front.ts';
import { startFleet, type Fleet, type RoleProcess } from '../support/fleet.ts';
import { until } from '../support/pipeline-process.ts';
import { whyNoKafka } from '../support/possible.ts';

const PARTITIONS = 2;
const TENANTS = ['acme', 'bolt', 'crux'];
const why = whyNoKafka();
if (why !== undefined) process.stdout.write(`\nNOT RUN, ${why}:\n  test/e2e/backup-restore.test.ts\n\n`);

interface Refill {
  readonly topic: string;
  readonly entries: number;
}
interface Verification {
  readonly verdict: string;
  readonly findings: readonly { readonly cause: string }[];
}

interface Signed {
  readonly verified_up_to: readonly { readonly unsigned: string }[];
}

/** The page docs/operations/backup.md, done: each test goes on where the one before it ended. */
describe.skipIf(why !== undefined)('a store is restored from a copy that is older than the log', () => {
  let folder: string;
  let clickhouse: Front;
  let fleet: Fleet;
  let collector: RoleProcess;
  let ledger: RoleProcess;
  let notary: RoleProcess;
  const sent: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'custody-backup-'));
    clickhouse = await startFront({ directory: join(folder, 'store') });
    // Several checkpoints between the copy and the end, not one.
    fleet = await startFleet({
      partitions: PARTITIONS,
      clickhouse,
      env: { CUSTODY_NOTARY_INTERVAL_MS: '100' },
    });
    collector = await fleet.start('collector');
    ledger = await fleet.start('ledger');
    notary = await fleet.start('notary');
  });
  afterAll(async () => {
    await fleet.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function send(count: number): Promise<void> {
    const ids = Array.from({ length: count }, (_, index) => `record-${sent.length + index}`);
    const response = await fetch(`${collector.http ?? ''}/v1/audit`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: ids.map((id, index) => JSON.stringify(recordOf(id, TENANTS[index % 3] ?? ''))).join('\n'),
    });
    expect(await response.json()).toMatchObject({ accepted: count });
    sent.push(...ids);
  }

  const recordOf = (id: string, tenant: string) => ({
    id,
    'idem.key': id,
    'tenant.id': tenant,
    'tool.name': 'read_file',
    'actor.id': 'agent-1',
    'actor.type': 'agent',
    'session.id': `session-${id}`,
  });

  const stored = () =>
    fleet.rows<{ mark: string; n: string }>(
      `SELECT idempotency_key AS mark, toString(count()) AS n FROM custody.entries WHERE kind = 'event' AND event_kind != 'policy_document' GROUP BY mark`,
    );
  const untilStored = () =>
    until('every record to be in the ledger', async () => (await stored()).length === sent.length);

  const untilSigned = () =>
    until('every entry to be signed', async () => {
      const { stdout } = await fleet.cli('verify', '--json');
      const { verified_up_to } = JSON.parse(stdout) as Signed;
      return verified_up_to.every(({ unsigned }) => unsigned === '0');
    });

  async function verification(...args: string[]): Promise<Verification & { readonly code: number | null }> {
    const { code, stdout } = await fleet.cli('verify', '--json', ...args);
    return { code, ...(JSON.parse(stdout) as Verification) };
  }
  const readiness = async ({ admin }: RoleProcess) => {
    const response = await fetch(`${admin}/readyz`);
    return { status: response.status, text: await response.text() };
  };

  test('the copy is taken while nobody writes; collectors go on', async () => {
    await send(60);
    await untilStored();
    expect([await ledger.stop(), await notary.stop()]).toEqual([0, 0]);
    await clickhouse.kill();
    await cp(join(folder, 'store'), join(folder, 'copy'), { recursive: true });
    await send(30);
    await clickhouse.restart();
    ledger = await fleet.start('ledger');
    notary = await fleet.start('notary');
    await untilStored();
    await untilSigned();
    await send(30);
    await untilStored();
    await untilSigned();
    expect([await ledger.stop(), await notary.stop()]).toEqual([0, 0]);
  });

  test('with the older copy in its place, the ledger refuses, says so and writes nothing', async () => {
    verifies('P2');
    await clickhouse.kill();
    await rm(join(folder, 'store'), { recursive: true });
    await cp(join(folder, 'copy'), join(folder, 'store'), { recursive: true });
    await clickhouse.restart();
    expect(await stored()).toHaveLength(60);

    ledger = await fleet.start('ledger');
    await until('the ledger to refuse', async () => (await readiness(ledger)).status === 503);
    const { text } = await readiness(ledger);
    expect(text).toContain('"component":"ledger","code":"integrity"');
    expect(text).toContain('ROLLBACK');
    const metrics = await (await fetch(`${ledger.admin}/metrics`)).text();
    expect(metrics).toContain('custody_alarms{component="ledger",code="integrity"} 1');
    expect(ledger.child.exitCode).toBeNull();
    expect(await stored()).toHaveLength(60);

    const { code, verdict, findings } = await verification();
    expect([code, verdict]).toEqual([3, 'invalid']);
    expect(new Set(findings.map(({ cause }) => cause))).toEqual(new Set(['TRUNCATED', 'ROLLBACK']));
  });

  test('records sent meanwhile are accepted and wait in the log', async () => {
    await send(10);
    expect(await stored()).toHaveLength(60);
    expect(await ledger.stop()).toBe(0);
  });

  test('a dry run of refill says what it would put back, and writes nothing', async () => {
    const { code, stdout } = await fleet.cli('refill', '--dry-run', '--json');
    expect(code).toBe(0);
    expect(missingIn(stdout)).toBe(60);
    expect(await stored()).toHaveLength(60);
  });

  test('refill puts back what the ledger had, the notary what it signed; a second time nothing is missing', async () => {
    const { code, stdout } = await fleet.cli('refill', '--json');
    expect(code).toBe(0);
    expect(missingIn(stdout)).toBe(60);
    expect(await stored()).toHaveLength(120);
    const between = await verification();
    expect(between.findings.map(({ cause }) => cause)).toEqual(['ROLLBACK']);
    notary = await fleet.start('notary');
    await until('the anchor log to be whole', async () => (await verification()).code === 0);
    expect((await readiness(notary)).status).toBe(200);
    expect(await verification('--rebuild')).toMatchObject({ code: 0, verdict: 'valid', findings: [] });
    expect((await fleet.cli('refill', '--dry-run')).stdout).toBe('nothing is missing\n');
  });

  test('the ledger goes on, and every record is there exactly once', async () => {
    verifies('P1', 'P2');
    ledger = await fleet.start('ledger');
    await send(10);
    await untilStored();
    expect((await readiness(ledger)).status).toBe(200);
    const rows = await stored();
    expect(rows.map(({ mark }) => mark).sort()).toEqual([...sent].sort());
    expect(new Set(rows.map(({ n }) => n))).toEqual(new Set(['1']));
    await untilSigned();
    expect(await verification('--rebuild')).toMatchObject({ code: 0, verdict: 'valid', findings: [] });
  });

  test('what the log no longer has cannot be put back: refill says which records, and writes nothing', async () => {
    expect([await ledger.stop(), await notary.stop()]).toEqual([0, 0]);
    await clickhouse.kill();
    await rm(join(folder, 'store'), { recursive: true });
    await cp(join(folder, 'copy'), join(folder, 'store'), { recursive: true });
    await clickhouse.restart();
    await expireEvents(fleet);
    const { code, stderr } = await fleet.cli('refill');
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /the log no longer has records \d+ to \d+; restore a newer backup of the store first/,
    );
    expect(await stored()).toHaveLength(60);
  });
});

const missingIn = (reports: string): number =>
  (JSON.parse(reports) as Refill[]).reduce((sum, { entries }) => sum + entries, 0);

/** What retention does some day. */
async function expireEvents({ kafka, env }: Fleet): Promise<void> {
  const admin = new Kafka({ brokers: [...kafka.bootstrap], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const topic = `${env['CUSTODY_LOG_NAMESPACE'] ?? ''}.events`;
  const partitions = (await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => ({
    partition,
    offset: high,
  }));
  await admin.deleteTopicRecords({ topic, partitions });
  await admin.disconnect();
}
