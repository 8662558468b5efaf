import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseNote } from '../../evidence/note/note.ts';
import {
  queryRows,
  runCli,
  startPipelineProcess,
  until,
  type PipelineProcess,
} from '../support/pipeline-process.ts';
import { verifies } from '../requirements.ts';

const KILLS = 50;
const LINES_PER_REQUEST = 20;

/** Sends audit requests until told to stop; remembers exactly which records were acknowledged. */
async function load(
  pipeline: PipelineProcess,
  acknowledged: Set<string>,
  running: () => boolean,
): Promise<void> {
  while (running()) {
    const marks = Array.from({ length: LINES_PER_REQUEST }, () => randomUUID());
    const session = `session-${randomUUID()}`;
    const lines = marks.map((mark, index) =>
      JSON.stringify({
        'tool.name': 'read_file',
        'session.id': session,
        'actor.id': 'agent-1',
        'actor.type': 'agent',
        'idem.key': mark,
        'policy.decision': 'allow',
        // Every request holds one wildcard grant of a new actor: it must raise exactly one alert.
        ...(index === 0 ? { 'actor.id': `agent-${mark}`, 'scope.grants': ['write:*'], ttl_sec: 3600 } : {}),
      }),
    );
    try {
      const response = await fetch(`${pipeline.http}/v1/audit`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body: lines.join('\n'),
      });
      await response.arrayBuffer();
      if (response.status === 200) for (const mark of marks) acknowledged.add(mark);
    } catch {
      // The pipeline was killed under this request: whether it was taken is unknown, and either is right.
    }
  }
}

interface Status {
  readonly alarms: readonly unknown[];
  readonly topics: readonly { readonly lag: Readonly<Record<string, string>> }[];
  readonly notary: { readonly origin: string; readonly size: string };
}
const statusOf = async (pipeline: PipelineProcess) =>
  (await (await fetch(`${pipeline.admin}/v1/status`)).json()) as Status;

