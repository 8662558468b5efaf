import { anchorOrigin } from '../anchor-log/entry.ts';
import { checkpointFault, type NotaryKey } from '../anchor-log/notary-keys.ts';
import { followRotations, rotationProofsSchema } from '../anchor-log/rotation-proof.ts';
import { cosignersOf, hasQuorum } from '../anchor-log/witness-quorum.ts';
import { fromBase64 } from '../note/base64.ts';
import type { Checkpoint } from '../note/checkpoint.ts';
import { formatNote, type SignedNote } from '../note/note.ts';
import { readCheckpointNote } from '../note/read-checkpoint.ts';
import { TIMESTAMPS_UNSUPPORTED, verifyTimestamp } from '../timestamp.ts';
import type { Bag } from './bag.ts';
import { anchorsSchema, type BundleCase, FILE, LIMITS, timestampFile } from './format.ts';
import type { Seal } from './seal.ts';
import type { TrustedKeys } from './trusted-keys.ts';
import { type BundleFindings, type BundleVerdict, printable, type VerifiedTimestamp } from './verdict.ts';

/** The one checkpoint everything in the bundle rests on. */
export interface AnchorNote {
  readonly checkpoint: Checkpoint;
  /** Keys of the notary, those that rotations lead to among them. */
  readonly keys: readonly NotaryKey[];
  /** Whether its signatures are those the trust policy asks for. */
  readonly counts: boolean;
  readonly witnesses: BundleVerdict['witnesses'];
  readonly timestamps: readonly VerifiedTimestamp[];
}

/** Checks the note of the anchor log: keys and their windows, witnesses, timestamps. */
export async function checkAnchorNote(
  bag: Bag,
  facts: BundleCase,
  seal: Seal | undefined,
  trust: TrustedKeys | undefined,
  findings: BundleFindings,
): Promise<AnchorNote | undefined> {
  const file = FILE.anchorNote;
  const before = findings.total;
  const rotations = (await bag.json(FILE.rotations, rotationProofsSchema)) ?? [];
  const keys =
    trust === undefined
      ? []
      : followRotations(
          rotations,
          { origin: anchorOrigin(trust.deployment), keys: trust.notary, witnesses: trust.witnesses },
          ({ seq }, reason) =>
            findings.add('ROTATION_INVALID', { file: FILE.rotations, seq: BigInt(seq) }, reason),
        );
  const bytes = await bag.bytes(file, LIMITS.noteBytes);
  if (bytes === undefined) return undefined;
  const read = readCheckpointNote(bytes);
  if ('reason' in read) {
    findings.add('NOTE_SIGNATURE', { file }, read.reason);
    return undefined;
  }
  const { note, checkpoint } = read;
  const place = { file, log: checkpoint.origin };
  if (facts.anchor_origin !== anchorOrigin(facts.deployment) || checkpoint.origin !== facts.anchor_origin)
    findings.add('CASE_MISMATCH', { file }, 'it is not the checkpoint of the anchor log of this deployment');
  if (trust === undefined) {
    await bag.json(FILE.anchors, anchorsSchema);
    return { checkpoint, keys, counts: false, witnesses: [], timestamps: [] };
  }
  if (trust.deployment !== facts.deployment)
    findings.add('CASE_MISMATCH', { file: FILE.case }, 'the trust policy is that of another deployment');
  const refused = checkpointFault(note, checkpoint.size, keys, (held) => hasQuorum(held, trust.witnesses));
  if (refused !== undefined) findings.add(refused.cause, place, refused.detail);
  const cosigners = cosignersOf(note, trust.witnesses);
  if (trust.witnesses !== undefined && cosigners.length < trust.witnesses.quorum)
    findings.add(
      'WITNESS_QUORUM',
      place,
      `${cosigners.length} of the pinned witnesses have cosigned, ${trust.witnesses.quorum} must`,
    );
  const timestamps = await checkTimestamps(bag, note, checkpoint.size, seal, trust, findings);
  return {
    checkpoint,
    keys,
    counts: findings.total === before,
    witnesses: cosigners.map(({ key, timeSec }) => ({
      name: printable(key.name),
      time_ms: Number((timeSec ?? 0n) * 1000n),
    })),
    timestamps,
  };
}

/** What an authority stamped: the note as the log signed it, without cosignatures, which come later. */
export function stampedNote({ text, signatures }: SignedNote, origin: string): Uint8Array {
  return Buffer.from(
    formatNote({ text, signatures: signatures.filter(({ name }) => name === origin) }),
    'utf8',
  );
}

async function checkTimestamps(
  bag: Bag,
  note: SignedNote,
  size: bigint,
  seal: Seal | undefined,
  trust: TrustedKeys,
  findings: BundleFindings,
): Promise<VerifiedTimestamp[]> {
  const found: VerifiedTimestamp[] = [];
  const message = stampedNote(note, anchorOrigin(trust.deployment));
  for (const { anchor, type, size: about, evidence } of (await bag.json(FILE.anchors, anchorsSchema)) ?? []) {
    if (type !== 'timestamp') continue;
    const file = timestampFile(anchor);
    const token = fromBase64(evidence);
    const copy = await bag.bytes(file, LIMITS.noteBytes);
    if (token === undefined || (copy !== undefined && Buffer.compare(copy, token) !== 0))
      findings.add('TIMESTAMP', { file }, 'it is not the token that anchors.json has');
    else if (BigInt(about) !== size)
      found.push({ file, status: 'other_checkpoint', authority: null, time_ms: null });
    else found.push(checkToken(file, token, message, trust, findings));
  }
  const sealed = await bag.bytes(FILE.sealTimestamp, LIMITS.noteBytes);
  if (sealed !== undefined && seal !== undefined)
    found.push(checkToken(FILE.sealTimestamp, sealed, seal.bytes, trust, findings));
  return found;
}

function checkToken(
  file: string,
  token: Uint8Array,
  message: Uint8Array,
  { authorities }: TrustedKeys,
  findings: BundleFindings,
): VerifiedTimestamp {
  if (authorities.length === 0) return { file, status: 'not_pinned', authority: null, time_ms: null };
  const reasons = new Set<string>();
  for (const { name, certificatesPem } of authorities) {
    const verified = verifyTimestamp(token, message, certificatesPem);
    if ('timeMs' in verified) return { file, status: 'valid', authority: name, time_ms: verified.timeMs };
    if (verified.reason === TIMESTAMPS_UNSUPPORTED)
      return { file, status: 'unsupported', authority: null, time_ms: null };
    reasons.add(verified.reason);
  }
  findings.add('TIMESTAMP', { file }, [...reasons].join('; '));
  return { file, status: 'invalid', authority: null, time_ms: null };
}
