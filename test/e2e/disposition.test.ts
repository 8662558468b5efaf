import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFleet, type Fleet, type RoleProcess } from '../support/fleet.ts';
import { until } from '../support/pipeline-process.ts';

const TENANTS = ['acme', 'bolt'] as const;

let fleet: Fleet;
let collector: RoleProcess;
let detector: RoleProcess;
let ledger: RoleProcess;

beforeAll(async () => {
  fleet = await startFleet({ partitions: 2 });
  const made = await fleet.cli('topics', '--create');
  if (made.code !== 0) throw new Error(made.stdout + made.stderr);
  [collector, detector, ledger] = await Promise.all([
    fleet.start('collector'),
    fleet.start('detect'),
    fleet.start('ledger'),
  ]);
});
afterAll(() => fleet.stop());

/** A session of one tenant that asks the same again and again, and ends. */
const goesInCircles = (tenant: string) =>
  Array.from({ length: 13 }, (_, number) => ({
    ...{ id: `${tenant} ${number}`, tenant, 'actor.id': 'agent-7', 'session.id': `${tenant}-s` },
    time: new Date(Date.now() - 60_000 + number * 100).toISOString(),
    ...(number === 12
      ? { event: 'session.end' }
      : {
          ...{ kind: 'tool_call', 'tool.name': 'get_item', 'server.name': 'files' },
          ...{ 'policy.decision': 'allow', arguments: { path: '/srv/a' }, result: { ok: true } },
        }),
  }));

const asked = async (url: string): Promise<unknown> => (await fetch(url)).json();

async function heldSessions(): Promise<number | undefined> {
  const { detect } = (await asked(`${detector.admin}/v1/status`)) as { detect: { heldSessions?: number } };
  return detect.heldSessions;
}

/** Sessions of the tenant that a detector was taught. */
async function learned(tenant: string): Promise<number | undefined> {
  const answer = await asked(`${detector.admin}/v1/learning?tenant=${tenant}`);
  return (answer as { detectors: { 'first-seen'?: { seen: number } } }).detectors['first-seen']?.seen;
}

async function incidentsOf(tenant: string): Promise<{ readonly incident_id: string }[]> {
  const answer = await asked(`${ledger.admin}/v1/incidents?tenant=${tenant}`);
  return (answer as { incidents: { incident_id: string }[] }).incidents;
}

async function judge(tenant: string, disposition: string): Promise<void> {
  for (const { incident_id: id } of await incidentsOf(tenant)) {
    const answer = await fetch(`${ledger.admin}/v1/incidents/${id}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ disposition, note: 'looked at it' }),
    });
    expect(answer.status).toBe(200);
  }
}

test('what is said of an incident at one process reaches the detectors of another, and lets its sessions go', async () => {
  const sent = await fetch(`${collector.http ?? ''}/v1/audit`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: TENANTS.flatMap(goesInCircles)
      .map((record) => JSON.stringify(record))
      .join('\n'),
  });
  expect(await sent.json()).toMatchObject({ accepted: 26, malformed: 0 });
  await until('both sessions are held', async () => (await heldSessions()) === 2);
  for (const tenant of TENANTS) {
    await until(`an incident of ${tenant}`, async () => (await incidentsOf(tenant)).length === 1);
    expect(await learned(tenant)).toBe(0);
  }

  await judge('acme', 'false_positive');
  await until('one session is let go', async () => (await heldSessions()) === 1);
  expect([await learned('acme'), await learned('bolt')]).toEqual([1, 0]);

  await judge('bolt', 'true_positive');
  await until('the other is let go', async () => (await heldSessions()) === 0);
  expect([await learned('acme'), await learned('bolt')]).toEqual([1, 0]);
});
