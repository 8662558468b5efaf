import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BundleVerdict } from '../../evidence/bundle/verdict.ts';
import { verifyBundleAt } from '../../verifier/verify-path.ts';
import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import { ATTACKS, editJson } from '../evidence/bundle/attacks.ts';
import { zipOf } from '../evidence/bundle/containers.ts';
import { makeBundle, sealFiles, TRUST } from '../evidence/bundle/make-bundle.ts';
import { startChromium, whyNoChromium } from '../support/chromium.ts';
import { builtVerifiers } from './build.ts';

const missing = whyNoChromium();
/** One attack for each cause: reloading takes its time. */
const CHOSEN = ATTACKS.filter(({ cause }, at) => ATTACKS.findIndex((other) => other.cause === cause) === at);

describe.skipIf(missing !== undefined)('verify.html, opened from disk without a network', () => {
  let directory: string;
  let browser: Browser;
  let page: Page;
  const said: string[] = [];
  const asked: string[] = [];

  beforeAll(async () => {
    [directory, browser] = await Promise.all([builtVerifiers(), startChromium()]);
    page = await browser.newPage();
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(error.message));
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(pathToFileURL(join(directory, 'verify.html')).href);
  });
  afterAll(async () => {
    await browser.close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function shown(zip: Buffer, trust: TrustPolicy | undefined): Promise<BundleVerdict> {
    const bundle = join(directory, 'bundle.zip');
    const policy = join(directory, 'trust.json');
    writeFileSync(bundle, zip);
    await page.reload();
    if (trust !== undefined) {
      writeFileSync(policy, JSON.stringify(trust));
      await page.setInputFiles('#trust', policy);
    }
    await page.setInputFiles('#bundle', bundle);
    await page.waitForSelector('#result:not([hidden])');
    return JSON.parse((await page.textContent('#json')) ?? '') as BundleVerdict;
  }
  const expected = (trust: TrustPolicy | undefined) =>
    verifyBundleAt(join(directory, 'bundle.zip'), { trust });

  it('gives the verdict that Node gives of a bundle that is valid', async () => {
    for (const mode of ['range', 'selection'] as const) {
      const verdict = await shown(await zipOf(makeBundle({ mode })), TRUST);
      expect(verdict).toEqual(await expected(TRUST));
      expect(verdict.verdict).toBe('valid');
      expect(await page.textContent('#verdict')).toBe('VALID');
    }
  });

  it('gives the verdict that Node gives of one without pinned keys', async () => {
    const verdict = await shown(await zipOf(makeBundle()), undefined);
    expect(verdict).toEqual(await expected(undefined));
    expect(verdict.verdict).toBe('undecidable');
  });

  it('gives the verdict that Node gives of an attack of each kind', async () => {
    const wrong: string[] = [];
    for (const { title, files, trust = TRUST } of CHOSEN) {
      const verdict = await shown(await zipOf(files()), trust);
      if (JSON.stringify(verdict) !== JSON.stringify(await expected(trust))) wrong.push(title);
    }
    expect(wrong).toEqual([]);
  });

  it('gives the verdict that Node gives of a damaged zip', async () => {
    const zip = await zipOf(makeBundle());
    for (const damaged of [zip.subarray(0, -1), Buffer.concat([zip, zip]), Buffer.from('x'), bitFlipped(zip)])
      expect(await shown(damaged, TRUST)).toEqual(await expected(TRUST));
  });

  it('sets hostile text as text', async () => {
    const hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    const files = sealFiles(
      makeBundle({
        edit: (data) => editJson(data, 'data/case.json', (facts) => void (facts.case = hostile)),
      }),
    );
    const verdict = await shown(await zipOf(files), TRUST);
    expect(verdict.case).toBe(hostile);
    expect(await page.title()).toBe('Verify an evidence bundle');
    expect(await page.locator('#result img, #result script').count()).toBe(0);
  });

  it('has asked nobody for anything and broke no rule of its policy', () => {
    expect(asked.filter((url) => !url.startsWith('file:'))).toEqual([]);
    expect(said).toEqual([]);
    const html = readFileSync(join(directory, 'verify.html'), 'utf8');
    expect(html).toContain("default-src 'none'");
  });
});

/** A bit in the packed data of an entries file. */
function bitFlipped(zip: Buffer): Buffer {
  const copy = Buffer.from(zip);
  const at = copy.indexOf('data/entries/0001.jsonl') + 200;
  copy.writeUInt8(copy.readUInt8(at) ^ 16, at);
  return copy;
}
