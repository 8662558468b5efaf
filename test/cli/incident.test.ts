import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startPipeline, type Pipeline } from '../../pipeline/assemble.ts';
import { ROLES } from '../../pipeline/roles.ts';
import { systemClock } from '../../runtime/clock.ts';
import { configSchema } from '../../schemas/config.ts';
import { captured } from './captured.ts';

const loopback = { host: '127.0.0.1', port: 0 };
const TOKEN = 'the-token-of-ann';
const CALLS = 12;
let dataDir: string;
let configFile: string;
let pipeline: Pipeline | undefined;

const settings = () => ({
  data_dir: dataDir,
  ingest: { http: loopback, grpc: { ...loopback, enabled: false } },
  sql: { listener: loopback },
  admin: { listener: loopback, tokens: [{ env: 'ANN_TOKEN', name: 'ann' }] },
  ledger: { linger_ms: 10 },
});

async function startIt(): Promise<void> {
  pipeline = await startPipeline({
    config: configSchema.parse(settings()),
    version: 'test',
    roles: new Set(ROLES),
    tokens: { ingest: [], sql: [], admin: [{ value: TOKEN, tenant: undefined, name: 'ann' }] },
    secrets: () => '',
    clock: systemClock,
    logger: pino({ level: 'silent' }),
  });
}

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'custody-incident-'));
  configFile = join(dataDir, 'custody.yaml');
  await writeFile(configFile, JSON.stringify(settings()));
  vi.stubEnv('ANN_TOKEN', TOKEN);
  await startIt();
});
afterAll(async () => {
  await pipeline?.stop();
  vi.unstubAllEnvs();
  await rm(dataDir, { recursive: true, force: true });
});

async function custody(...words: readonly string[]) {
  const { code, stdout: out, stderr: err } = await captured(...words, '--config', configFile);
  return { code, out, err };
}
const json = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** The same call again and again: the loop detector's business. */
async function goInCircles(session: string): Promise<void> {
  const records = Array.from({ length: CALLS }, (_, number) => ({
    id: `${session} ${number}`,
    tenant: 'acme',
    kind: 'tool_call',
    time: new Date(Date.now() - 60_000 + number * 100).toISOString(),
    'actor.id': 'agent-7',
    'session.id': session,
    'tool.name': 'read\u001b[31m_file',
    'server.name': 'files',
    'policy.decision': 'allow',
    arguments: { path: '/srv/a' },
    result: { ok: true },
  }));
  const { http } = pipeline?.addresses ?? {};
  const response = await fetch(`http://127.0.0.1:${http?.port}/v1/audit`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: records.map((record) => JSON.stringify(record)).join('\n'),
  });
  expect(await response.json()).toMatchObject({ accepted: CALLS, malformed: 0 });
}

async function incidents(...args: string[]): Promise<Record<string, unknown>[]> {
  const { code, out, err } = await custody('incident', 'list', '--json', ...args);
  expect(code, err).toBe(0);
  return json(out);
}
const first = async (id: string) => json((await custody('incident', 'show', id, '--json')).out)[0];

