import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { growRange } from '../../evidence/merkle/compact-range.ts';
import { isConsistent, rootFromInclusion } from '../../evidence/merkle/proofs.ts';
import { parseCheckpoint } from '../../evidence/note/checkpoint.ts';
import {
  formatSigningKey,
  formatVerifierKey,
  parseSigningKey,
  parseVerifierKey,
  signText,
  verifiedBy,
} from '../../evidence/note/key.ts';
import { formatNote, parseNote } from '../../evidence/note/note.ts';
import { formatTlogProof, parseTlogProof } from '../../evidence/note/tlog-proof.ts';
import { decideCheckpoint, formatAddCheckpoint, parseAddCheckpoint } from '../../evidence/witness.ts';
import { verifies } from '../requirements.ts';
import { leafOf } from './merkle/reference-tree.ts';

interface Vectors {
  readonly leaf_data_hex: string[];
  readonly leaves: string[];
  readonly roots: string[];
  readonly inclusion: { readonly index: number; readonly size: number; readonly proof: string[] }[];
  readonly consistency: { readonly old_size: number; readonly size: number; readonly proof: string[] }[];
  readonly log_signing_key: string;
  readonly log_key: string;
  readonly witness_signing_key: string;
  readonly witness_key: string;
  readonly witness_time: number;
  readonly checkpoint: string;
  readonly cosigned_checkpoint: string;
  readonly tlog_proof: string;
  readonly add_checkpoint: string;
}

// Made by an independent program (Go, with the libraries of Certificate Transparency); docs/spec/checkpoint.md.
const vectors = JSON.parse(
  readFileSync(new URL('../fixtures/vectors/checkpoint-v1.json', import.meta.url), 'utf8'),
) as Vectors;
const bytes = (hex: string | undefined) => Buffer.from(hex ?? '', 'hex');
const headOf = (size: number) => ({ size: BigInt(size), root: bytes(vectors.roots[size]) });
const logKey = parseVerifierKey(vectors.log_key);
const witnessKey = parseVerifierKey(vectors.witness_key);

it('the trees of the vectors have their leaves, roots and proofs', () => {
  verifies('P4');
  expect(vectors.leaf_data_hex.map((hex) => leafOf(bytes(hex)).toString('hex'))).toEqual(vectors.leaves);
  const range = growRange();
  const roots = [range.root()];
  for (const leaf of vectors.leaves) {
    range.append(bytes(leaf));
    roots.push(range.root());
  }
  expect(roots.map((root) => Buffer.from(root).toString('hex'))).toEqual(vectors.roots);
  for (const { index, size, proof } of vectors.inclusion) {
    const leaf = bytes(vectors.leaves[index]);
    const root = rootFromInclusion(leaf, BigInt(index), BigInt(size), proof.map(bytes));
    expect(root).toEqual(headOf(size).root);
  }
  for (const { old_size, size, proof } of vectors.consistency)
    expect(isConsistent(headOf(old_size), headOf(size), proof.map(bytes))).toBe(true);
});

it('the keys of the vectors sign their checkpoint, byte for byte', () => {
  const log = parseSigningKey(vectors.log_signing_key);
  const witness = parseSigningKey(vectors.witness_signing_key);
  expect([log, witness].map(formatSigningKey)).toEqual([
    vectors.log_signing_key,
    vectors.witness_signing_key,
  ]);
  expect([log, witness].map(formatVerifierKey)).toEqual([vectors.log_key, vectors.witness_key]);
  const { text } = parseNote(vectors.checkpoint);
  expect(parseCheckpoint(text)).toEqual({ origin: log.name, ...headOf(8) });
  const ofLog = signText(log, text, 0n);
  expect(formatNote({ text, signatures: [ofLog] })).toBe(vectors.checkpoint);
  const ofWitness = signText(witness, text, BigInt(vectors.witness_time));
  expect(formatNote({ text, signatures: [ofLog, ofWitness] })).toBe(vectors.cosigned_checkpoint);
});

it('the proof file of the vectors proves its entry under both signatures', () => {
  verifies('P4');
  const proof = parseTlogProof(vectors.tlog_proof);
  expect(formatTlogProof(proof)).toBe(vectors.tlog_proof);
  expect(verifiedBy(proof.checkpoint, [logKey, witnessKey]).by).toHaveLength(2);
  const checkpoint = parseCheckpoint(proof.checkpoint.text);
  const leaf = leafOf(proof.extra ?? '');
  expect(rootFromInclusion(leaf, proof.index, checkpoint?.size ?? 0n, proof.hashes)).toEqual(
    checkpoint?.root,
  );
});

it('a witness signs what the request of the vectors asks for', () => {
  const asked = parseAddCheckpoint(Buffer.from(vectors.add_checkpoint));
  expect(formatAddCheckpoint(asked.oldSize, asked.proof, vectors.checkpoint)).toBe(vectors.add_checkpoint);
  expect(decideCheckpoint(asked, [logKey], () => headOf(3)).status).toBe(200);
});
