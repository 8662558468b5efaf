import type { Receipt } from '../../schemas/receipt.ts';
import { receiptKind } from '../../schemas/receipt.ts';
import { anchorLeaf, anchorOrigin, parseAnchorEntry, type AnchorEntryOf } from '../anchor-log/entry.ts';
import { checkpointFault, type NotaryKey } from '../anchor-log/notary-keys.ts';
import type { PinnedTrust } from '../anchor-log/pinned-keys.ts';
import { hasQuorum } from '../anchor-log/witness-quorum.ts';
import { DsseFormatError, parseEnvelope, type DsseEnvelope } from '../dsse.ts';
import { leafHash } from '../entry.ts';
import { parseLogId } from '../log-id.ts';
import { rootFromInclusion } from '../merkle/proofs.ts';
import { sameHash } from '../merkle/tree-hash.ts';
import { parseCheckpoint, type Checkpoint } from '../note/checkpoint.ts';
import { NoteFormatError } from '../note/note.ts';
import { parseTlogProof, type TlogProof } from '../note/tlog-proof.ts';
import { logNoteFault, notaryKeys, witnessedSec } from './checkpoint-trust.ts';
import { hasBody, parseEntryExtra, parsePreimage, type EntryFacts } from './entry-proof.ts';
import { eventOf, isObservedOf } from './observed.ts';
import type { CheckList, CheckName, TimeBounds } from './verdict.ts';

/** C2SP tlog-proofs beside a receipt, as text; all of it attacker-controlled. */
export interface ReceiptProofs {
  /** The entry in its data log; `extra` is the entry's preimage and body. */
  readonly proof?: string | undefined;
  /** The anchor log's entry that states that data log's checkpoint; `extra` is that entry. */
  readonly anchorProof?: string | undefined;
  /** The anchor log's last entry on that log that does not cover the entry: bounds the time from below. */
  readonly beforeProof?: string | undefined;
  /** Changes of the notary's key, as JSON (`rotationProofsSchema`): lead from a pinned key to the one that signed. */
  readonly rotations?: string | undefined;
}

interface ReadProof extends TlogProof {
  readonly extra: Uint8Array;
  readonly head: Checkpoint;
}

/** Clocks of a notary, a broker and witnesses may differ by this much before they contradict each other. */
const CLOCKS_DIFFER_MS = 5 * 60_000;

/** From the receipt to a checkpoint that a pinned key signed. Resolves the bounds of time when all of it holds. */
export function verifyInclusion(
  envelope: DsseEnvelope,
  receipt: Receipt,
  proofs: ReceiptProofs,
  pinned: PinnedTrust,
  checks: CheckList,
): TimeBounds | undefined {
  if (proofs.proof === undefined || proofs.anchorProof === undefined) {
    checks.lack('entry', 'NO_PROOF', 'there is no proof that it is in a log');
    return undefined;
  }
  const proof = readProof(proofs.proof, 'entry', checks);
  const facts = proof && verifyEntry(envelope, receipt, proof, checks);
  if (proof === undefined || facts === undefined) return undefined;
  const deployment = parseLogId(facts.log)?.deployment ?? '';
  const keys = notaryKeys(proofs.rotations, deployment, pinned, checks);
  if (keys === undefined || !isIncluded(facts, proof, keys, checks)) return undefined;
  const trust = { ...pinned, keys };
  const anchor = readProof(proofs.anchorProof, 'anchor_entry', checks);
  const stated = anchor && verifyAnchorEntry(facts, proof, anchor, checks);
  if (anchor === undefined || stated === undefined || !isAnchored(anchor, trust, checks)) return undefined;
  const witnessedMs = verifyWitnesses(anchor, trust, checks);
  const before = verifyBefore(facts, proofs.beforeProof, anchor, checks);
  if (before === undefined) return undefined;
  const bounds: TimeBounds = {
    not_before_ms: before,
    not_after_ms: witnessedMs ?? stated.time_ms,
    not_after_by: witnessedMs === undefined ? 'notary' : 'witnesses',
  };
  return agree(facts, bounds, checks) ? bounds : undefined;
}

function readProof(text: string, check: CheckName, checks: CheckList): ReadProof | undefined {
  try {
    const { extra, ...rest } = parseTlogProof(text);
    const head = parseCheckpoint(rest.checkpoint.text);
    if (extra !== undefined && head !== undefined) return { ...rest, extra, head };
    checks.fail(check, 'BAD_PROOF', head === undefined ? 'its note is no checkpoint' : 'it carries no entry');
  } catch (error) {
    if (!(error instanceof NoteFormatError)) throw error;
    checks.fail(check, 'BAD_PROOF', error.message);
  }
  return undefined;
}