it('an analyst finds an incident, works on it and resolves it, and each step is in the ledger under their name', async () => {
  expect((await custody('incident', 'list')).out).toBe('no incidents\n');
  await goInCircles('s-1');
  const [found] = await vi.waitFor(
    async () => {
      const list = await incidents();
      expect(list).toHaveLength(1);
      return list;
    },
    { timeout: 120_000, interval: 200 },
  );
  const id = String(found?.['incident_id']);
  expect(found).toMatchObject({
    tenant: 'acme',
    status: 'open',
    disposition: 'undetermined',
    assignee: '',
  });

  const shown = await custody('incident', 'show', id.slice(0, 8));
  expect(shown.out).toContain(`incident ${id}`);
  expect(shown.out).toContain('Timeline');
  expect(shown.out).toMatch(/evidence [0-9a-f-]{36}/);
  expect(shown.out).toContain(`custody incident assign ${id.slice(0, 8)}`);
  expect(shown.out).not.toContain('\u001b');
  const alerts = await custody('alerts');
  expect(alerts.out).toContain(`incident ${id}, risk `);
  expect(alerts.out).not.toContain('\u001b');

  const steps = [
    ['assign', id.slice(0, 8), 'bob'],
    ['status', id.slice(0, 8), 'acknowledged'],
    ['note', id, 'asked jo@example.test'],
    ['disposition', id, 'benign_true_positive', '--resolve', '--note', 'a poller, on purpose'],
  ];
  for (const step of steps) {
    const { code, out, err } = await custody('incident', ...step);
    expect(code, err).toBe(0);
    expect(out).toContain('changed_by ann');
  }
  await vi.waitFor(
    async () =>
      expect(await first(id)).toMatchObject({
        incident: {
          status: 'resolved',
          assignee: 'bob',
          disposition: 'benign_true_positive',
          change_count: 4,
        },
      }),
    { timeout: 120_000, interval: 200 },
  );
  const text = (await custody('incident', 'show', id)).out;
  expect(text).toContain('by ann: assigned to bob');
  expect(text).not.toContain('jo@example.test');
  expect(await incidents()).toEqual([]);
  expect(await incidents('--status', 'any', '--since', '1h', '--tenant', 'acme')).toHaveLength(1);
  const kpi = json((await custody('incident', 'kpi', '--json', '--tenant', 'acme')).out);
  expect(kpi[0]).toMatchObject({ incidents: 1, benign_true_positives: 1, false_positive_rate: 0 });
  expect((await custody('incident', 'kpi')).out).toContain(String(kpi[0]?.['detector_id']));

  const status = await custody('status');
  expect(status.out).toContain('detectors: 1 tenants');
  expect(status.out).toMatch(/learning, in so many tenants: .*\w+ 1/);
  const tenant = await custody('status', '--tenant', 'acme');
  expect(tenant.out).toMatch(/learning what is normal for tenant acme:\n {2}\S+ +learning, \d+ seen/);
  expect((await custody('status', '--tenant', 'nobody')).out).toContain('nothing is known of tenant nobody');
});

it('refuses what makes no sense, with a sentence and the exit code for it', async () => {
  const [some] = await incidents('--status', 'any');
  const id = String(some?.['incident_id']);
  for (const [args, code, sentence] of [
    [['show', '7d0f'], 2, 'at least its first eight digits'],
    [['show', '00000000'], 2, 'no alert in the ledger belongs to it'],
    [['status', '00000000-0000-4000-8000-000000000000', 'resolved'], 6, 'cannot find incident'],
    [['status', id, 'closed'], 2, 'Allowed choices are'],
    [['disposition', id, 'wrong'], 2, 'Allowed choices are'],
    [['assign', id], 2, 'name somebody, or say --nobody'],
    [['assign', id, 'bob', '--nobody'], 2, 'name somebody, or say --nobody'],
    [['note', id, 'x'.repeat(3000)], 2, 'the note must have at most 2048 characters'],
    [['note', id, ''], 2, 'the note must not be empty or blank'],
    [['note', id, ' \t\u200b'], 2, 'the note must not be empty or blank'],
    [['status', id, 'resolved', '--note', ''], 2, 'the note must not be empty or blank'],
    [['note', id, 'x', '--as', 'nobody'], 2, 'no token in admin.tokens has that name'],
    [['note', id, 'x', '--admin', 'ftp://x'], 2, 'no http or https URL'],
    [['list', '--since', 'yesterday'], 2, '--since'],
    [['list', '--limit', '0'], 2, '--limit'],
    [['list', '--tenant', 'No Tenant'], 2, '--tenant'],
  ] as const) {
    const answer = await custody('incident', ...args);
    expect(answer.err, args.join(' ')).toContain(sentence);
    expect(answer.code, args.join(' ')).toBe(code);
  }
});

it('reads the stopped store, and says that a change needs the running pipeline', async () => {
  await pipeline?.stop();
  pipeline = undefined;
  const [some] = await incidents('--status', 'any');
  const id = String(some?.['incident_id']);
  expect((await custody('incident', 'show', id)).out).toContain('resolved');
  const { code, err } = await custody('incident', 'status', id, 'in_progress');
  expect(code).toBe(6);
  expect(err).toContain('no pipeline runs on data directory');
});
