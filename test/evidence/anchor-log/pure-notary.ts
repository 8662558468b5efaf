import { generateKeyPairSync, sign } from 'node:crypto';
import {
  type AnchorAct,
  anchorLeaf,
  anchorOrigin,
  keyRotationText,
} from '../../../evidence/anchor-log/entry.ts';
import type { ExternalHead } from '../../../evidence/anchor-log/external-heads.ts';
import { type PinnedTrust, pinnedTrust } from '../../../evidence/anchor-log/pinned-keys.ts';
import { type AnchorView, createAnchorLogVerifier } from '../../../evidence/anchor-log/verify.ts';
import type { Finding } from '../../../evidence/finding.ts';
import { growRange } from '../../../evidence/merkle/compact-range.ts';
import { formatVerifierKey, type SigningKey, signingKey } from '../../../evidence/note/key.ts';
import { parseNote } from '../../../evidence/note/note.ts';
import { composeCycle } from '../../../notary/compose.ts';
import { emptyState, type NotaryState } from '../../../notary/state.ts';
import type { StoredCheckpoint } from '../../../sinks/store/checkpoints.ts';
import { TRUST_SCHEMA, type TrustPolicy } from '../../../schemas/trust-policy.ts';

export const DEPLOYMENT = 'attacks';
export const ORIGIN = anchorOrigin(DEPLOYMENT);
export const LOG = `${DEPLOYMENT}/acme/t-events-0/0`;
const START_MS = 1_790_000_000_000;

export const newKey = (name = ORIGIN): SigningKey =>
  signingKey(name, 'log', generateKeyPairSync('ed25519').privateKey);

/** What a notary published, as rows. */
export interface Published {
  readonly entries: { seq: bigint; body: Uint8Array; leaf: Uint8Array }[];
  readonly notes: { size: bigint; text: string }[];
  readonly checkpoints: StoredCheckpoint[];
}

export interface PureNotary {
  readonly rows: Published;
  readonly state: NotaryState;
  /** One cycle: some acts, and one more entry of the data log with this leaf. */
  cycle(acts?: readonly AnchorAct[], leafByte?: number): void;
  rotate(next: SigningKey, proofBy?: SigningKey): void;
  /** What an anchor holds now. */
  head(): ExternalHead;
}

/** The composing part of the notary over data log entries that are made up. */
export function pureNotary(key: SigningKey): PureNotary {
  let state = emptyState(ORIGIN, formatVerifierKey(key));
  let inForce = key;
  let cycles = 0;
  const data = growRange();
  const rows: Published = { entries: [], notes: [], checkpoints: [] };

  function run(acts: readonly AnchorAct[], leafByte: number, nextKey: SigningKey | undefined): void {
    const leaf = Buffer.alloc(32, leafByte);
    data.append(leaf);
    const { next } = composeCycle(state, {
      deployment: DEPLOYMENT,
      timeMs: START_MS + ++cycles * 10_000,
      advances: [
        {
          log: LOG,
          signed: {
            ...{
              topic: 'custody.events',
              leaf: leaf.toString('hex'),
              offset: data.end,
              appendTimeMs: START_MS,
            },
            range: { begin: 0n, end: data.end, hashes: data.hashes },
          },
          subtrees: [],
        },
      ],
      acts,
      key: inForce,
      nextKey,
      signedUpToMs: new Map(),
    });
    for (const { seq, body } of next.publication?.entries ?? [])
      rows.entries.push({ seq, body, leaf: anchorLeaf(body) });
    for (const checkpoint of next.publication?.checkpoints ?? []) {
      rows.checkpoints.push(checkpoint);
      if (checkpoint.origin === ORIGIN) rows.notes.push({ size: checkpoint.size, text: checkpoint.note });
    }
    state = next;
    if (nextKey !== undefined) inForce = nextKey;
  }
  return {
    rows,
    get state() {
      return state;
    },
    cycle: (acts = [], leafByte = cycles) => run(acts, leafByte, undefined),
    rotate(next, proofBy = next) {
      run([rotationOf(inForce, next, proofBy)], cycles, next);
    },
    head: () => ({
      anchor: 'file',
      size: state.anchor.end,
      root: growRange(state.anchor).root(),
      note: parseNote(state.note),
    }),
  };
}

export function rotationOf(old: SigningKey, next: SigningKey, proofBy = next): AnchorAct {
  const [oldText, newText] = [formatVerifierKey(old), formatVerifierKey(next)];
  const proof = sign(null, Buffer.from(keyRotationText(ORIGIN, oldText, newText)), proofBy.privateKey);
  return {
    ...{ type: 'key_rotated', operator: 'o', reason: 'r', old: oldText, new: newText },
    proof: proof.toString('base64'),
  };
}

export const trustIn = (
  ...pins: (SigningKey | (Omit<TrustPolicy['notary'][number], 'verifier_key'> & { key: SigningKey }))[]
): PinnedTrust =>
  pinnedTrust({
    schema: TRUST_SCHEMA,
    deployment: DEPLOYMENT,
    notary: pins.map((pin) => {
      if (!('key' in pin)) return { verifier_key: formatVerifierKey(pin) };
      const { key, ...window } = pin;
      return { verifier_key: formatVerifierKey(key), ...window };
    }),
  });

/** Verifies rows in the order the store gives them. */
export function verifyRows(
  { entries, notes }: Pick<Published, 'entries' | 'notes'>,
  trust: PinnedTrust,
  external: readonly ExternalHead[] = [],
): { findings: Finding[]; causes: string[]; view: AnchorView } {
  const findings: Finding[] = [];
  const verifier = createAnchorLogVerifier({
    origin: ORIGIN,
    trust,
    external,
    onFinding: (finding) => void findings.push(finding),
  });
  const sorted = notes.toSorted((a, b) => Number(a.size - b.size));
  let at = 0;
  const notesUpTo = (size: bigint) => {
    for (let note = sorted[at]; note !== undefined && note.size <= size; note = sorted[++at])
      verifier.note(note);
  };
  for (const entry of entries) {
    notesUpTo(entry.seq);
    verifier.entry(entry);
  }
  notesUpTo(1n << 62n);
  const view = verifier.finish();
  return { findings, causes: findings.map(({ cause }) => cause), view };
}