/** The entry is whole, and it is where the receipt comes from. */
function verifyEntry(
  envelope: DsseEnvelope,
  receipt: Receipt,
  { extra, index, head }: ReadProof,
  checks: CheckList,
): EntryFacts | undefined {
  const entry = parseEntryExtra(extra);
  const facts = entry && parsePreimage(entry.preimage);
  if (entry === undefined || facts === undefined) {
    checks.fail('entry', 'BAD_PROOF', 'it carries no entry of a ledger');
    return undefined;
  }
  const { predicate } = receipt;
  const place = predicate.entry;
  const isPlace = place === undefined || (place.log === facts.log && place.seq === String(facts.seq));
  if (
    !isPlace ||
    facts.tenant !== predicate.tenant ||
    facts.kind !== 'event' ||
    head.origin !== facts.log ||
    index !== facts.seq
  ) {
    checks.fail(
      'entry',
      'ENTRY_PLACE',
      'the entry is of another log, tenant or place than the receipt or the proof says',
    );
    return undefined;
  }
  checks.pass('entry', `${facts.log} ${facts.seq}`);
  const isBody = hasBody(facts, entry.body) && (place === undefined || place.body_sha256 === facts.bodySha);
  if (!isBody) {
    checks.fail('body', 'BODY_HASH', 'the body is not the one that the entry or the receipt has the hash of');
    return undefined;
  }
  return isFrom(envelope, receipt, facts, entry.body, checks) ? facts : undefined;
}

/** A receipt of ours says what the entry says; one of a gateway is in the entry, byte for byte. */
function isFrom(
  envelope: DsseEnvelope,
  receipt: Receipt,
  facts: EntryFacts,
  body: Uint8Array,
  checks: CheckList,
): boolean {
  const event = eventOf(body);
  const isObserved = receipt.predicate.entry !== undefined;
  if (isObserved !== (receipt.predicate.assurance.level === 'observed')) {
    checks.fail('body', 'STATEMENT', 'an observed receipt names its entry, an attested one none');
    return false;
  }
  if (!isObserved) {
    const isKept = event?.receipt !== undefined && samePayload(event.receipt.envelope, envelope);
    if (isKept) checks.pass('body', 'the entry holds the receipt');
    else checks.fail('body', 'BODY_HASH', 'the entry does not hold this receipt');
    return isKept;
  }
  const isSame = event !== undefined && isObservedOf(receipt, receiptKind(receipt), facts, event);
  if (isSame) checks.pass('body', 'the receipt says what the entry says');
  else checks.fail('body', 'SUBJECT_MISMATCH', 'the receipt says something else than the entry');
  return isSame;
}

function samePayload(kept: string, { payload, payloadType }: DsseEnvelope): boolean {
  try {
    const other = parseEnvelope(kept);
    return other.payloadType === payloadType && Buffer.compare(other.payload, payload) === 0;
  } catch (error) {
    if (error instanceof DsseFormatError) return false;
    throw error;
  }
}

function isIncluded(
  facts: EntryFacts,
  proof: ReadProof,
  keys: readonly NotaryKey[],
  checks: CheckList,
): boolean {
  const { head, hashes, checkpoint } = proof;
  const root = rootFromInclusion(leafOf(proof), facts.seq, head.size, hashes);
  if (root === undefined || !sameHash(root, head.root)) {
    checks.fail('inclusion', 'INCLUSION', `the entry is not in the tree of ${head.size} entries`);
    return false;
  }
  checks.pass('inclusion', `entry ${facts.seq} of ${head.size}`);
  if (keys.length === 0) {
    checks.lack('log_checkpoint', 'NO_PINNED_KEY', 'no key of a notary is pinned');
    return true;
  }
  const fault = logNoteFault(checkpoint, facts.log, keys);
  if (fault === undefined) checks.pass('log_checkpoint');
  else checks.fail('log_checkpoint', fault.cause, fault.detail);
  return fault === undefined;
}

/** Leaf of the ledger entry that a proof carries. */
function leafOf({ extra }: ReadProof): Uint8Array {
  return Buffer.from(leafHash(parseEntryExtra(extra)?.preimage ?? ''), 'hex');
}

