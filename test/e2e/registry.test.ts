import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  queryRows,
  runCli,
  startPipelineProcess,
  until,
  type PipelineProcess,
} from '../support/pipeline-process.ts';

let directory: string;
let pipeline: PipelineProcess | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'custody-registry-e2e-'));
});
afterEach(async () => {
  await pipeline?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const registry = (zone: string) =>
  `version: 1\nzones:\n  - { name: internal, trust: internal }\nservers:\n  - { name: files, zone: ${zone} }\n`;

test('a registry comes into force, changes without a restart, is refused when it is wrong, and is all in the ledger', async () => {
  const file = join(directory, 'registry.yaml');
  const dataDir = join(directory, 'data');
  const env = {
    CUSTODY_DATA_DIR: dataDir,
    CUSTODY_REGISTRY_FILE: file,
    CUSTODY_REGISTRY_RELOAD_INTERVAL_MS: '200',
    CUSTODY_RULES_DIRS: '[]',
  };
  writeFileSync(file, registry('internal'));
  pipeline = await startPipelineProcess(dataDir, env);
  const running = pipeline;
  const digests = async () =>
    (
      await queryRows<{ digest: string }>(
        running,
        `SELECT JSONExtractString(body, 'policy_document', 'digest') AS digest FROM custody.entries
         WHERE event_kind = 'policy_document' ORDER BY koffset`,
      )
    ).map(({ digest }) => digest);
  await until('the first registry in the ledger', async () => (await digests()).length === 1);

  writeFileSync(file, `${registry('internal')}  - { name: mail, zone: internal }\n`);
  await until('the second', async () => (await digests()).length === 2);

  writeFileSync(file, registry('nowhere'));
  const readyz = async () => (await fetch(`${running.admin}/readyz`)).text();
  await until('the alarm', async () => (await readyz()).includes('policy_refused'));
  expect(await readyz()).toContain('servers[0].zone: there is no zone');
  // What collects goes on: a typing mistake takes no process out of service.
  expect((await fetch(`${running.admin}/readyz`)).status).toBe(200);

  const [, current] = await digests();
  const shown = await runCli(['registry', 'show', '--json'], env);
  expect(JSON.parse(shown.stdout)).toMatchObject({
    digest: current,
    document: { servers: [{ name: 'files' }, { name: 'mail' }] },
    in_force: [{ digest: current, partition: 0 }],
  });

  expect(await pipeline.stop()).toBe(0);
  pipeline = undefined;
  // The two, and the beginning of their log.
  const verified = await runCli(['verify', '--json'], env);
  expect(JSON.parse(verified.stdout)).toMatchObject({ verdict: 'valid', entries: 3, logs: 1 });
  // The file is still wrong: the next start goes on with what is in force.
  pipeline = await startPipelineProcess(dataDir, env);
  const again = await queryRows<{ entries: string }>(
    pipeline,
    `SELECT toString(count()) AS entries FROM custody.entries WHERE event_kind = 'policy_document'`,
  );
  expect(again).toEqual([{ entries: '2' }]);
});
