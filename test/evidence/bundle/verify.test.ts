import { describe, expect, it } from 'vitest';
import { FILE } from '../../../evidence/bundle/format.ts';
import { verifyBundle } from '../../../evidence/bundle/verify.ts';
import { describeVerdict } from '../../../evidence/bundle/words.ts';
import { formatVerifierKey } from '../../../evidence/note/key.ts';
import type { TrustPolicy } from '../../../schemas/trust-policy.ts';
import { attack, attack as plays, twin } from '../../attack-catalogue.ts';
import { verifies } from '../../requirements.ts';
import { ATTACKS } from './attacks.ts';
import { filesOf } from './containers.ts';
import {
  type BundleOptions,
  CASE_MS,
  eventBody,
  KEYS,
  LOG_IDS,
  makeBundle,
  makeLog,
  TRUST,
} from './make-bundle.ts';

const verify = (options: BundleOptions = {}, trust: TrustPolicy | undefined = TRUST) =>
  verifyBundle(filesOf(makeBundle(options)), { trust });

describe('a bundle that is as it was made', () => {
  it('of whole windows is valid, and says what is complete', async () => {
    const verdict = await verify();
    expect(verdict.findings).toEqual([]);
    expect(verdict).toMatchObject({ verdict: 'valid', mode: 'range', entries: 9, key_source: 'pinned' });
    expect(verdict.claim).toContain(`Complete and unaltered as of ${new Date(CASE_MS).toISOString()}`);
    expect(verdict.claim).toContain(`${LOG_IDS[0]} from entry 3 to 9`);
    expect(verdict.logs.map(({ anchored }) => anchored)).toEqual([true, true]);
    expect(verdict.time_bounds).toEqual({
      stated_ms: CASE_MS,
      not_after_ms: CASE_MS + 5000,
      not_after_source: 'witness',
    });
    expect(verdict.never_promised).toContain('that a source told the truth');
    for (const number of [1, 2, 4, 5, 6, 8, 11, 12, 22, 27, 28, 38, 39, 40, 41] as const)
      twin(number, 'bundle');
  });

  it('of single entries is valid, and claims nothing about others', async () => {
    const verdict = await verify({ mode: 'selection' });
    expect(verdict.findings).toEqual([]);
    expect(verdict).toMatchObject({ verdict: 'valid', mode: 'selection', entries: 6 });
    expect(verdict.claim).toContain('nothing is said about others');
    expect(verdict.claim).not.toContain('omplete');
  });

  const everyWindow = Array.from({ length: 13 }, (_, from) =>
    Array.from({ length: 13 - from }, (__, more) => [from, from + more]),
  ).flat();
  it('is valid whatever window of a log it has', async () => {
    for (const window of everyWindow) {
      const verdict = await verify({ seqs: [window, [0, 12]] });
      expect(verdict.findings, String(window)).toEqual([]);
    }
  });

  it.each<[string, BundleOptions, TrustPolicy]>([
    [
      'with bodies that are not UTF-8',
      { logs: [makeLog(LOG_IDS[0], [Buffer.from([0xff, 0, 0x22]), eventBody(1)])], seqs: [[0, 2]] },
      TRUST,
    ],
    ['without entries', { logs: [], seqs: [] }, TRUST],
    ['before any rotation', { rotation: 'none', noteKeys: [KEYS.old] }, TRUST],
    ['signed by both keys', { noteKeys: [KEYS.old, KEYS.notary] }, TRUST],
    [
      'whose new key alone is pinned',
      {},
      { ...TRUST, notary: [{ verifier_key: formatVerifierKey(KEYS.notary) }] },
    ],
    [
      'whose new key is pinned for its time',
      {},
      {
        ...TRUST,
        notary: [{ verifier_key: formatVerifierKey(KEYS.notary), from_size: '6', until_size: '7' }],
      },
    ],
    [
      'under a key stolen later',
      {},
      { ...TRUST, notary: [{ verifier_key: formatVerifierKey(KEYS.notary), compromised_since_size: '7' }] },
    ],
    [
      'under a stolen key that the witnesses vouch for',
      {},
      { ...TRUST, notary: [{ verifier_key: formatVerifierKey(KEYS.notary), compromised_since_size: '3' }] },
    ],
    [
      'with a forged cosignature beside the true ones',
      { witnesses: [...KEYS.witnesses, KEYS.stranger] },
      TRUST,
    ],
  ])('is valid %s', async (_what, options, trust) => {
    expect(await verify(options, trust)).toMatchObject({ findings: [], verdict: 'valid' });
    for (const number of [22, 23, 24, 25, 27, 28, 38, 39, 40, 41] as const) twin(number, 'bundle');
    for (const number of [22, 24, 25, 41] as const) twin(number, 'bundle');
  });
});