function verifyAnchorEntry(
  facts: EntryFacts,
  proof: ReadProof,
  anchor: ReadProof,
  checks: CheckList,
): AnchorEntryOf<'checkpoint'> | undefined {
  const stated = parseAnchorEntry(anchor.extra);
  const { size, root } = proof.head;
  const deployment = parseLogId(facts.log)?.deployment ?? '';
  const states =
    stated?.type === 'checkpoint' &&
    stated.log === facts.log &&
    stated.size === String(size) &&
    stated.root === Buffer.from(root).toString('hex') &&
    anchor.head.origin === anchorOrigin(deployment);
  if (!states) {
    checks.fail(
      'anchor_entry',
      'ANCHOR_ENTRY',
      'it does not state the checkpoint that the entry is proven in',
    );
    return undefined;
  }
  if (facts.seq === size - 1n && stated.leaf !== Buffer.from(leafOf(proof)).toString('hex')) {
    checks.fail('anchor_entry', 'LEAF_HASH', 'it states another last entry');
    return undefined;
  }
  checks.pass('anchor_entry', `entry ${anchor.index} of ${anchor.head.origin}`);
  return stated;
}

function isAnchored(anchor: ReadProof, trust: PinnedTrust, checks: CheckList): boolean {
  if (!isInTree(anchor)) {
    checks.fail('anchor_inclusion', 'ANCHOR_INCLUSION', 'it is not in the tree of the anchor log');
    return false;
  }
  checks.pass('anchor_inclusion', `entry ${anchor.index} of ${anchor.head.size}`);
  if (trust.keys.length === 0) {
    checks.lack('anchor_checkpoint', 'NO_PINNED_KEY', 'no key of a notary is pinned');
    return true;
  }
  const { checkpoint, head } = anchor;
  const fault = checkpointFault(checkpoint, head.size, trust.keys, (note) =>
    hasQuorum(note, trust.witnesses),
  );
  if (fault === undefined) checks.pass('anchor_checkpoint');
  else checks.fail('anchor_checkpoint', fault.cause, fault.detail);
  return fault === undefined;
}

function isInTree({ extra, index, head, hashes }: ReadProof): boolean {
  const root = rootFromInclusion(anchorLeaf(extra), index, head.size, hashes);
  return root !== undefined && sameHash(root, head.root);
}

/** When the quorum had seen the checkpoint, in milliseconds: at the latest at the end of the second they name. */
function verifyWitnesses(anchor: ReadProof, trust: PinnedTrust, checks: CheckList): number | undefined {
  if (trust.witnesses === undefined) return undefined;
  const sec = witnessedSec(anchor.checkpoint, trust);
  const detail = `fewer than ${trust.witnesses.quorum} pinned witnesses cosigned it`;
  if (sec === undefined) checks.lack('witnesses', 'QUORUM', detail);
  else checks.pass('witnesses', `${trust.witnesses.quorum} of ${trust.witnesses.keys.length}`);
  return sec === undefined ? undefined : Number(sec) * 1000 + 999;
}

/** When the log had been signed without the entry; null where nothing says so, `undefined` for a bad proof. */
function verifyBefore(
  facts: EntryFacts,
  text: string | undefined,
  anchor: ReadProof,
  checks: CheckList,
): number | null | undefined {
  if (text === undefined) return null;
  const before = readProof(text, 'time_bounds', checks);
  if (before === undefined) return undefined;
  const stated = parseAnchorEntry(before.extra);
  const isBefore =
    stated?.type === 'checkpoint' &&
    stated.log === facts.log &&
    BigInt(stated.size) <= facts.seq &&
    before.checkpoint.text === anchor.checkpoint.text &&
    isInTree(before);
  if (isBefore) return stated.time_ms;
  checks.fail('time_bounds', 'TIME_BOUNDS', 'the earlier checkpoint is not one of the log without the entry');
  return undefined;
}

function agree({ appendTimeMs }: EntryFacts, bounds: TimeBounds, checks: CheckList): boolean {
  const earliest = Math.max(bounds.not_before_ms ?? 0, appendTimeMs);
  const latest = bounds.not_after_ms ?? Number.MAX_SAFE_INTEGER;
  if (earliest > latest + CLOCKS_DIFFER_MS) {
    checks.fail(
      'time_bounds',
      'TIME_BOUNDS',
      'the times of entry, notary and witnesses contradict each other',
    );
    return false;
  }
  checks.pass('time_bounds');
  return true;
}
