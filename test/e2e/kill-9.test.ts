import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
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

test(
  `${KILLS} times kill -9 under load: every acknowledged record is in the ledger exactly once, and no alert is lost`,
  { timeout: 900_000 },
  async () => {
    verifies('P1', 'P2', 'P6');
    const dataDir = await mkdtemp(join(tmpdir(), 'custody-kill-'));
    const acknowledged = new Set<string>();
    for (let kill = 0; kill < KILLS; kill++) {
      const pipeline = await startPipelineProcess(dataDir, { CUSTODY_DETECT_SNAPSHOT_INTERVAL_MS: '300' });
      let running = true;
      const loads = [
        load(pipeline, acknowledged, () => running),
        load(pipeline, acknowledged, () => running),
      ];
      await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 900));
      await pipeline.kill();
      running = false;
      await Promise.all(loads);
    }

    const pipeline = await startPipelineProcess(dataDir);
    interface Lag {
      readonly topics: readonly { readonly lag: Readonly<Record<string, string>> }[];
    }
    await until(
      'every stage to catch up',
      async () => {
        const status = (await (await fetch(`${pipeline.admin}/v1/status`)).json()) as Lag;
        return status.topics.every(({ lag }) => Object.values(lag).every((records) => records === '0'));
      },
      60_000,
    );

    const rows = await queryRows<{ idempotency_key: string; n: string }>(
      pipeline,
      `SELECT idempotency_key, toString(count()) AS n FROM custody.entries WHERE topic = 'custody.events' AND kind = 'event' GROUP BY idempotency_key`,
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
        (await queryRows<{ alert_id: string }>(pipeline, 'SELECT alert_id FROM custody.alerts')).map(
          (alert) => alert.alert_id,
        ),
      ),
    );

    const live = await runCli(['verify', '--json', '--data-dir', dataDir]);
    expect(JSON.parse(live.stdout)).toMatchObject({ verdict: 'valid' });
    expect(live.code).toBe(0);
    expect(await pipeline.stop()).toBe(0);
    const stopped = await runCli(['verify', '--json', '--data-dir', dataDir]);
    expect(JSON.parse(stopped.stdout)).toMatchObject({ verdict: 'valid' });
    await rm(dataDir, { recursive: true, force: true });
  },
);