/** What the anchor outside of the data directory was given must be what the store has, with nothing lost or signed twice. */
async function expectOneSignedHistory(pipeline: PipelineProcess, anchorPath: string): Promise<void> {
  const { origin, size } = (await statusOf(pipeline)).notary;
  const entries = await queryRows<{ place: string }>(
    pipeline,
    `SELECT toString(seq) AS place FROM custody.anchor_entries WHERE origin = '${origin}' AND seq < ${size} ORDER BY seq`,
  );
  expect(entries.map(({ place }) => place)).toEqual(
    Array.from({ length: Number(size) }, (_, seq) => String(seq)),
  );
  const notes = await queryRows<{ place: string; texts: number }>(
    pipeline,
    `SELECT concat(origin, ' ', toString(size)) AS place, uniqExact(note) AS texts FROM custody.checkpoints GROUP BY place HAVING texts > 1`,
  );
  expect(notes).toEqual([]);
  const signed = await queryRows<{ size: string; note: string }>(
    pipeline,
    `SELECT DISTINCT toString(size) AS size, note FROM custody.checkpoints WHERE origin = '${origin}'`,
  );
  const textOf = new Map(signed.map(({ size, note }) => [size, parseNote(note).text]));
  const lines = (await readFile(anchorPath, 'utf8')).split('\n').filter((line) => line.endsWith('}'));
  const anchored = lines.map((line) => JSON.parse(line) as { size: string; note: string });
  expect(anchored.length).toBeGreaterThan(KILLS / 2);
  for (const each of anchored)
    expect([each.size, parseNote(each.note).text]).toEqual([each.size, textOf.get(each.size)]);
  const sizes = anchored.map((each) => BigInt(each.size));
  expect(sizes).toEqual([...sizes].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
}

test(
  `${KILLS} times kill -9 under load: every acknowledged record is in the ledger exactly once, no alert is lost, and one history is signed`,
  { timeout: 900_000 },
  async () => {
    verifies('P1', 'P2', 'P4', 'P6');
    const dataDir = await mkdtemp(join(tmpdir(), 'custody-kill-'));
    const outside = await mkdtemp(join(tmpdir(), 'custody-kill-anchor-'));
    const anchorPath = join(outside, 'anchor.ndjson');
    const configFile = join(outside, 'custody.yaml');
    await writeFile(
      configFile,
      JSON.stringify({
        notary: { interval_ms: 100, anchors: [{ id: 'file', type: 'file', path: anchorPath }] },
      }),
    );
    const env = { CUSTODY_CONFIG: configFile };
    const acknowledged = new Set<string>();
    for (let kill = 0; kill < KILLS; kill++) {
      const pipeline = await startPipelineProcess(dataDir, {
        ...env,
        CUSTODY_DETECT_SNAPSHOT_INTERVAL_MS: '300',
      });
      let running = true;
      const loads = [
        load(pipeline, acknowledged, () => running),
        load(pipeline, acknowledged, () => running),
      ];
      await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 900));
      expect((await statusOf(pipeline)).alarms).toEqual([]);
      await pipeline.kill();
      running = false;
      await Promise.all(loads);
    }

    const pipeline = await startPipelineProcess(dataDir, env);
    await until('every stage to catch up', async () => {
      const status = await statusOf(pipeline);
      return status.topics.every(({ lag }) => Object.values(lag).every((records) => records === '0'));
    });

    const rows = await queryRows<{ idempotency_key: string; n: string }>(
      pipeline,
      `SELECT idempotency_key, toString(count()) AS n FROM custody.entries WHERE topic = 'custody.events' AND kind = 'event' AND event_kind != 'policy_document' GROUP BY idempotency_key`,
    );
    const inLedger = new Map(rows.map((row) => [row.idempotency_key, row.n]));
    expect(acknowledged.size).toBeGreaterThan(KILLS * LINES_PER_REQUEST);
    expect([...acknowledged].filter((mark) => !inLedger.has(mark))).toEqual([]);
    expect([...inLedger].filter(([, n]) => n !== '1')).toEqual([]);

    const grants = await queryRows<{ actor_id: string }>(
      pipeline,
      `SELECT DISTINCT actor_id FROM custody.entries WHERE topic = 'custody.events' AND has(grants, 'write:*')`,
    );
    const alerts = await queryRows<{ alert_id: string; actor_id: string }>(
      pipeline,
      `SELECT alert_id, actor_id FROM custody.alerts WHERE detector_id = 'scope-drift'`,
    );
    const delivered = (await readFile(join(dataDir, 'alerts', 'ocsf.ocsf.ndjson'), 'utf8'))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { metadata: { uid: string } }).metadata.uid);
    expect(new Set(alerts.map((alert) => alert.actor_id))).toEqual(
      new Set(grants.map((grant) => grant.actor_id)),
    );
    expect(alerts.length).toBe(new Set(alerts.map((alert) => alert.alert_id)).size);
    expect(new Set(delivered)).toEqual(
      new Set(
        (
          await queryRows<{ alert_id: string }>(
            pipeline,
            "SELECT alert_id FROM custody.alerts WHERE mode = ''",
          )
        ).map((alert) => alert.alert_id),
      ),
    );

    await until('the last entries to be signed', async () => {
      const [unsigned] = await queryRows<{ n: string }>(
        pipeline,
        `SELECT toString(count()) AS n FROM (SELECT log, max(seq) + 1 AS size FROM custody.entries GROUP BY log) AS e LEFT JOIN (SELECT toString(origin) AS log, max(size) AS signed FROM custody.checkpoints GROUP BY log) AS c ON toString(e.log) = c.log WHERE e.size > c.signed`,
      );
      return unsigned?.n === '0';
    });
    expect((await statusOf(pipeline)).alarms).toEqual([]);
    await expectOneSignedHistory(pipeline, anchorPath);

    const live = await runCli(['verify', '--json', '--data-dir', dataDir], env);
    expect(JSON.parse(live.stdout)).toMatchObject({ verdict: 'valid' });
    expect(live.code).toBe(0);
    expect(await pipeline.stop()).toBe(0);
    const stopped = await runCli(['verify', '--json', '--data-dir', dataDir], env);
    expect(JSON.parse(stopped.stdout)).toMatchObject({ verdict: 'valid' });
    for (const directory of [dataDir, outside]) await rm(directory, { recursive: true, force: true });
  },
);
