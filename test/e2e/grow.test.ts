import { spawn, execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startClickHouse, type TestClickHouse } from '../support/clickhouse/start-clickhouse.ts';
import { findBroker, type FoundBroker } from '../support/kafka/find-broker.ts';
import { until } from '../support/pipeline-process.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

/** The blocks of one kind in the README's section Grow. */
async function blocks(kind: string): Promise<string[]> {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const section = readme.split(/^## /m).find((text) => text.startsWith('Grow\n')) ?? '';
  return [...section.matchAll(new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\``, 'gms'))].map(
    ([, block]) => block ?? '',
  );
}

let directory: string;
let broker: FoundBroker;
let clickhouse: TestClickHouse;
let fleet: ReturnType<typeof spawn> | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'custody-grow-'));
  [broker, clickhouse] = await Promise.all([findBroker(), startClickHouse()]);
});
afterAll(async () => {
  if (fleet?.pid !== undefined) process.kill(-fleet.pid, 'SIGKILL');
  await Promise.all([broker.stop(), clickhouse.stop()]);
  await rm(directory, { recursive: true, force: true });
});

test('the section Grow of the README, its file and commands as written but for the addresses', async () => {
  const [yaml = ''] = await blocks('yaml');
  const [prepare = '', start = '', look = ''] = await blocks('sh');
  const config = join(directory, 'custody.yaml');
  await writeFile(join(directory, 'digest.key'), `${'ab'.repeat(32)}\n`);
  await writeFile(
    config,
    yaml
      .replace('127.0.0.1:9092', broker.bootstrap.join(', '))
      .replace('http://127.0.0.1:8123', clickhouse.url)
      .replace('username: custody_writer', `username: ${clickhouse.username}`)
      .replace('file: digest.key', `file: ${join(directory, 'digest.key')}`),
  );
  const env = {
    ...process.env,
    CUSTODY_CONFIG: config,
    CUSTODY_DATA_DIR: join(directory, 'data'),
    CUSTODY_LOG_NAMESPACE: `grow-${Date.now()}`,
    CUSTODY_LOG_LEVEL: 'warn',
  };
  const shell = async (block: string) =>
    (await run('bash', ['-euo', 'pipefail', '-c', block], { cwd: root, env })).stdout;

  expect(await shell(prepare)).toMatch(/events +made/);
  fleet = spawn('bash', ['-c', `${start}wait`], {
    cwd: root,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  fleet.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await until('all seven processes', () => (output.match(/is ready/g) ?? []).length === 7).catch(
    (error: unknown) => {
      throw new Error(output, { cause: error });
    },
  );

  const http = /OTLP HTTP +(\S+)/.exec(output)?.[1] ?? '';
  const answer = await fetch(`${http}/v1/audit`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      'actor.id': 'agent-7',
      'actor.type': 'agent',
      'session.id': 'first',
      'tool.name': 'read_file',
      'policy.decision': 'allow',
      'scope.grants': ['write:*'],
    }),
  });
  expect(answer.status).toBe(200);
  await until('the alert to be in the ledger', async () =>
    (await shell('npx custody alerts')).includes('scope-drift'),
  );
  const seen = await shell(look);
  // The event, and in each partition a record of the rules in force.
  expect(seen).toMatch(/custody\.events\s+13 records {2}ledger 0 behind, detect 0 behind/);
  expect(seen).toContain('scope-drift');
  expect(seen).toContain('valid');
}, 400_000);
