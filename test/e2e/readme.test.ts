import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startPipelineProcess, until, queryRows, type PipelineProcess } from '../support/pipeline-process.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

const missing = ['jq', 'unzip', 'xxd', 'openssl'].filter(
  (tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0,
);
const missingTools = missing.length === 0 ? '' : `(not run: ${missing.join(', ')} missing)`;

/** The shell blocks of one README section, as a reader would paste them. */
async function shellBlocks(heading: string): Promise<string[]> {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const section = readme.split(/^## /m).find((text) => text.startsWith(heading)) ?? '';
  return [...section.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block ?? '');
}

describe('the commands of the README, run as written but for the ports', () => {
  let dataDir: string;
  /** Where commands put files that a reader would find in the working directory. */
  let outside: string;
  let pipeline: PipelineProcess;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'custody-readme-'));
    outside = await mkdtemp(join(tmpdir(), 'custody-readme-files-'));
    pipeline = await startPipelineProcess(dataDir);
  });
  afterAll(async () => {
    await pipeline.stop();
    await rm(dataDir, { recursive: true, force: true });
    await rm(outside, { recursive: true, force: true });
  });

  async function run(block: string): Promise<string> {
    const here = block
      .replaceAll(/(?<![\w./-])(bundle\.key|inc-42\.zip|trust\.json)/g, (file) => join(outside, file))
      .replaceAll('http://127.0.0.1:4318', pipeline.http)
      .replaceAll('http://127.0.0.1:8123', pipeline.sql);
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', here], {
      cwd: root,
      env: { ...process.env, CUSTODY_DATA_DIR: dataDir },
    });
    return stdout;
  }

  test('the first event is accepted, raises an alert, can be queried and verified', async () => {
    const [send, look] = await shellBlocks('The first event, in a minute');
    expect(await run(send ?? '')).toContain('"accepted":1');
    await until(
      'the alert to be in the ledger',
      async () => (await queryRows(pipeline, 'SELECT 1 FROM custody.alerts')).length > 0,
    );
    const output = await run(look ?? '');
    expect(output).toContain('scope-drift');
    expect(output).toContain('agent-7\tread_file\tallow');
    expect(output).toContain('valid');
  });

  test.skipIf(missingTools !== '')(
    `a bundle for somebody else is made and verifies, also with the shell script ${missingTools}`,
    async () => {
      const [block] = await shellBlocks('Evidence for somebody else');
      const output = await run(block ?? '');
      expect(output.match(/^VALID/gm)).toHaveLength(2);
    },
  );

  test('the SQL endpoint answers the query shown', async () => {
    const [query] = await shellBlocks('Looking at the data');
    expect(await run(query ?? '')).toContain('read_file');
  });
});
