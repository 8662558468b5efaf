import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Alert } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { controlTenant } from '../../streams/control-tenant.ts';
import { openKafkaLog } from '../../streams/kafka/open-log.ts';
import { type Log, type TopicName, TOPIC_NAMES } from '../../streams/topic.ts';
import { verifies } from '../requirements.ts';
import { kafkaConfig } from '../streams/kafka-harness.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { until } from '../support/pipeline-process.ts';
import { readRecording } from './recording.ts';
import { handled, membersOf } from './worker-run.ts';

const PARTITIONS = 2;
const TENANTS = ['acme', 'globex', 'initech', 'umbrella', 'hooli', 'stark'];

/** What holds first, and what holds after the files changed. */
const versions = [
  { word: 'first', tool: 'mark', zone: 'internal' },
  { word: 'second', tool: 'mark_again', zone: 'outside' },
] as const;
type Version = (typeof versions)[number];

const ruleText = ({ word, tool }: Version) => `
id: marked
title: Marked
version: ${versions.findIndex((version) => version.word === word) + 1}
description: A call that is told of, by the ${word} version.
severity: low
maturity: experimental
match:
  condition: call.tool == "${tool}"
alert_budget: { max_per_day: 10000 }
alert:
  reason: '${word}: {{registry.server.zone}}'
  dedup_key: '{{event.event_id}}'
`;
const registryText = ({ zone }: Version) => `
version: 1
zones:
  - { name: internal, trust: internal }
  - { name: outside, trust: external }
servers:
  - { name: files, zone: ${zone} }
`;

/** One record of a partition as its detectors see it: an event, and what was in force at its place. */
interface Judged {
  readonly event: CustodyEvent;
  readonly inForce: Readonly<Record<string, string>>;
}

let directory: string;
let fleet: Fleet;
let log: Log;
/** By partition. */
let judged: readonly (readonly Judged[])[];
let alerts: readonly Alert[];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'custody-policies-'));
  mkdirSync(join(directory, 'rules'));
  bringIn(versions[0]);
  fleet = await startFleet({
    partitions: PARTITIONS,
    env: {
      CUSTODY_RULES_DIRS: JSON.stringify([join(directory, 'rules')]),
      CUSTODY_RULES_RELOAD_INTERVAL_MS: '1000',
      CUSTODY_REGISTRY_FILE: join(directory, 'registry.yaml'),
      CUSTODY_REGISTRY_RELOAD_INTERVAL_MS: '200',
    },
  });
  const namespace = fleet.env['CUSTODY_LOG_NAMESPACE'] ?? '';
  const config = kafkaConfig(fleet.kafka.bootstrap, { namespace, partitions: PARTITIONS });
  log = await openKafkaLog({ config, credentials: { password: undefined } });
  const [{ http = '' }, one] = await Promise.all([
    fleet.start('collector'),
    fleet.start('detect'),
    fleet.start('detect'),
    fleet.start('ledger'),
  ]);
  await membersOf(config, ['detect.events'], 2);
  await until('the first version in every partition', async () => (await documentsSeen()) === 1 * 2);
  await post(http, 60);

  bringIn(versions[1]);
  // Agents go on while the files change: where in the log a version begins is a matter of chance.
  await until('the second version in every partition', async () => {
    await post(http, 12);
    return (await documentsSeen()) === 2 * 2;
  });
  await post(http, 60);

  // Who takes over knows what is in force from the log, not from having brought it there.
  await one.stop();
  await membersOf(config, ['detect.events'], 1);
  await post(http, 60);
  await handled(log, 'custody.events', 'detect');
  for (const name of TOPIC_NAMES) await handled(log, name, 'ledger');
  await Promise.all([...fleet.processes].map((process) => process.stop()));
  judged = (await recordsOf<CustodyEvent>('custody.events')).map(withDocuments);
  alerts = (await recordsOf<Alert>('custody.alerts')).flat();
});

