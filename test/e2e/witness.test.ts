import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatVerifierKey, parseSigningKey, parseVerifierKey, verifiedBy } from '../../evidence/note/key.ts';
import { parseSignatures } from '../../evidence/note/note.ts';
import { verifies } from '../requirements.ts';
import { cliPath } from '../support/pipeline-process.ts';
import { growingLog, newKey } from '../witness/growing-log.ts';

const run = promisify(execFile);
const log = growingLog(newKey('log.example', 'log'));

let directory: string;
let keyFile: string;
const custody = (...args: string[]) => run(process.execPath, [cliPath, ...args], { cwd: directory });
function failure(...args: string[]): { code: unknown; stderr: string } {
  const { status, stderr } = spawnSync(process.execPath, [cliPath, ...args], {
    cwd: directory,
    encoding: 'utf8',
  });
  expect(status).not.toBe(0);
  return { code: status, stderr };
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'custody-witness-'));
  keyFile = join(directory, 'witness.key');
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('custody keys', () => {
  it('makes a key for its owner alone, prints the public half, and shows it again', async () => {
    const { stdout } = await custody(
      'keys',
      'new',
      '-n',
      'witness.example/w1',
      '-u',
      'witness',
      '-o',
      keyFile,
    );
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    const secret = parseSigningKey((await readFile(keyFile, 'utf8')).trim());
    expect(stdout).toBe(`${formatVerifierKey(secret)}\n`);
    expect((await custody('keys', 'show', keyFile)).stdout).toBe(stdout);
    expect(JSON.parse((await custody('keys', 'show', '--json', keyFile)).stdout)).toEqual({
      name: 'witness.example/w1',
      use: 'witness',
      key_id: secret.keyId,
      verifier_key: stdout.trim(),
    });
  });

  it('overwrites no key, and repeats none in what it says', () => {
    verifies('P7', 'P10');
    const again = failure('keys', 'new', '-n', 'x', '-u', 'log', '-o', keyFile);
    expect(again).toEqual({ code: 2, stderr: `custody: cannot write key ${keyFile}: EEXIST\n` });
    expect(failure('keys', 'new', '-n', 'two words', '-u', 'log', '-o', 'x.key')).toMatchObject({
      code: 2,
    });
    expect(failure('keys', 'show', cliPath).stderr).toBe(
      `custody: cannot use ${cliPath}: not a signing key: it begins with PRIVATE+KEY+\n`,
    );
  });
});

describe('custody witness', () => {
  const state = ['-s', 'signed'];
  async function start(...flags: string[]) {
    const child = spawn(
      process.execPath,
      [
        cliPath,
        'witness',
        '--json',
        '-k',
        keyFile,
        '-l',
        formatVerifierKey(log.key),
        '--listen',
        '127.0.0.1:0',
        ...flags,
      ],
      { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { url, verifier_key, logs } = JSON.parse(line) as {
      url: string;
      verifier_key: string;
      logs: string[];
    };
    expect(logs).toEqual(['log.example']);
    return {
      child,
      key: parseVerifierKey(verifier_key),
      add: (body: string) => fetch(`${url}/add-checkpoint`, { method: 'POST', body }),
    };
  }

  it('never goes back behind what it has signed, however often it is killed', async () => {
    verifies('P1', 'P4');
    let acknowledged = 0;
    for (let round = 0; round < 8; round += 1) {
      const { child, key, add } = await start(...state, ...(round === 0 ? ['--new'] : []));
      const probe = await add(log.request(0, 1));
      const last = probe.status === 409 ? Number(await probe.text()) : 1;
      expect(last).toBeGreaterThanOrEqual(acknowledged);
      // An answer may be lost with the process, a signature that was given never is.
      expect(last).toBeLessThanOrEqual(acknowledged + 1);
      acknowledged = last;
      const killed = new Promise((resolve) =>
        setTimeout(() => resolve(child.kill('SIGKILL')), 20 + 17 * round),
      );
      for (let size = last + 1; size <= 64; size += 1) {
        const answer = await add(log.request(size - 1, size))
          .then(async (response) => ({ status: response.status, text: await response.text() }))
          .catch(() => undefined);
        if (answer === undefined) break;
        expect(answer.status).toBe(200);
        const note = { text: log.textOf(size), signatures: parseSignatures(answer.text) };
        expect(verifiedBy(note, [key]).by).toHaveLength(1);
        acknowledged = size;
      }
      await killed;
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
    expect(acknowledged).toBeGreaterThan(2);
  });

  it.each([
    [['-k', 'missing.key'], 'cannot read key missing.key: ENOENT'],
    [['-l', 'nonsense'], 'cannot use --log: not a key'],
    [['--listen', '0.0.0.0:0'], 'it is not loopback, so --tls-cert and --tls-key are needed'],
    [['--listen', 'nowhere'], 'expected host:port'],
    [['-s', 'elsewhere'], 'it is not there; --new makes that of a new witness'],
    [['--tls-cert', cliPath, '--tls-key', cliPath], 'not a certificate and its key'],
    [['--new'], 'cannot make state signed: EEXIST'],
    [['--tls-cert', 'cert.pem'], '--tls-cert and --tls-key come together'],
  ])('refuses %j in one sentence', (flags, message) => {
    verifies('P8', 'P10');
    const usual = ['-k', keyFile, '-l', formatVerifierKey(log.key), ...state];
    const { code, stderr } = failure('witness', ...usual, ...flags);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(code).toBe(2);
  });

  it('signs with no key of a log, and for no key of a witness', async () => {
    const logFile = join(directory, 'log.key');
    const { stdout } = await custody('keys', 'new', '-n', 'log.example', '-u', 'log', '-o', logFile);
    expect(failure('witness', '-k', logFile, '-l', stdout.trim(), ...state).stderr).toContain('of use log');
    const { stdout: own } = await custody('keys', 'show', keyFile);
    expect(failure('witness', '-k', keyFile, '-l', own.trim(), ...state).stderr).toContain(
      'the key of a witness',
    );
  });
});
