import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCli } from '../test/support/pipeline-process.ts';
import { check, say } from './narrate.ts';

/** What a third party is given: the bundle, the verifiers that came with it, and by another way the keys to trust. */
export interface HandedOver {
  readonly directory: string;
  readonly bundle: string;
  readonly trust: string;
}

const SHELL_TOOLS = ['unzip', 'sha256sum', 'base64', 'xxd', 'awk', 'sed', 'jq', 'openssl'];
const SCRIPT = join(import.meta.dirname, '..', 'docs', 'spec', 'verify-bundle.sh');

/** Exports the case of an alert with `custody bundle create` and copies what a stranger needs into a directory of its own. */
export async function makeBundle(of: {
  readonly dataDir: string;
  readonly workDir: string;
  readonly alertId: string;
}): Promise<HandedOver> {
  const { dataDir, workDir, alertId } = of;
  const directory = join(workDir, 'handed-over');
  mkdirSync(directory);
  const handed = { directory, bundle: join(directory, 'inc-42.zip'), trust: join(directory, 'trust.json') };
  const key = join(workDir, 'bundle.key');
  const status = JSON.parse((await runCli(['status', '--json', '--data-dir', dataDir])).stdout) as {
    deployment: string;
  };
  const made = await runCli([
    'keys',
    'new',
    '--name',
    `${status.deployment}/bundle`,
    '--use',
    'log',
    '--out',
    key,
  ]);
  const beganAt = performance.now();
  const created = await runCli([
    ...['bundle', 'create', '--case', 'INC-42', '--alert', alertId, '--reason', 'demo', '--json'],
    ...['--key', key, '--out', handed.bundle, '--data-dir', dataDir],
  ]);
  const seconds = ((performance.now() - beganAt) / 1000).toFixed(1);
  check(
    created.code === 0,
    `bundle of the session of alert ${alertId} written in ${seconds} s, most of it waiting for a checkpoint`,
  );
  if (created.code !== 0) say(created.stderr);
  await runCli([
    'trust',
    'export',
    '--bundle-key',
    made.stdout.trim(),
    '--out',
    handed.trust,
    '--data-dir',
    dataDir,
  ]);
  copyFileSync(SCRIPT, join(directory, 'verify-bundle.sh'));
  return handed;
}

/** Verdicts of three verifiers; `undefined` where the machine lacks what one needs. */
export async function verifyBundle({
  directory,
  bundle,
  trust,
}: HandedOver): Promise<[string, string | undefined][]> {
  const own = await runCli(['bundle', 'verify', bundle, '--trust', trust, '--json']);
  const { verdict } = JSON.parse(own.stdout) as { verdict: string };
  const hasTools = SHELL_TOOLS.every((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0);
  // Nothing of ours but the script: another directory, an empty environment, the system's own tools.
  const shell = hasTools
    ? spawnSync('sh', ['verify-bundle.sh', bundle, trust], {
        cwd: directory,
        env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
        encoding: 'utf8',
      }).stdout.split('\n')[0]
    : undefined;
  return [
    ['with custody bundle verify', verdict.toUpperCase()],
    ['with the one-file verifier out of the bundle, by plain Node', standalone({ directory, bundle, trust })],
    ['with a shell script and sha256sum, jq, openssl', shell],
  ];
}

function standalone({ directory, bundle, trust }: HandedOver): string | undefined {
  if (spawnSync('sh', ['-c', 'command -v unzip']).status !== 0) return undefined;
  const out = join(directory, 'verify.mjs');
  if (!existsSync(out)) writeFileSync(out, execFileSync('unzip', ['-p', bundle, 'verify/verify.mjs']));
  const run = spawnSync(process.execPath, [out, bundle, '--trust', trust, '--json'], {
    cwd: directory,
    env: {},
    encoding: 'utf8',
  });
  return (JSON.parse(run.stdout) as { verdict: string }).verdict.toUpperCase();
}

/** A copy of the bundle, unpacked, in which one word of one entry is another. */
export function tamperWithBundle({ directory, bundle, trust }: HandedOver): HandedOver {
  const copy = join(directory, 'tampered');
  execFileSync('unzip', ['-q', bundle, '-d', copy]);
  const entries = join(copy, 'data', 'entries');
  for (const file of readdirSync(entries)) {
    const path = join(entries, file);
    writeFileSync(path, readFileSync(path, 'utf8').replace('agent', 'human'));
  }
  return { directory, bundle: copy, trust };
}
