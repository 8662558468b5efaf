import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { caseEvent, SESSION } from '../bundle/case-store.ts';
import { bagitMissing, bagitPath } from '../support/bagit.ts';
import {
  cliPath,
  queryRows,
  runCli,
  startPipelineProcess,
  until,
  type PipelineProcess,
} from '../support/pipeline-process.ts';

const NOTARY = { CUSTODY_NOTARY_INTERVAL_MS: '300' };

describe('custody bundle, with a real pipeline and its notary', () => {
  let directory: string;
  let dataDir: string;
  let pipeline: PipelineProcess;
  const inside = (name: string) => join(directory, name);
  const custody = (...args: string[]) => runCli(args);
  const create = (file: string, ...args: string[]) =>
    custody(
      ...['bundle', 'create', '--data-dir', dataDir, '--case', 'INC-42', '--operator', 'dana'],
      ...['--key', inside('bundle.key'), '--out', inside(file), ...args],
    );

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'custody-e2e-bundle-'));
    dataDir = inside('data');
    pipeline = await startPipelineProcess(dataDir, NOTARY);
    const events = Array.from({ length: 100 }, (_, number) => {
      const event = JSON.parse(Buffer.from(caseEvent(number, 'default')).toString()) as { source: object };
      const source = { ...event.source, collector: 'mcp_stdio_tap', signal: 'mcp', vantage: 'tap' };
      return { ...event, source };
    });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${pipeline.http}/v1/events`, {
      method: 'POST',
      headers,
      body: JSON.stringify(events),
    });
    expect(await response.json()).toMatchObject({ accepted: 100 });
    await until('the entries are stored', async () => {
      const rows = await queryRows<{ n: string }>(
        pipeline,
        "SELECT toString(count()) AS n FROM custody.entries WHERE NOT startsWith(tenant, 'custody-control')",
      );
      return rows[0]?.n === '101';
    });
    await custody('keys', 'new', '--name', 'lab/bundle', '--use', 'log', '--out', inside('bundle.key'));
    const { stdout } = await custody('keys', 'show', inside('bundle.key'));
    const policy = ['--bundle-key', stdout.trim(), '--out', inside('trust.json')];
    expect(await custody('trust', 'export', '--data-dir', dataDir, ...policy)).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await pipeline.stop();
    await rm(directory, { recursive: true, force: true });
  });

  test('a case is exported while the pipeline runs, waits for its signature, and verifies offline', async () => {
    const created = await create('case.zip', '--session', SESSION, '--json');
    expect(created).toMatchObject({ code: 0 });
    const summary = JSON.parse(created.stdout) as { entries: number; anchor_log: string };
    expect(summary.entries).toBeGreaterThanOrEqual(97);
    expect(summary.anchor_log).toMatch(/^entry \d+ of the anchor log, signed at size \d+$/);
    const verified = await custody(
      'bundle',
      'verify',
      inside('case.zip'),
      '--trust',
      inside('trust.json'),
      '--json',
    );
    expect(verified.code).toBe(0);
    expect(JSON.parse(verified.stdout)).toMatchObject({
      verdict: 'valid',
      entries: summary.entries,
      findings: [],
    });
    const rows = await queryRows<{ body: string }>(
      pipeline,
      "SELECT body FROM custody.anchor_entries WHERE type = 'bundle' ORDER BY seq",
    );
    expect(rows.map(({ body }) => JSON.parse(body) as unknown)).toMatchObject([
      { act: 'created', case: 'INC-42', operator: 'dana' },
    ]);
  });

  test('acts after sealing are verified with the bundle, and missed when one is taken away', async () => {
    const file = inside('case.zip');
    const key = ['--key', inside('bundle.key'), '--data-dir', dataDir];
    for (const args of [['open'], ['transfer', '--to', 'CERT']])
      expect(
        await custody(
          'bundle',
          args[0] ?? '',
          file,
          ...args.slice(1),
          '--actor',
          'dana',
          '--reason',
          'r',
          ...key,
        ),
      ).toMatchObject({ code: 0 });
    const verify = () => custody('bundle', 'verify', file, '--trust', inside('trust.json'));
    expect(await verify()).toMatchObject({ code: 0, stdout: expect.stringMatching(/valid, 4 acts/) });
    const side = `${file}.custody.jsonl`;
    const lines = readFileSync(side, 'utf8').split('\n');
    writeFileSync(side, lines.slice(1).join('\n'));
    expect(await verify()).toMatchObject({
      code: 3,
      stdout: expect.stringMatching(/CUSTODY_LINK in line 1/),
    });
    writeFileSync(side, lines.join('\n'));
  });

  const missing = bagitMissing();
  test.skipIf(missing !== undefined)(
    `the unpacked bundle is a bag for BagIt's own validator${missing === undefined ? '' : ` [skipped: ${missing}]`}`,
    () => {
      execFileSync('unzip', ['-q', inside('case.zip'), '-d', inside('unpacked')]);
      const validate = () => execFileSync(bagitPath, ['--validate', inside('unpacked')], { stdio: 'pipe' });
      validate();
      writeFileSync(inside('unpacked/data/timeline.csv'), 'changed');
      expect(validate).toThrow();
    },
  );

  test('Ctrl-C leaves nothing, kill -9 leaves what the next run clears away', async () => {
    const args = ['bundle', 'create', '--data-dir', dataDir, '--case', 'INC-42', '--session', SESSION];
    const start = (file: string) =>
      spawn(process.execPath, [cliPath, ...args, '--key', inside('bundle.key'), '--out', inside(file)], {
        stdio: 'ignore',
      });
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const child = start(`${signal}.zip`);
      const exited = once(child, 'exit');
      await until(
        'it has begun',
        () => existsSync(inside(`${signal}.zip.partial`)) || child.exitCode !== null,
      );
      child.kill(signal);
      await exited;
      // It may have been done before the signal came; half a bundle is never there under its name.
      if (existsSync(inside(`${signal}.zip`))) continue;
      if (signal === 'SIGINT') expect(existsSync(inside(`${signal}.zip.partial`))).toBe(false);
    }
    mkdirSync(inside('left.zip.partial/bag/data'), { recursive: true });
    writeFileSync(inside('left.zip.partial/bag/data/stray.json'), '{}');
    expect(await create('left.zip', '--session', SESSION, '--selection')).toMatchObject({ code: 0 });
    expect(readdirSync(directory).filter((name) => name.startsWith('left.'))).toEqual(['left.zip']);
  });

  test('what cannot be exported is said in one sentence, with the exit code of its kind', async () => {
    const one = (result: { stderr: string; code: number | null }) => [
      result.code,
      result.stderr.trim().split('\n').length,
    ];
    expect(one(await create('case.zip', '--session', SESSION))).toEqual([2, 1]);
    expect(one(await create('x.zip', '--session', 'nobody'))).toEqual([2, 1]);
    expect(one(await create('x.zip'))).toEqual([2, 1]);
    expect(one(await create('x.zip', '--from', 'yesterday', '--to', 'today', '--tenant', 'default'))).toEqual(
      [2, 1],
    );
    expect(one(await create('no/such/place.zip', '--session', SESSION))).toEqual([2, 1]);
    expect(one(await create('x.zip', '--session', SESSION, '--attach', 'nowhere'))).toEqual([2, 1]);
    expect(existsSync(inside('x.zip'))).toBe(false);
  });
});