afterAll(async () => {
  await log.close();
  await fleet.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Whole files take the place of whole files. */
function bringIn(version: Version): void {
  for (const [file, text] of [
    ['rules/marked.yaml', ruleText(version)],
    ['registry.yaml', registryText(version)],
  ] as const) {
    writeFileSync(join(directory, 'next'), text);
    renameSync(join(directory, 'next'), join(directory, file));
  }
}

async function recordsOf<T>(name: TopicName): Promise<T[][]> {
  const partitions = (await readRecording(log)).get(name)?.partitions ?? [];
  return partitions.map((records) =>
    records.map(({ value }) => JSON.parse(Buffer.from(value).toString()) as T),
  );
}

const isDocument = (event: CustodyEvent) => event.kind === 'policy_document';

/** Documents of the partition that has fewest. */
async function documentsSeen(): Promise<number> {
  const events = await recordsOf<CustodyEvent>('custody.events');
  return Math.min(...events.map((records) => records.filter(isDocument).length));
}

function withDocuments(events: readonly CustodyEvent[]): Judged[] {
  let inForce: Readonly<Record<string, string>> = {};
  return events.map((event) => {
    const document = event.policy_document;
    const before = inForce;
    if (document !== undefined) inForce = { ...inForce, [document.type]: document.digest };
    return { event, inForce: before };
  });
}

let posted = 0;
/** Calls of both tools, by all tenants, each in a session of its own. */
async function post(http: string, count: number): Promise<void> {
  const lines = Array.from({ length: count }, () => {
    const number = posted++;
    return JSON.stringify({
      kind: 'tool_call',
      call_id: `call-${number}`,
      tenant: TENANTS[number % TENANTS.length],
      tool: versions[Math.floor(number / TENANTS.length) % 2]?.tool,
      server: 'files',
      session_id: `session-${number}`,
      outcome: 'ok',
    });
  });
  const answer = await fetch(`${http}/v1/audit`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  if (!answer.ok) throw new Error(`the collector answered ${answer.status}: ${await answer.text()}`);
}

/** Digests in the order in which their documents came into force, by type. */
const digestsOf = (records: readonly Judged[], type: string) =>
  records.flatMap(({ event: { policy_document: document } }) =>
    document?.type === type ? [document.digest] : [],
  );
const callsOf = (records: readonly Judged[]) => records.filter(({ event }) => event.kind === 'tool_call');

describe('rules and a registry that change while a fleet works', () => {
  it('are one record a change in every partition, of its own control tenant, whoever owns it', () => {
    verifies('P5');
    const [first = []] = judged;
    for (const type of ['rules', 'registry']) {
      const digests = digestsOf(first, type);
      expect(new Set(digests).size).toBe(2);
      expect(judged.map((records) => digestsOf(records, type))).toEqual([digests, digests]);
    }
    const tenants = judged.map((records) =>
      records.flatMap(({ event }) => (isDocument(event) ? [event.tenant] : [])),
    );
    expect(tenants).toEqual([0, 1].map((partition) => Array(4).fill(controlTenant(partition, PARTITIONS))));
  });

  it('judge every event by the version in force at its place in the log', () => {
    verifies('P5', 'P9');
    const marks = new Map(
      alerts
        .filter(({ detector }) => detector.id === 'rule/marked')
        .map((alert) => [alert.evidence.at(-1), alert]),
    );
    let told = 0;
    for (const records of judged) {
      const [rules, registries] = [digestsOf(records, 'rules'), digestsOf(records, 'registry')];
      const seen = [0, 0];
      for (const { event, inForce } of callsOf(records)) {
        const index = rules.indexOf(inForce['rules'] ?? '');
        const version = versions[index];
        const zone = versions[registries.indexOf(inForce['registry'] ?? '')]?.zone;
        expect({ index, zone }).toEqual({
          index: expect.any(Number) as number,
          zone: expect.any(String) as string,
        });
        seen[index] = (seen[index] ?? 0) + 1;
        const alert = marks.get(event.event_id);
        if (event.tool?.name !== version?.tool) expect(alert).toBeUndefined();
        else {
          expect(alert).toMatchObject({
            reason: `${version?.word ?? ''}: ${zone ?? ''}`,
            detector: { version: index + 1 },
            policy_digests: inForce,
          });
          told += 1;
        }
      }
      // Neither version had the partition for itself.
      expect(Math.min(...seen)).toBeGreaterThan(10);
    }
    expect(told).toBe(marks.size);
    expect(callsOf(judged.flat()).length).toBe(posted);
  });

  it('are named by digest in every alert, whichever detector raised it', () => {
    const places = new Map(judged.flat().map(({ event, inForce }) => [event.event_id, inForce]));
    expect(alerts.length).toBeGreaterThan(50);
    for (const { evidence, policy_digests: digests } of alerts)
      expect(digests).toEqual(places.get(evidence.at(-1) ?? ''));
  });

  it('are entries of the ledger', async () => {
    const rows = await fleet.rows<{ partition: number; documents: number }>(
      `SELECT kpart AS partition, toUInt32(uniqExact(leaf)) AS documents FROM custody.entries
       WHERE event_kind = 'policy_document' GROUP BY kpart ORDER BY kpart`,
    );
    expect(rows).toEqual([
      { partition: 0, documents: 4 },
      { partition: 1, documents: 4 },
    ]);
  });

  it('raise the same alerts in a replay of the ledger', async () => {
    verifies('P5');
    const { code, stdout, stderr } = await fleet.cli('replay', '--diff');
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain(`replayed ${posted} events, ${alerts.length} alerts`);
  });
});
