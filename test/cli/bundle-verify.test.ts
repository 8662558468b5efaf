import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { bundleVerifyCommand } from '../../cli/bundle-verify.ts';
import { zipOf } from '../evidence/bundle/containers.ts';
import { KEYS, makeBundle, TRUST } from '../evidence/bundle/make-bundle.ts';

const directory = mkdtempSync(join(tmpdir(), 'custody-bundle-verify-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(() => {
  vi.restoreAllMocks();
});

async function run(...args: string[]): Promise<{ code: number; stdout: string }> {
  let code = 0;
  let stdout = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  await bundleVerifyCommand((set) => (code = set)).parseAsync(args, { from: 'user' });
  return { code, stdout };
}
const file = (name: string, content: string | Buffer): string => {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
};
const trust = file('trust.json', JSON.stringify(TRUST));

describe('custody bundle verify', () => {
  it('answers with the verdict, in words, as JSON and as exit code', async () => {
    const valid = file('valid.zip', await zipOf(makeBundle()));
    const words = await run(valid, '--trust', trust);
    expect(words.code).toBe(0);
    expect(words.stdout).toMatch(/^VALID: 9 entries of 2 logs\n/);
    const invalid = file('invalid.zip', await zipOf(makeBundle({ noteKeys: [KEYS.stranger] })));
    const json = await run(invalid, '--trust', trust, '--json');
    expect(json.code).toBe(3);
    expect(JSON.parse(json.stdout)).toMatchObject({ verdict: 'invalid', findings_total: 3 });
    expect((await run(valid)).code).toBe(4);
  });

  it('says in a sentence which file it cannot use', async () => {
    const zip = file('a.zip', await zipOf(makeBundle()));
    await expect(run(join(directory, 'none.zip'), '--trust', trust)).rejects.toThrow(
      /^cannot read .*none\.zip: ENOENT$/,
    );
    await expect(run(zip, '--trust', join(directory, 'none.json'))).rejects.toThrow(
      /^cannot read .*none\.json: ENOENT$/,
    );
    await expect(run(zip, '--trust', file('bad.json', '{}'))).rejects.toThrow(
      /^cannot use trust policy .*bad\.json: schema/,
    );
  });
});
