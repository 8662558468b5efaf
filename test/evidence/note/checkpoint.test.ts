import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkpointText, parseCheckpoint } from '../../../evidence/note/checkpoint.ts';
import { signingKey, signText } from '../../../evidence/note/key.ts';
import { NoteFormatError } from '../../../evidence/note/note.ts';
import { formatTlogProof, parseTlogProof } from '../../../evidence/note/tlog-proof.ts';
import { leaves, treeHash } from '../merkle/reference-tree.ts';

const root = treeHash(leaves(3));
const encoded = root.toString('base64');

describe('checkpoints', () => {
  it('are read as they are written', () => {
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 63n) - 1n }), hash, (size, bytes) => {
        const checkpoint = { origin: 'custody.example/log', size, root: Buffer.from(bytes) };
        expect(parseCheckpoint(checkpointText(checkpoint))).toEqual(checkpoint);
      }),
    );
  });

  it.each([
    ['a size with a leading zero', `log\n03\n${encoded}\n`],
    ['a negative size', `log\n-3\n${encoded}\n`],
    ['a size beyond 63 bits', `log\n9223372036854775808\n${encoded}\n`],
    ['a size in other digits', `log\n\u0663\n${encoded}\n`],
    ['no origin', `\n3\n${encoded}\n`],
    ['a root of another length', `log\n3\n${root.subarray(1).toString('base64')}\n`],
    ['a root in another base64', `log\n3\n${root.toString('base64url')}\n`],
    ['an extension line', `log\n3\n${encoded}\nmore\n`],
    ['no last newline', `log\n3\n${encoded}`],
    ['nothing', ''],
  ])('are refused with %s', (_what, text) => {
    expect(parseCheckpoint(text)).toBeUndefined();
  });
});

describe('proof files', () => {
  const key = signingKey('custody.example/log', 'log', generateKeyPairSync('ed25519').privateKey);
  const text = checkpointText({ origin: key.name, size: 3n, root });
  const checkpoint = { text, signatures: [signText(key, text, 0n)] };
  const [first, second] = leaves(2) as [Buffer, Buffer];
  const file = formatTlogProof({
    extra: Buffer.from('preimage\n'),
    index: 2n,
    hashes: [first, second],
    checkpoint,
  });

  it('are read as they are written, with and without extra data', () => {
    expect(parseTlogProof(file)).toEqual({
      extra: Buffer.from('preimage\n'),
      index: 2n,
      hashes: [first, second],
      checkpoint,
    });
    const bare = { extra: undefined, index: 0n, hashes: [], checkpoint };
    expect(parseTlogProof(formatTlogProof(bare))).toEqual(bare);
  });

  it.each([
    ['another first line', file.replace('@v1', '@v2')],
    ['no index', file.replace('index 2\n', '')],
    ['an index with a leading zero', file.replace('index 2', 'index 02')],
    [
      'a hash that is too short',
      file.replace(first.toString('base64'), first.subarray(1).toString('base64')),
    ],
    ['extra data that is not base64', file.replace(/extra .*/, 'extra !')],
    [
      'more hashes than levels',
      file.replace('index 2\n', `index 2\n${`${first.toString('base64')}\n`.repeat(64)}`),
    ],
    ['no checkpoint', file.slice(0, file.indexOf('\n\n'))],
    ['a checkpoint without signature', file.slice(0, file.indexOf('\u2014'))],
  ])('are refused with %s', (_what, changed) => {
    expect(changed).not.toBe(file);
    expect(() => parseTlogProof(changed)).toThrow(NoteFormatError);
  });
});
