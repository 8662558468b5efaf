import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FILE } from '../../../evidence/bundle/format.ts';
import { verifyBundle } from '../../../evidence/bundle/verify.ts';
import { createTsa, type TestTsa } from '../../support/openssl-tsa.ts';
import { whyMissing } from '../../verifier/tools.ts';
import { filesOf } from './containers.ts';
import { makeBundle, TRUST } from './make-bundle.ts';

describe.skipIf(whyMissing('openssl') !== undefined)('timestamps in a bundle', () => {
  let tsa: TestTsa;
  let other: TestTsa;
  beforeAll(() => {
    tsa = createTsa();
    other = createTsa();
  });
  afterAll(() => {
    tsa.remove();
    other.remove();
  });
  const stampOf = (from: TestTsa) => (message: Uint8Array) => from.reply(from.query(message, '-cert'));
  const pinned = (from: TestTsa) => ({
    ...TRUST,
    timestamp_authorities: [{ name: 'test tsa', certificates_pem: from.rootPem }],
  });
  const verify = (files: ReadonlyMap<string, Buffer>, trust = pinned(tsa)) =>
    verifyBundle(filesOf(files), { trust });

  it('of a pinned authority bound the time from above', async () => {
    const files = makeBundle({ timestamp: stampOf(tsa) });
    files.set(FILE.sealTimestamp, stampOf(tsa)(files.get(FILE.seal)!));
    const verdict = await verify(files);
    expect(verdict).toMatchObject({ verdict: 'valid', findings: [] });
    expect(verdict.timestamps.map(({ file, status, authority }) => [file, status, authority])).toEqual([
      ['data/anchors/tsa.tsr', 'valid', 'test tsa'],
      [FILE.sealTimestamp, 'valid', 'test tsa'],
    ]);
    const unwitnessed = await verify(makeBundle({ timestamp: stampOf(tsa), witnesses: [] }), {
      ...pinned(tsa),
      witnesses: undefined as never,
    });
    expect(unwitnessed.time_bounds.not_after_source).toBe('timestamp');
  });

  it('of an authority nobody pinned count for nothing, and are said', async () => {
    const verdict = await verify(makeBundle({ timestamp: stampOf(other) }), TRUST as never);
    expect(verdict).toMatchObject({
      verdict: 'valid',
      timestamps: [{ status: 'not_pinned', time_ms: null }],
    });
  });

  it('of another authority under a pinned name, or over something else, are named', async () => {
    const stranger = makeBundle({ timestamp: stampOf(other) });
    const elsewhere = makeBundle({ timestamp: () => stampOf(tsa)(Buffer.from('another note')) });
    const seal = makeBundle();
    seal.set(FILE.sealTimestamp, stampOf(tsa)(Buffer.from('another seal')));
    for (const files of [stranger, elsewhere, seal]) {
      const verdict = await verify(files);
      expect(verdict.verdict).toBe('invalid');
      expect(verdict.findings.map(({ cause }) => cause)).toEqual(['TIMESTAMP']);
    }
  });

  it('in two versions are named', async () => {
    const files = makeBundle({
      timestamp: stampOf(tsa),
      edit: (data) => data.set('data/anchors/tsa.tsr', Buffer.from('other')),
    });
    expect((await verify(files)).findings).toMatchObject([
      { cause: 'TIMESTAMP', file: 'data/anchors/tsa.tsr' },
    ]);
  });
});
