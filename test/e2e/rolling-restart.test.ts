import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Role } from '../../pipeline/roles.ts';
import { verifies } from '../requirements.ts';
import { startFleet, type Fleet, type RoleProcess } from '../support/fleet.ts';
import { until } from '../support/pipeline-process.ts';
import { whyNoKafka } from '../support/possible.ts';

/** Two collectors: a sender always finds one. */
const CREW: readonly Role[] = ['collector', 'collector', 'detect', 'ledger', 'sink', 'notary'];
const SENDERS = 3;
const LINES_PER_REQUEST = 5;
/** `terminationGracePeriodSeconds` of the chart is 60, `stop_grace_period` of Compose 45. */
const DRAIN_MAX_MS = 45_000;
const why = whyNoKafka();
if (why !== undefined) process.stdout.write(`\nNOT RUN, ${why}:\n  test/e2e/rolling-restart.test.ts\n\n`);

let fleet: Fleet;
const running = new Set<RoleProcess>();

beforeAll(async () => {
  if (why !== undefined) return;
  fleet = await startFleet({ partitions: 2 });
  const made = await fleet.cli('topics', '--create');
  if (made.code !== 0) throw new Error(made.stdout + made.stderr);
  for (const process of await Promise.all(CREW.map((role) => fleet.start(role)))) running.add(process);
});
afterAll(async () => {
  if (why === undefined) await fleet.stop();
});

const collectors = () => [...running].flatMap(({ http }) => http ?? []);

/** Sends until told to stop, to one collector after the other; a request that nobody answered goes to the next one. */
async function sender(acknowledged: string[], repeated: string[], isRunning: () => boolean): Promise<void> {
  for (let turn = 0; isRunning(); turn += 1) {
    const ids = Array.from({ length: LINES_PER_REQUEST }, () => randomUUID());
    const body = ids.map(recordOf).join('\n');
    for (let attempt = 0; !(await taken(collectors()[(turn + attempt) % collectors().length], body));) {
      attempt += 1;
      repeated.push(...ids);
      await pause(50);
    }
    acknowledged.push(...ids);
    await pause(20);
  }
}

const recordOf = (id: string, index: number) =>
  JSON.stringify({
    id,
    'idem.key': id,
    'tenant.id': index % 2 === 0 ? 'acme' : 'bolt',
    'tool.name': 'read_file',
    'actor.id': index === 0 ? `agent-${id}` : 'agent-1',
    'actor.type': 'agent',
    'session.id': `session-${id}`,
    'policy.decision': 'allow',
    // One alert for each request.
    ...(index === 0 ? { 'scope.grants': ['write:*'], ttl_sec: 3600 } : {}),
  });

async function taken(url: string | undefined, body: string): Promise<boolean> {
  try {
    const response = await fetch(`${url ?? ''}/v1/audit`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body,
    });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

/** As `kubectl rollout restart` does it: one process after the other. */
async function replaceEach(): Promise<{ role: string; code: number | null | string; ms: number }[]> {
  const ends = [];
  for (const leaving of [...running]) {
    const began = performance.now();
    running.delete(leaving);
    const code = await Promise.race([leaving.stop(), pause(DRAIN_MAX_MS, 'still running')]);
    ends.push({ role: leaving.role, code, ms: Math.round(performance.now() - began) });
    running.add(await fleet.start(leaving.role));
  }
  return ends;
}

async function isCaughtUp(): Promise<boolean> {
  const { stdout } = await fleet.cli('status', '--json');
  const { topics } = JSON.parse(stdout) as { topics: { lag: Record<string, string> }[] };
  return topics.every(({ lag }) => Object.values(lag).every((records) => records === '0'));
}

test.skipIf(why !== undefined)(
  'every role is replaced under load: no acknowledged record is lost, none is there twice, and every process ends as asked',
  async () => {
    verifies('P1', 'P2', 'P6');
    const acknowledged: string[] = [];
    const repeated: string[] = [];
    let sending = true;
    const senders = Array.from({ length: SENDERS }, () => sender(acknowledged, repeated, () => sending));
    const ends = await replaceEach();
    sending = false;
    await Promise.all(senders);
    process.stdout.write(
      `${acknowledged.length} records, ${repeated.length} of them sent again; ` +
        `${ends.map(({ role, ms }) => `${role} ${ms} ms`).join(', ')}\n`,
    );
    expect(ends.map(({ role, code }) => `${role} ${code ?? 'killed'}`)).toEqual(
      CREW.map((role) => `${role} 0`),
    );
    await until('every group to catch up', isCaughtUp);

    const rows = await fleet.rows<{ mark: string; n: string }>(
      `SELECT idempotency_key AS mark, toString(count()) AS n FROM custody.entries WHERE topic = 'custody.events' AND kind = 'event' AND event_kind != 'policy_document' GROUP BY mark`,
    );
    const count = new Map(rows.map(({ mark, n }) => [mark, n]));
    expect(acknowledged.length).toBeGreaterThan(100);
    expect(acknowledged.filter((id) => !count.has(id))).toEqual([]);
    expect([...count].filter(([, n]) => n !== '1')).toEqual([]);
    expect(count.size).toBe(acknowledged.length);

    const [alerts] = await fleet.rows<{ n: number; unique: number }>(
      `SELECT toUInt32(count()) AS n, toUInt32(uniqExact(alert_id)) AS unique FROM custody.entries WHERE topic = 'custody.alerts' AND kind = 'event' AND body LIKE '%scope-drift%'`,
    );
    expect(alerts?.n).toBe(alerts?.unique);
    expect(alerts?.n).toBeGreaterThanOrEqual(acknowledged.length / LINES_PER_REQUEST);

    const { code, stdout } = await fleet.cli('verify', '--json');
    expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({
      code: 0,
      verdict: 'valid',
      findings: [],
      duplicates: 0,
    });
  },
);
