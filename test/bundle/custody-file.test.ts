import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  appendAct,
  custodyFileOf,
  digestOf,
  readCustody,
  type ActStatement,
} from '../../bundle/custody-file.ts';
import { writeActs } from '../../bundle/seal.ts';
import { openStaging } from '../../bundle/staging.ts';
import { writeZip } from '../../bundle/zip.ts';
import { formatSigningKey, formatVerifierKey, signingKey } from '../../evidence/note/key.ts';
import { cliPath } from '../support/pipeline-process.ts';

const key = signingKey('lab/bundle', 'log', generateKeyPairSync('ed25519').privateKey);
let directory: string;
let file: string;
let number = 0;

const statement = (action: ActStatement['action'], timeMs: number): ActStatement => ({
  ...{
    act_id: '00000000-0000-4000-8000-000000000001',
    action,
    actor: 'dana',
    role: 'analyst',
    reason: 'because',
  },
  ...{ tool: 'test', time_ms: timeMs, time_source: 'system clock' },
});

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'custody-acts-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
beforeEach(async () => {
  file = join(directory, `case-${(number += 1)}.zip`);
  const staging = await openStaging(file);
  const acts = (['collect', 'seal'] as const).map((action) => ({
    ...statement(action, 1000),
    case: 'INC-42',
  }));
  await writeActs(staging, acts, key);
  await writeZip(staging, new AbortController().signal, () => undefined);
  await staging.publish();
});

test('acts after sealing are kept beside the bundle, each naming the one before and the file', async () => {
  await appendAct(file, statement('open', 2000), key);
  await appendAct(file, { ...statement('transfer', 3000), to: 'CERT' }, key);
  const { acts, findings, caseId, digest } = await readCustody(file, [key]);
  expect(findings).toEqual([]);
  expect(acts.map(({ seq, action, bundle_digest }) => [seq, action, bundle_digest])).toEqual([
    [0, 'collect', undefined],
    [1, 'seal', undefined],
    [2, 'open', digest],
    [3, 'transfer', digest],
  ]);
  expect(caseId).toBe('INC-42');
  expect(digest).toBe(await digestOf(file));
});

test('acts removed, moved or changed, and another bundle, are found, and nothing is added after them', async () => {
  for (const time of [2000, 3000, 4000]) await appendAct(file, statement('note', time), key);
  const side = custodyFileOf(file);
  const lines = readFileSync(side, 'utf8').trimEnd().split('\n');
  const causesOf = async (kept: readonly (string | undefined)[]) => {
    writeFileSync(side, kept.map((line) => `${line ?? ''}\n`).join(''));
    return (await readCustody(file, [key])).findings.map(({ cause, line }) => `${cause} ${line}`);
  };
  expect(await causesOf(lines)).toEqual([]);
  expect(await causesOf([lines[0], lines[2]])).toEqual(['CUSTODY_LINK 2']);
  expect(await causesOf([lines[1], lines[2]])).toEqual(['CUSTODY_LINK 1']);
  expect(await causesOf([lines[0], lines[2], lines[1]])).toContain('CUSTODY_LINK 2');
  await expect(appendAct(file, statement('note', 5000), key)).rejects.toMatchObject({ code: 'integrity' });
  writeFileSync(side, `${lines.join('\n')}\n`);
  writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from([0])]));
  await expect(readCustody(file, [key])).rejects.toMatchObject({ code: 'input_invalid' });
});

test('of two acts at one moment none is lost without a word', async () => {
  const answers = await Promise.allSettled(
    [1, 2, 3, 4].map((at) => appendAct(file, statement('note', at * 1000), key)),
  );
  const written = answers.filter(({ status }) => status === 'fulfilled');
  const refused = answers.flatMap((answer) =>
    answer.status === 'rejected' ? [answer.reason as unknown] : [],
  );
  for (const error of refused) expect(error).toMatchObject({ code: 'locked' });
  const { acts, findings } = await readCustody(file, [key]);
  expect(findings).toEqual([]);
  expect(acts).toHaveLength(2 + written.length);
});

test('what is no bundle is refused with its reason', async () => {
  const path = join(directory, 'no.zip');
  writeFileSync(path, 'no zip');
  await expect(appendAct(path, statement('open', 1), key)).rejects.toMatchObject({ code: 'input_invalid' });
  await expect(appendAct(join(directory, 'none.zip'), statement('open', 1), key)).rejects.toThrow(/ENOENT/);
  expect(existsSync(custodyFileOf(path))).toBe(false);
});

test('the commands write acts, say where they are, and refuse a wrong key', () => {
  const [keyFile, notaryKeyFile] = [
    join(directory, `${number}.key`),
    join(directory, `${number}.anchor.key`),
  ];
  writeFileSync(keyFile, `${formatSigningKey(key)}\n`);
  writeFileSync(notaryKeyFile, formatSigningKey(signingKey('lab/anchor', 'log', key.privateKey)));
  const custody = (...args: string[]) =>
    spawnSync(process.execPath, [cliPath, 'bundle', ...args, '--data-dir', join(directory, 'nowhere')], {
      encoding: 'utf8',
      cwd: directory,
    });
  const opened = custody('open', file, '--actor', 'dana', '--reason', 'analysis', '--key', keyFile, '--json');
  expect(JSON.parse(opened.stdout)).toMatchObject({
    seq: 2,
    action: 'open',
    anchor_log: expect.stringMatching(/^not in the anchor log/),
  });
  const handed = custody(
    'transfer',
    file,
    '--actor',
    'dana',
    '--to',
    'CERT',
    '--reason',
    'r',
    '--key',
    keyFile,
  );
  expect(handed.stdout).toContain('act 3 (transfer)');
  expect(handed.status).toBe(0);
  const refused = custody('note', file, '--reason', 'r', '--key', notaryKeyFile);
  expect([refused.status, refused.stderr]).toEqual([2, expect.stringMatching(/is a notary's key/)]);
  const tooLong = custody('note', file, '--reason', 'x'.repeat(600), '--key', keyFile);
  expect([tooLong.status, tooLong.stderr]).toEqual([
    2,
    expect.stringMatching(/cannot write an act of custody: reason/),
  ]);
  expect(formatVerifierKey(key)).toContain('lab/bundle');
});

test('what was put into a zip is what unzip finds in it', () => {
  const listed = spawnSync('unzip', ['-v'], { encoding: 'utf8' });
  if (listed.status !== 0) throw new Error('this test needs unzip (Debian package unzip)');
  expect(execFileSync('unzip', ['-t', file], { encoding: 'utf8' })).toContain('No errors detected');
  const names = execFileSync('unzip', ['-Z1', file], { encoding: 'utf8' }).trim().split('\n');
  expect(names).toEqual(['data/custody/custody.jsonl']);
});
