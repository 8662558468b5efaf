import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { verifyBundle } from '../../evidence/bundle/verify.ts';
import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import { ATTACKS } from '../evidence/bundle/attacks.ts';
import { filesOf, zipOf } from '../evidence/bundle/containers.ts';
import { KEYS, makeBundle, TRUST } from '../evidence/bundle/make-bundle.ts';
import { whyMissing } from './tools.ts';

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, '../../docs/spec/verify-bundle.sh');
const missing = whyMissing('unzip', 'sha256sum', 'base64', 'xxd', 'awk', 'jq', 'openssl');
const EXIT = { valid: 0, invalid: 3, undecidable: 4 };

/** One attack for each cause: a process for every hash takes its time. */
const CHOSEN = ATTACKS.filter(({ cause }, at) => ATTACKS.findIndex((other) => other.cause === cause) === at);

describe.skipIf(missing !== undefined)('the verifier in shell and the library', () => {
  const directory = mkdtempSync(join(tmpdir(), 'custody-shell-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  let number = 0;

  async function shell(files: ReadonlyMap<string, Buffer>, trust: TrustPolicy | undefined) {
    const name = join(directory, String(number++));
    writeFileSync(`${name}.zip`, await zipOf(files));
    writeFileSync(`${name}.json`, JSON.stringify(trust ?? null));
    const args = [SCRIPT, `${name}.zip`, ...(trust === undefined ? [] : [`${name}.json`])];
    const { code, stdout } = await run('sh', args)
      .then(({ stdout: text }) => ({ code: 0, stdout: text }))
      .catch((error: unknown) => error as { code: number; stdout: string });
    const [verdict = '', ...findings] = stdout.trimEnd().split('\n');
    return {
      code,
      verdict: verdict.toLowerCase(),
      causes: new Set(findings.map((line) => line.split(' ')[0])),
      stdout,
    };
  }

  async function disagreement(
    title: string,
    files: ReadonlyMap<string, Buffer>,
    trust: TrustPolicy | undefined,
  ) {
    const [theirs, ours] = await Promise.all([shell(files, trust), verifyBundle(filesOf(files), { trust })]);
    const causes = new Set(ours.findings.map(({ cause }) => cause));
    const isSame =
      theirs.verdict === ours.verdict &&
      theirs.code === EXIT[ours.verdict] &&
      [...theirs.causes].sort().join() === [...causes].sort().join();
    return isSame ? [] : [`${title}: ${theirs.stdout} but ${JSON.stringify(ours.findings)}`];
  }

  it('agree on bundles that are valid', async () => {
    const wrong = await Promise.all([
      disagreement(
        'range',
        makeBundle({
          seqs: [
            [0, 12],
            [7, 7],
          ],
        }),
        TRUST,
      ),
      disagreement('selection', makeBundle({ mode: 'selection' }), TRUST),
      disagreement(
        'no trust',
        makeBundle({
          seqs: [
            [11, 12],
            [0, 0],
          ],
        }),
        undefined,
      ),
    ]);
    expect(wrong.flat()).toEqual([]);
    expect(
      (
        await shell(
          makeBundle({
            witnesses: [...KEYS.witnesses, KEYS.stranger],
            seqs: [
              [1, 2],
              [3, 4],
            ],
          }),
          TRUST,
        )
      ).stdout,
    ).toBe('VALID\n');
  });

  it(`agree on verdict and causes of ${CHOSEN.length} attacks`, async () => {
    const wrong: string[] = [];
    const waiting = [...CHOSEN];
    const work = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        wrong.push(...(await disagreement(next.title, next.files(), next.trust ?? TRUST)));
    };
    await Promise.all([work(), work()]);
    expect(CHOSEN.length).toBeGreaterThanOrEqual(12);
    expect(wrong).toEqual([]);
  });
});
