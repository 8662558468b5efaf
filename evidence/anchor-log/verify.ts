import type { Finding, FindingCause } from '../finding.ts';
import { createTreeHasher } from '../merkle/tree-hasher.ts';
import { sameHash } from '../merkle/tree-hash.ts';
import { parseCheckpoint } from '../note/checkpoint.ts';
import { formatNote, NoteFormatError, parseNote, type SignedNote } from '../note/note.ts';
import { anchorLeaf, parseAnchorEntry, type AnchorEntry } from './entry.ts';
import { createExternalHeads, type ExternalHead } from './external-heads.ts';
import { createKeyRing } from './key-ring.ts';
import type { PinnedTrust } from './pinned-keys.ts';
import { createPruneBook, type PruneHistory } from './pruned.ts';
import { createSignedLogs, type SignedLog } from './signed-logs.ts';
import { hasQuorum } from './witness-quorum.ts';

export interface AnchorLogVerifierOptions {
  /** `anchorOrigin(deployment)`. */
  readonly origin: string;
  readonly trust: PinnedTrust;
  readonly external: readonly ExternalHead[];
  readonly onFinding: (finding: Finding) => void;
}

/** A signed size of which there are two trees: whoever signed both lied, and the notes prove it. */
export interface SplitView {
  readonly size: bigint;
  readonly notes: readonly [string, string];
}

export interface AnchorView {
  /** Entries that were read. */
  readonly size: bigint;
  readonly root: Uint8Array;
  /** Size of the newest checkpoint; 0 when there is none. */
  readonly signedSize: bigint;
  /** When it was made, milliseconds since the epoch. */
  readonly signedMs: number | undefined;
  /** Size up to which an anchor holds the same tree. */
  readonly anchoredSize: bigint;
  /** Size up to which the quorum of witnesses has cosigned. */
  readonly witnessedSize: bigint;
  /** Data logs by id: what signed checkpoints say of them. */
  readonly logs: ReadonlyMap<string, SignedLog>;
  readonly pruned: PruneHistory;
  readonly splits: readonly SplitView[];
  /** Keys that signed, as C2SP writes them. */
  readonly signers: readonly string[];
}

/**
 * Verifies an anchor log against its checkpoints, the keys that are known beforehand, and what anchors hold. Streaming:
 * memory grows with the number of data logs and anchors.
 */
export interface AnchorLogVerifier {
  /** Entries in seq order; an identical copy of the one before is passed over. Attacker-controlled bytes. */
  entry(entry: { readonly seq: bigint; readonly body: Uint8Array; readonly leaf: Uint8Array }): void;
  /** A stored checkpoint: after the entries it covers, before the next one. Attacker-controlled text. */
  note(stored: {
    readonly size: bigint;
    readonly text: string;
    readonly cosignatures?: readonly SignedNote['signatures'][number][];
  }): void;
  finish(): AnchorView;
}

/** Split views kept for export. */
const SPLITS_MAX = 16;

