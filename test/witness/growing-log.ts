import { generateKeyPairSync } from 'node:crypto';
import { consistencyRanges } from '../../evidence/merkle/proofs.ts';
import { checkpointText } from '../../evidence/note/checkpoint.ts';
import { type SigningKey, signingKey, signText } from '../../evidence/note/key.ts';
import { formatNote } from '../../evidence/note/note.ts';
import { formatAddCheckpoint } from '../../evidence/witness.ts';
import { leafOf, treeHash } from '../evidence/merkle/reference-tree.ts';

export const newKey = (name: string, use: 'log' | 'witness') =>
  signingKey(name, use, generateKeyPairSync('ed25519').privateKey);

/** A log of a few leaves that signs checkpoints at any size, and asks witnesses with proofs from any older size. */
export function growingLog(key: SigningKey, salt = '') {
  const all = Array.from({ length: 64 }, (_, index) => leafOf(`${salt}${index}`));
  const rootOf = (begin: number, end: number) => treeHash(all.slice(begin, end));
  const textOf = (size: number, root = rootOf(0, size)) =>
    checkpointText({ origin: key.name, size: BigInt(size), root });
  const noteOf = (text: string, signer = key) =>
    formatNote({ text, signatures: [signText(signer, text, 0n)] });
  const proofOf = (from: number, to: number) =>
    from === 0 || from > to
      ? []
      : consistencyRanges(BigInt(from), BigInt(to)).map(({ begin, end }) =>
          rootOf(Number(begin), Number(end)),
        );
  return {
    key,
    rootOf,
    textOf,
    noteOf,
    proofOf,
    /** The request that leads from one size to another. */
    request: (from: number, to: number) =>
      formatAddCheckpoint(BigInt(from), proofOf(from, to), noteOf(textOf(to))),
  };
}