describe('keys from inside', () => {
  it('are never enough: the verdict is undecidable, and the claim says so', async () => {
    const verdict = await verifyBundle(filesOf(makeBundle()), { trust: undefined });
    expect(verdict).toMatchObject({ verdict: 'undecidable', key_source: 'bundle', findings_total: 1 });
    expect(verdict.findings[0]?.cause).toBe('NO_PINNED_KEY');
    expect(verdict.claim).toMatch(/^Not decided/);
    attack(23, 'bundle', 'NO_PINNED_KEY');
  });

  it('show contradictions all the same', async () => {
    const verdict = await verifyBundle(filesOf(makeBundle({ noteKeys: [KEYS.stranger] })), {
      trust: undefined,
    });
    expect(verdict.verdict).toBe('invalid');
  });
});

describe('an attack on a bundle is named and located', () => {
  it.each(ATTACKS.map((attack) => [`${attack.attack}: ${attack.title}`, attack] as const))(
    '%s',
    async (
      _title,
      { attack, files, trust = TRUST, cause, verdict: expected = 'invalid', file, log, seq },
    ) => {
      verifies('P4');
      plays(attack, 'bundle', cause);
      const verdict = await verifyBundle(filesOf(files()), { trust });
      expect(verdict.verdict).toBe(expected);
      const named = verdict.findings.filter((finding) => finding.cause === cause);
      expect(named, JSON.stringify(verdict.findings)).not.toEqual([]);
      const place = { ...(file && { file }), ...(log && { log }), ...(seq && { seq }) };
      expect(named).toContainEqual(expect.objectContaining(place));
      expect(describeVerdict(verdict)).toContain(cause);
      if (expected === 'invalid') expect(verdict.claim).toMatch(/^Nothing is proven/);
    },
  );
});

describe('hostile files', () => {
  const endless = (name: string, chunk: Buffer) => {
    const files = filesOf(makeBundle());
    return {
      files: files.files,
      async *read(file: string) {
        if (file !== name) yield* files.read(file);
        else for (;;) yield chunk;
      },
    };
  };

  it.each([FILE.case, 'data/entries/0001.jsonl', FILE.manifest, FILE.anchorNote, FILE.seal])(
    'are given up when %s does not end',
    async (name) => {
      verifies('P10');
      const verdict = await verifyBundle(endless(name, Buffer.alloc(1024 * 1024, 0x20)), { trust: TRUST });
      expect(verdict.verdict).toBe('invalid');
      expect(verdict.findings).toContainEqual(expect.objectContaining({ cause: 'TOO_LARGE', file: name }));
    },
  );

  it.each(['../x', '/etc/passwd', 'data\\x', 'data/../x', 'data//x', 'data/', 'dätä', 'data/.hidden', 'C:x'])(
    'cannot have the name %s',
    async (name) => {
      const files = new Map([...makeBundle(), [name, Buffer.from('x')] as const]);
      expect(await verifyBundle(filesOf(files), { trust: TRUST })).toMatchObject({
        verdict: 'invalid',
        findings: [{ cause: 'LAYOUT' }],
      });
    },
  );

  it('cannot differ in case alone', async () => {
    const files = new Map([...makeBundle(), ['DATA/CASE.JSON', Buffer.from('x')] as const]);
    expect(await verifyBundle(filesOf(files), { trust: TRUST })).toMatchObject({
      verdict: 'invalid',
      findings: [{ cause: 'LAYOUT' }],
    });
  });

  it('name nothing in the verdict that moves a cursor', async () => {
    const files = makeBundle({ caseId: 'CASE\u202e\u001b[2J' });
    const verdict = await verifyBundle(filesOf(files), { trust: TRUST });
    expect(verdict.case).toBe('CASE??[2J');
  });
});

it('a trust policy with a key that is none is an error, not a verdict', async () => {
  const trust = { ...TRUST, notary: [{ verifier_key: 'acme/anchor+00000000+AAAA' }] };
  await expect(verify({}, trust)).rejects.toThrow(RangeError);
  const foreign = { ...TRUST, deployment: 'other' };
  await expect(verify({}, foreign)).rejects.toThrow('has the name other/anchor');
});