export function createAnchorLogVerifier(options: AnchorLogVerifierOptions): AnchorLogVerifier {
  const { origin, trust, onFinding } = options;
  const tree = createTreeHasher();
  const prunes = createPruneBook();
  const splits: SplitView[] = [];
  const report = (cause: FindingCause, seq: bigint | null, detail: string, log = origin) =>
    onFinding({ cause, log, seq, column: null, detail });
  const keys = createKeyRing(origin, trust.keys, report);
  const external = createExternalHeads({
    origin,
    heads: options.external,
    isSigned: (note) => keys.knows(note),
    report: (cause, seq, detail, log) => report(cause, seq, detail, log),
    onSplit: addSplit,
  });
  const signed = createSignedLogs(
    (cause, log, seq, detail) => report(cause, seq, detail, log),
    external.claimedSize,
  );

  let size = 0n;
  let lastBody: Uint8Array | undefined;
  let timeMs = -1;
  let last:
    | {
        readonly size: bigint;
        readonly root: Uint8Array;
        readonly text: string;
        readonly note: SignedNote;
        readonly timeMs: number;
      }
    | undefined;
  let witnessedSize = 0n;
  let isWhole = true;

  /** Anchors that hold a tree of the size that is reached now. */
  const compareExternal = () => external.reached(size, () => (isWhole ? tree.root() : undefined));

  function addSplit(at: bigint, other: SignedNote): void {
    if (splits.length >= SPLITS_MAX || last?.size !== at) return;
    splits.push({ size: at, notes: [last.text, formatNote(other)] });
  }

  /** The checkpoint that must end a cycle, when the next one begins. */
  function endCycle(): void {
    if (size > 0n && last?.size !== size)
      report('CHECKPOINT_MISSING', size - 1n, `the cycle that ended at size ${size} has no checkpoint`);
  }

  function take(seq: bigint, entry: AnchorEntry): void {
    if ((seq === 0n) !== (entry.type === 'genesis')) {
      report('GENESIS', seq, 'the log begins with its one genesis entry');
      return;
    }
    prunes.add({ seq, entry });
    switch (entry.type) {
      case 'genesis':
        if (`${entry.deployment}/anchor` !== origin) report('GENESIS', seq, 'it is of another deployment');
        else keys.genesis(entry.verifier_key);
        return;
      case 'checkpoint':
        signed.add(seq, entry);
        return;
      case 'key_rotated':
        keys.rotated(seq, entry);
        return;
      case 'key_compromised':
        keys.compromised(entry);
        return;
      default:
        return;
    }
  }

  function checkNote(stored: { size: bigint; text: string }, note: SignedNote): Uint8Array | undefined {
    const checkpoint = parseCheckpoint(note.text);
    if (checkpoint?.origin !== origin || checkpoint.size !== stored.size) {
      report(
        'NOTE_SIGNATURE',
        stored.size - 1n,
        `the checkpoint of size ${stored.size} is of something else`,
      );
      return undefined;
    }
    if (last?.size === stored.size && !sameHash(checkpoint.root, last.root)) {
      report('SPLIT_VIEW', stored.size - 1n, `two checkpoints of size ${stored.size} state different trees`);
      if (splits.length < SPLITS_MAX) splits.push({ size, notes: [last.text, stored.text] });
      return undefined;
    }
    if (isWhole && !sameHash(checkpoint.root, tree.root())) {
      report(
        'ROOT_MISMATCH',
        stored.size - 1n,
        `the entries up to size ${stored.size} are not those that were signed`,
      );
    }
    return checkpoint.root;
  }

  return {
    entry({ seq, body, leaf }) {
      if (seq < size) {
        const isCopy = seq === size - 1n && lastBody !== undefined && Buffer.compare(lastBody, body) === 0;
        if (!isCopy) report('FORK', seq, 'two different entries at one place');
        return;
      }
      compareExternal();
      const entry = parseAnchorEntry(body);
      if (entry === undefined) report('ANCHOR_ENTRY', seq, 'not an entry in the form of the anchor log');
      const time = entry?.time_ms ?? timeMs;
      if (time !== timeMs) endCycle();
      if (time < timeMs) report('ANCHOR_TIME', seq, `made at ${time}, after one made at ${timeMs}`);
      if (time === timeMs && last?.size === size && size > 0n)
        report('ANCHOR_TIME', seq, 'it has the time of a cycle that was signed before');
      if (seq > size) {
        report('GAP', size, `entries ${size} to ${seq - 1n} of the anchor log are missing`);
        isWhole = false;
      }
      const own = anchorLeaf(body);
      if (!sameHash(own, leaf)) report('LEAF_HASH', seq, 'the entry does not have the recorded hash');
      if (entry !== undefined) take(seq, entry);
      tree.append(own);
      timeMs = Math.max(time, timeMs);
      lastBody = Buffer.from(body);
      size = seq + 1n;
    },
    note(stored) {
      let note: SignedNote;
      try {
        note = parseNote(stored.text);
      } catch (error) {
        if (!(error instanceof NoteFormatError)) throw error;
        report('NOTE_SIGNATURE', stored.size - 1n, error.message);
        return;
      }
      if (last?.size === stored.size && last.text === stored.text) return;
      if (stored.size !== size) {
        if (isWhole)
          report(
            'TRUNCATED',
            size,
            `a checkpoint of size ${stored.size} is stored, entries only up to size ${size}`,
          );
        isWhole = false;
        return;
      }
      const root = checkNote(stored, note);
      keys.checkpoint(stored.size, note);
      if (root === undefined) return;
      if (last?.size === size) return;
      last = { size, root, text: stored.text, note, timeMs };
      const signatures = [...note.signatures, ...(stored.cosignatures ?? [])];
      if (hasQuorum({ text: note.text, signatures }, trust.witnesses)) witnessedSize = size;
    },
    finish() {
      compareExternal();
      const signedSize = last?.size ?? 0n;
      external.finish(size);
      if (signedSize < size && external.heldSize >= size)
        report(
          'CHECKPOINT_MISSING',
          size - 1n,
          `the checkpoint of size ${size} is held elsewhere, the store has none`,
        );
      if (size > 0n && trust.source === 'none')
        report('NO_PINNED_KEY', null, 'no key is known but the one the log names itself');
      const { anchoredSize } = external;
      keys.finish(last?.size ?? -1n, anchoredSize > witnessedSize ? anchoredSize : witnessedSize);
      if (trust.witnesses !== undefined && signedSize > 0n && witnessedSize === 0n)
        report(
          'WITNESS_QUORUM',
          signedSize - 1n,
          `fewer than ${trust.witnesses.quorum} witnesses cosigned any checkpoint`,
        );
      const pruned = prunes.history;
      for (const { anchorSeq, log, detail } of pruned.refused) {
        report('UNAUTHORISED_PRUNE', null, `announcement ${anchorSeq} does not count: ${detail}`, log);
      }
      return {
        ...{ size, root: tree.root(), signedSize, signedMs: last?.timeMs, anchoredSize, witnessedSize },
        ...{ logs: signed.logs, pruned, splits, signers: keys.signers },
      };
    },
  };
}
