import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { trustPolicySchema } from '../../../schemas/trust-policy.ts';
import { verifyBundleAt } from '../../../verifier/verify-path.ts';
import { verifies } from '../../requirements.ts';

/**
 * Bundles as version 1 is, and the verdicts that every verifier gives: `<name>.zip` and `<name>.verdict.json`. They are never
 * made again; a change that breaks one breaks what responders hold in their hands.
 */
const folder = join(import.meta.dirname, '../../fixtures/vectors/bundle-v1');
const trust = trustPolicySchema.parse(JSON.parse(readFileSync(join(folder, 'trust.json'), 'utf8')));

it.each(['range', 'selection', 'event-removed'])(
  'the bundle %s has the verdict of its vector',
  async (name) => {
    verifies('P4');
    const expected: unknown = JSON.parse(readFileSync(join(folder, `${name}.verdict.json`), 'utf8'));
    expect(await verifyBundleAt(join(folder, `${name}.zip`), { trust })).toEqual(expected);
  },
);
