import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { consistencyRanges, inclusionRanges } from '../../../evidence/merkle/proofs.ts';
import { checkpointText } from '../../../evidence/note/checkpoint.ts';
import {
  formatVerifierKey,
  parseVerifierKey,
  signingKey,
  signText,
  verifiedBy,
} from '../../../evidence/note/key.ts';
import { formatNote, parseNote } from '../../../evidence/note/note.ts';
import { leaves, treeHash } from '../merkle/reference-tree.ts';

const hasGo = spawnSync('go', ['version']).status === 0;
const folder = fileURLToPath(new URL('./transparency-go', import.meta.url));
const newKey = () => generateKeyPairSync('ed25519').privateKey;
const log = signingKey('custody.example/log', 'log', newKey());
const witness = signingKey('witness.example/w1', 'witness', newKey());
const MANY = leaves(33);

interface Told {
  readonly opened: number[];
  readonly held: boolean[];
  readonly logKey: string;
  readonly witnessKey: string;
  readonly note: string;
}

function askGo(question: object): Told {
  const { stdout, stderr, status } = spawnSync('go', ['run', '.'], {
    cwd: folder,
    env: { ...process.env, GOFLAGS: '-mod=readonly' },
    input: JSON.stringify(question),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Told;
}

/** Proofs of every two sizes and some leaves, then each of them spoilt in one bit. */
function proofCases() {
  const base64 = (hash: Uint8Array) => Buffer.from(hash).toString('base64');
  const root = (begin: bigint, end: bigint) => treeHash(MANY.slice(Number(begin), Number(end)));
  const cases: { proof: string[] }[] = [];
  for (let size = 1n; size <= BigInt(MANY.length); size += 1n) {
    for (let other = 1n; other <= size; other += 1n) {
      const shared = { size: Number(size), root: base64(root(0n, size)) };
      const hashes = (ranges: { begin: bigint; end: bigint }[]) =>
        ranges.map(({ begin, end }) => base64(root(begin, end)));
      cases.push(
        {
          kind: 'inclusion',
          ...shared,
          index: Number(other - 1n),
          leaf: base64(MANY[Number(other - 1n)]!),
          proof: hashes(inclusionRanges(other - 1n, size)),
        } as { proof: string[] },
        {
          kind: 'consistency',
          ...shared,
          oldSize: Number(other),
          oldRoot: base64(root(0n, other)),
          proof: hashes(consistencyRanges(other, size)),
        } as { proof: string[] },
      );
    }
  }
  const spoilt = cases
    .filter(({ proof }) => proof.length > 0)
    .map((each, number) => {
      const at = number % each.proof.length;
      const hash = Buffer.from(each.proof[at]!, 'base64');
      hash.writeUInt8(hash.readUInt8(number % 32) ^ 0x10, number % 32);
      return { ...each, proof: each.proof.with(at, base64(hash)) };
    });
  return { cases, spoilt };
}

it.runIf(hasGo)(
  'notes, cosignatures and proofs are those of the libraries of Certificate Transparency, both ways',
  () => {
    const text = checkpointText({ origin: log.name, size: 33n, root: treeHash(MANY) });
    const both = formatNote({
      text,
      signatures: [signText(log, text, 0n), signText(witness, text, 1_700_000_000n)],
    });
    const { cases, spoilt } = proofCases();
    const told = askGo({
      logKey: formatVerifierKey(log),
      witnessKey: formatVerifierKey(witness),
      notes: [both, both.replace('\n33\n', '\n34\n')],
      proofs: [...cases, ...spoilt],
      text,
    });
    expect(told.opened).toEqual([2, 0]);
    expect(told.held).toEqual([...cases.map(() => true), ...spoilt.map(() => false)]);

    const keys = [parseVerifierKey(told.logKey), parseVerifierKey(told.witnessKey)];
    expect(keys.map(formatVerifierKey)).toEqual([told.logKey, told.witnessKey]);
    const note = parseNote(told.note);
    expect(formatNote(note)).toBe(told.note);
    const { by, bad } = verifiedBy(note, keys);
    expect(bad).toBeUndefined();
    expect(by.map(({ key }) => key)).toEqual(keys);
    expect(Math.abs(Number(by[1]?.timeSec) - Date.now() / 1000)).toBeLessThan(300);
  },
);

it.skipIf(hasGo)(
  'is not compared with the libraries in Go here: there is no go on this machine',
  () => undefined,
);
