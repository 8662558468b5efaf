import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BundleVerdict } from '../../evidence/bundle/verdict.ts';
import { verifyBundle } from '../../evidence/bundle/verify.ts';
import { ATTACKS } from '../evidence/bundle/attacks.ts';
import { filesOf, writeTree, zipOf } from '../evidence/bundle/containers.ts';
import { makeBundle, TRUST } from '../evidence/bundle/make-bundle.ts';
import { builtVerifiers } from './build.ts';

/** One attack for each cause: a process takes its time. */
const CHOSEN = ATTACKS.filter(({ cause }, at) => ATTACKS.findIndex((other) => other.cause === cause) === at);

const run = promisify(execFile);
let directory: string;
beforeAll(async () => {
  directory = await builtVerifiers();
  // Alone: no modules near it, not even a package.json.
  writeFileSync(join(directory, 'trust.json'), JSON.stringify(TRUST));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function mjs(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return {
      code: 0,
      ...(await run(process.execPath, [join(directory, 'verify.mjs'), ...args], { cwd: directory })),
    };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

describe('verify.mjs', () => {
  it('is built to the same bytes every time, and its sums are those of the files', async () => {
    const again = await builtVerifiers();
    for (const name of ['verify.mjs', 'verify.html', 'SHA256SUMS'])
      expect(readFileSync(join(again, name)).equals(readFileSync(join(directory, name)))).toBe(true);
    rmSync(again, { recursive: true });
    for (const line of readFileSync(join(directory, 'SHA256SUMS'), 'utf8').trimEnd().split('\n')) {
      const [sum, name = ''] = line.split('  ');
      expect(
        createHash('sha256')
          .update(readFileSync(join(directory, name)))
          .digest('hex'),
      ).toBe(sum);
    }
  });

  it('verifies a zip and the directory it unpacks to, with nothing but Node', async () => {
    const files = makeBundle();
    writeFileSync(join(directory, 'bundle.zip'), await zipOf(files));
    writeTree(join(directory, 'tree'), files);
    for (const path of ['bundle.zip', 'tree']) {
      const { code, stdout, stderr } = await mjs(path, '--trust', 'trust.json');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^VALID: 9 entries of 2 logs\nComplete and unaltered/);
      expect(stdout).toContain('Never promised: that a source told the truth');
    }
  });

  it('says what the library says of an attack of each kind', async () => {
    const wrong: string[] = [];
    for (const { title, files, trust = TRUST } of CHOSEN) {
      const tampered = files();
      writeFileSync(join(directory, 'attack.zip'), await zipOf(tampered));
      writeFileSync(join(directory, 'policy.json'), JSON.stringify(trust));
      const { code, stdout } = await mjs('attack.zip', '--trust', 'policy.json', '--json');
      const expected = await verifyBundle(filesOf(tampered), { trust });
      const found = JSON.parse(stdout) as BundleVerdict;
      if (code !== (expected.verdict === 'undecidable' ? 4 : 3)) wrong.push(`${title}: code ${code}`);
      if (JSON.stringify(found) !== JSON.stringify(expected)) wrong.push(title);
    }
    expect(wrong).toEqual([]);
  });

  it('without a trust policy is undecided, with one that is none says so', async () => {
    writeFileSync(join(directory, 'plain.zip'), await zipOf(makeBundle()));
    expect(await mjs('plain.zip')).toMatchObject({ code: 4 });
    writeFileSync(join(directory, 'bad.json'), '{"schema":"custody.trust/v1"}');
    expect(await mjs('plain.zip', '--trust', 'bad.json')).toMatchObject({ code: 2, stdout: '' });
  });

  it('tells a missing file from a bad bundle', async () => {
    const missing = await mjs('nothing.zip', '--trust', 'trust.json');
    expect(missing).toMatchObject({ code: 6, stdout: '' });
    expect(missing.stderr).toMatch(/^cannot verify: ENOENT/);
    writeFileSync(join(directory, 'none.zip'), 'not a zip');
    const bad = await mjs('none.zip', '--trust', 'trust.json', '--json');
    expect(bad.code).toBe(3);
    expect(JSON.parse(bad.stdout)).toMatchObject({ verdict: 'invalid', findings: [{ cause: 'LAYOUT' }] });
    expect(await mjs()).toMatchObject({ code: 2 });
  });

  it('follows no link out of a directory', async () => {
    const tree = join(directory, 'linked');
    writeTree(tree, makeBundle());
    mkdirSync(join(tree, 'data/more'));
    symlinkSync('/etc/hostname', join(tree, 'data/more/host'));
    const { stdout } = await mjs('linked', '--trust', 'trust.json', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      verdict: 'invalid',
      findings: [{ cause: 'LAYOUT', file: 'data/more/host' }],
    });
  });
});
