import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  cliPath,
  queryRows,
  runCli,
  startPipelineProcess,
  until,
  type PipelineProcess,
} from '../support/pipeline-process.ts';
import { verifies } from '../requirements.ts';

const freePorts = {
  CUSTODY_INGEST_HTTP_PORT: '0',
  CUSTODY_INGEST_GRPC_PORT: '0',
  CUSTODY_SQL_LISTENER_PORT: '0',
  CUSTODY_ADMIN_LISTENER_PORT: '0',
};

describe('custody start', () => {
  let dataDir: string;
  let pipeline: PipelineProcess;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'custody-start-'));
    pipeline = await startPipelineProcess(dataDir);
  });
  afterAll(async () => {
    await pipeline.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  test('a data directory in use is refused with one sentence and exit code 5', async () => {
    const second = await runCli(['start', '--data-dir', dataDir], freePorts);
    expect(second.code).toBe(5);
    expect(second.stderr.trim().split('\n')).toHaveLength(1);
    expect(second.stderr).toMatch(/cannot open data directory .*another custody process \(pid \d+\)/);
  });

  test('a taken port is refused with one sentence that names the key, and exit code 5', async () => {
    const taken = createServer();
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    for (const variable of Object.keys(freePorts)) {
      const dir = await mkdtemp(join(tmpdir(), 'custody-port-'));
      const result = await runCli(['start', '--data-dir', dir], {
        ...freePorts,
        CUSTODY_LOG_LEVEL: 'silent',
        [variable]: String(port),
      });
      expect(result.stderr).toContain(`127.0.0.1:${port}`);
      expect(result.stderr).toContain(variable);
      expect(result.stderr.trim().split('\n')).toHaveLength(1);
      expect(result.code).toBe(5);
      await rm(dir, { recursive: true, force: true });
    }
    taken.close();
  });

  test('a data directory that cannot be made is refused with one sentence', async () => {
    const result = await runCli(['start', '--data-dir', '/etc/passwd/custody'], freePorts);
    expect(result.stderr).toMatch(/^custody: cannot .*\/etc\/passwd\/custody: ENOTDIR/);
    expect(result.stderr.trim().split('\n')).toHaveLength(1);
    expect(result.code).toBe(6);
  });

  test('it listens on loopback only and says where in status', async () => {
    verifies('P8');
    for (const url of [pipeline.http, pipeline.grpc, pipeline.sql, pipeline.admin])
      expect(url).toContain('//127.0.0.1:');
    const status = await runCli(['status', '--json', '--data-dir', dataDir]);
    expect(JSON.parse(status.stdout)).toMatchObject({ running: true, pid: pipeline.pid, ready: true });
    expect(status.code).toBe(0);
  });

  test('health, readiness and metrics answer', async () => {
    expect((await fetch(`${pipeline.admin}/healthz`)).status).toBe(200);
    expect((await fetch(`${pipeline.admin}/readyz`)).status).toBe(200);
    expect(await (await fetch(`${pipeline.admin}/metrics`)).text()).toContain(
      'custody_topic_lag_records{topic="custody.events",group="ledger"}',
    );
  });

  test('an audit event becomes a row with typed columns, an alert, and both survive a stop', async () => {
    const answer = await fetch(`${pipeline.http}/v1/audit`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        name: 'mcp.tool.invoke',
        'actor.id': 'agent-7',
        'actor.type': 'agent',
        'session.id': 's-1',
        'tool.name': 'read_file',
        'policy.decision': 'allow',
        'scope.grants': ['write:*'],
        ttl_sec: 3600,
        arguments: { path: 'notes.txt', password: 'hunter2-hunter2' },
      }),
    });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ accepted: 1 });
    await until(
      'the alert to be in the ledger',
      async () => (await queryRows(pipeline, 'SELECT 1 FROM custody.alerts')).length > 0,
    );
    const [row] = await queryRows(
      pipeline,
      'SELECT actor_id, tool_name, policy_decision, grants, scope_ttl_sec, session_key FROM custody.tool_calls',
    );
    expect(row).toMatchObject({
      actor_id: 'agent-7',
      tool_name: 'read_file',
      policy_decision: 'allow',
      grants: ['write:*'],
      session_key: 's-1',
    });
    const bodies = await queryRows<{ n: string }>(
      pipeline,
      `SELECT toString(count()) AS n FROM custody.entries WHERE position(body, 'hunter2') > 0`,
    );
    expect(bodies).toEqual([{ n: '0' }]);
    const alerts = await runCli(['alerts', '--json', '--data-dir', dataDir]);
    expect(alerts.stdout).toContain('scope-drift');
  });

  test('replay over the stored events raises the stored alerts under their ids', async () => {
    verifies('P5', 'P9');
    const replay = await runCli(['replay', '--diff', '--json', '--data-dir', dataDir]);
    expect(replay.stderr).toMatch(/replayed \d+ events, [1-9]\d* alerts/);
    expect(replay.stdout).toBe('');
    expect(replay.code).toBe(0);
  });
});

test('an unknown command ends with exit code 2 and says how to get help', async () => {
  const child = spawn(process.execPath, [cliPath, 'strat'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  expect(code).toBe(2);
  expect(stderr).toContain('start');
  expect(stderr).toContain('--help');
});
