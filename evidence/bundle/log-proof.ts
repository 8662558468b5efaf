import { anchorLeaf, type AnchorEntryOf, parseAnchorEntry } from '../anchor-log/entry.ts';
import { parseLogId } from '../log-id.ts';
import { rootFromInclusion } from '../merkle/proofs.ts';
import { sameHash } from '../merkle/tree-hash.ts';
import { verifiedBy, verifierKey } from '../note/key.ts';
import { readCheckpointNote } from '../note/read-checkpoint.ts';
import type { AnchorNote } from './anchor-note.ts';
import type { Bag } from './bag.ts';
import {
  type BundleCase,
  type BundleLog,
  type BundleProof,
  LIMITS,
  logNoteFile,
  proofFile,
  proofSchema,
} from './format.ts';
import { checkRange, checkSelection } from './log-entries.ts';
import type { BundleFindings, VerifiedLog } from './verdict.ts';

/**
 * One log: its entries give the root that its proof names, an entry of the anchor log states that root, and that entry is
 * in the tree of the anchor log's checkpoint.
 */
export async function checkLog(
  bag: Bag,
  window: BundleLog,
  facts: BundleCase,
  anchor: AnchorNote | undefined,
  findings: BundleFindings,
): Promise<VerifiedLog | undefined> {
  const file = proofFile(window.index);
  const name = parseLogId(window.log);
  if (name?.deployment !== facts.deployment || name.tenant !== facts.tenant)
    findings.add('LOG_ID', { file, log: window.log }, 'it is not a log of this deployment and tenant');
  if (!bag.has(file)) {
    findings.add('MISSING_FILE', { file, log: window.log }, 'a log has a proof');
    return undefined;
  }
  const proof = await bag.json(file, proofSchema);
  if (proof === undefined) return undefined;
  checkWindow(window, proof, facts, findings);
  const stated = checkAnchorEntry(window, proof, anchor, findings);
  await checkLogNote(bag, window, proof, anchor, findings);
  const seen =
    proof.mode === 'range'
      ? await checkRange(bag, window, proof, findings)
      : await checkSelection(bag, window, proof, findings);
  const isLast = BigInt(window.to_seq) + 1n === BigInt(proof.size);
  if (
    stated !== undefined &&
    isLast &&
    seen.lastLeaf !== undefined &&
    Buffer.from(seen.lastLeaf).toString('hex') !== stated.leaf
  )
    findings.add(
      'ANCHOR_ENTRY',
      { file, log: window.log },
      'it states another last entry than the bundle has',
    );
  return {
    log: window.log,
    from_seq: window.from_seq,
    to_seq: window.to_seq,
    entries: seen.count,
    size: proof.size,
    checkpoint_ms: stated?.time_ms ?? null,
    first_ms: seen.firstMs ?? null,
    last_ms: seen.lastMs ?? null,
    anchored: stated !== undefined && anchor?.counts === true,
  };
}

function checkWindow(
  window: BundleLog,
  proof: BundleProof,
  facts: BundleCase,
  findings: BundleFindings,
): void {
  const place = { file: proofFile(window.index), log: window.log };
  if (proof.log !== window.log) findings.add('LOG_ID', place, 'it is the proof of another log');
  if (proof.mode !== window.mode || window.mode !== facts.mode)
    findings.add('CASE_MISMATCH', place, 'case, log and proof are not of one mode');
  if (proof.mode === 'range' && (proof.from_seq !== window.from_seq || proof.to_seq !== window.to_seq))
    findings.add('COMPLETENESS', place, 'it is the proof of another window');
}

/** The entry when it states the log's tree and is in the anchor log. */
function checkAnchorEntry(
  { log, index }: BundleLog,
  { size, root, anchor: proof }: BundleProof,
  anchor: AnchorNote | undefined,
  findings: BundleFindings,
): AnchorEntryOf<'checkpoint'> | undefined {
  const place = { file: proofFile(index), log };
  const body = Buffer.from(proof.entry, 'utf8');
  const entry = parseAnchorEntry(body);
  if (entry?.type !== 'checkpoint') {
    findings.add('ANCHOR_ENTRY', place, 'it is no entry of the anchor log about a checkpoint');
    return undefined;
  }
  if (entry.log !== log || entry.size !== size || entry.root !== root) {
    findings.add('ANCHOR_ENTRY', place, 'the entry of the anchor log states another log, size or root');
    return undefined;
  }
  if (anchor === undefined) return undefined;
  const { checkpoint } = anchor;
  const path = proof.hashes.map((hash) => Buffer.from(hash, 'hex'));
  const found =
    BigInt(proof.size) === checkpoint.size
      ? rootFromInclusion(anchorLeaf(body), BigInt(proof.seq), checkpoint.size, path)
      : undefined;
  if (found !== undefined && sameHash(found, checkpoint.root)) return entry;
  findings.add('ANCHOR_INCLUSION', place, 'the entry is not in the tree of the anchor log that was signed');
  return undefined;
}

/** The log's own note is a convenience for tools that know one log only; nothing rests on it, and it must not contradict. */
async function checkLogNote(
  bag: Bag,
  { log, index }: BundleLog,
  { size, root }: BundleProof,
  anchor: AnchorNote | undefined,
  findings: BundleFindings,
): Promise<void> {
  const file = logNoteFile(index);
  const bytes = await bag.bytes(file, LIMITS.noteBytes);
  if (bytes === undefined) return;
  const read = readCheckpointNote(bytes);
  if ('reason' in read) {
    findings.add('NOTE_SIGNATURE', { file, log }, read.reason);
    return;
  }
  const { note, checkpoint } = read;
  if (checkpoint.origin !== log) {
    findings.add('LOG_ID', { file, log }, 'it is the checkpoint of another log');
    return;
  }
  if (checkpoint.size !== BigInt(size) || !sameHash(checkpoint.root, Buffer.from(root, 'hex')))
    findings.add('ROOT_MISMATCH', { file, log }, 'it is the checkpoint of another tree than the proof');
  if (anchor === undefined || anchor.keys.length === 0) return;
  // The notary signs every log with one key, under the log's name.
  const { by, bad } = verifiedBy(
    note,
    anchor.keys.map(({ key }) => verifierKey(log, 'log', key.publicKey)),
  );
  if (bad !== undefined)
    findings.add(
      'NOTE_SIGNATURE',
      { file, log },
      `the signature of ${bad.name}+${bad.keyId} does not verify`,
    );
  else if (by.length === 0)
    findings.add('UNKNOWN_KEY', { file, log }, 'no key that is trusted has signed it');
}
