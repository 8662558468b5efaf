import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { FILE } from '../../../evidence/bundle/format.ts';
import { verifyBundle } from '../../../evidence/bundle/verify.ts';
import { verifyBundleAt } from '../../../verifier/verify-path.ts';
import { verifies } from '../../requirements.ts';
import { filesOf, zipOf } from './containers.ts';
import { makeBundle, makeLog, LOG_IDS, eventBody, sealFiles, TRUST } from './make-bundle.ts';

const directory = mkdtempSync(join(tmpdir(), 'custody-edits-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const options = { logs: [makeLog(LOG_IDS[0], [0, 1, 2, 3, 4].map(eventBody))], seqs: [[1, 4]] };
const original = makeBundle(options);
const names = [...original.keys()];
/** Files that the proof rests on, and what is proven of each when nothing is wrong. */
const proven = (files: ReadonlyMap<string, Buffer>) => files.get('data/entries/0001.jsonl')?.toString('hex');

interface Edit {
  readonly at: number;
  readonly kind: 'flip' | 'insert' | 'remove';
  readonly bit: number;
}
const anEdit = fc.record<Edit>({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  kind: fc.constantFrom('flip', 'insert', 'remove'),
  bit: fc.nat(7),
});

function edited(bytes: Buffer, edits: readonly Edit[]): Buffer {
  return edits.reduce((before, { at, kind, bit }) => {
    const place = Math.floor(at * before.length);
    if (kind === 'insert')
      return Buffer.concat([before.subarray(0, place), Buffer.of(1 << bit), before.subarray(place)]);
    if (kind === 'remove') return Buffer.concat([before.subarray(0, place), before.subarray(place + 1)]);
    const after = Buffer.from(before);
    if (after.length > 0) after[place] = (after[place] ?? 0) ^ (1 << bit);
    return after;
  }, bytes);
}

describe('whatever is edited', () => {
  it('in a zip makes it invalid, or nothing of it changes', async () => {
    verifies('P4', 'P10');
    const zip = await zipOf(original);
    const path = join(directory, 'edited.zip');
    await fc.assert(
      fc.asyncProperty(fc.array(anEdit, { minLength: 1, maxLength: 4 }), async (edits) => {
        const bytes = edited(zip, edits);
        writeFileSync(path, bytes);
        const { verdict } = await verifyBundleAt(path, { trust: TRUST });
        // Times of files and attributes in the directory of the zip are nobody's evidence.
        if (verdict === 'valid') {
          expect(bytes.length).toBe(zip.length);
          expect(proven(original)).toBeDefined();
          expect(
            bytes
              .subarray(0, bytes.indexOf('504b0102', 0, 'hex'))
              .equals(zip.subarray(0, zip.indexOf('504b0102', 0, 'hex'))),
          ).toBe(true);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('in a file makes the bundle invalid', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.array(anEdit, { minLength: 1, maxLength: 3 }),
        async (name, edits) => {
          const bytes = edited(original.get(name)!, edits);
          fc.pre(!bytes.equals(original.get(name)!));
          const { verdict } = await verifyBundle(filesOf(new Map(original).set(name, bytes)), {
            trust: TRUST,
          });
          // Of the seal, base64 and spaces can be written in two ways; what it seals cannot.
          if (name !== FILE.seal) expect(verdict).toBe('invalid');
        },
      ),
      { numRuns: 150 },
    );
  });

  it('by an insider, who seals it again, never changes what is proven', async () => {
    const evidence = names.filter(
      (name) => /^data\/(entries|proofs|checkpoints|custody)\//.test(name) || name === FILE.logs,
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...evidence),
        fc.array(anEdit, { minLength: 1, maxLength: 3 }),
        async (name, edits) => {
          const data = new Map(original).set(name, edited(original.get(name)!, edits));
          let files: Map<string, Buffer>;
          try {
            files = sealFiles(data);
          } catch {
            // logs.json is no JSON any more: the fixture cannot list it.
            return;
          }
          const { verdict, logs } = await verifyBundle(filesOf(files), { trust: TRUST });
          if (verdict !== 'valid') return;
          expect(proven(files)).toBe(proven(original));
          expect(logs).toMatchObject([{ log: LOG_IDS[0], from_seq: '1', to_seq: '4', size: '6' }]);
        },
      ),
      { numRuns: 200 },
    );
  });
});
