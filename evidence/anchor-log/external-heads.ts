import type { FindingCause } from '../finding.ts';
import { sameHash } from '../merkle/tree-hash.ts';
import { parseCheckpoint } from '../note/checkpoint.ts';
import type { SignedNote } from '../note/note.ts';

/** The largest checkpoint that somebody outside of the store holds: an anchor, or the notary's own memory. */
export interface ExternalHead {
  readonly anchor: string;
  readonly size: bigint;
  readonly root: Uint8Array | undefined;
  readonly note: SignedNote | undefined;
  /** The store may still be behind as far as this; default: not at all. */
  readonly settledSize?: bigint;
  /** The notary's own memory: it must be met, and anchors nothing. */
  readonly isOwn?: boolean;
}

export interface ExternalHeadsOptions {
  /** `anchorOrigin(deployment)`. */
  readonly origin: string;
  readonly heads: readonly ExternalHead[];
  /** Whether a key of the log signed it. */
  readonly isSigned: (note: SignedNote) => boolean;
  /** `log` names the anchor; default: the anchor log. */
  readonly report: (cause: FindingCause, seq: bigint | null, detail: string, log?: string) => void;
  /** Another tree of this size is signed. */
  readonly onSplit: (size: bigint, note: SignedNote) => void;
}

/** Holds what others hold of an anchor log against its trees as they grow. */
export interface ExternalHeads {
  /** The tree has this size now; without a root, entries before are missing. */
  reached(size: bigint, root: () => Uint8Array | undefined): void;
  /** The log ends with this size. */
  finish(size: bigint): void;
  /** What anchors claim to hold; one that holds another tree ends in a finding. */
  readonly claimedSize: bigint;
  /** Size up to which an anchor holds the same tree. */
  readonly anchoredSize: bigint;
  /** The same, the notary's memory included. */
  readonly heldSize: bigint;
}

export function createExternalHeads(options: ExternalHeadsOptions): ExternalHeads {
  const { origin, report } = options;
  const heads = options.heads.toSorted((a, b) => (a.size < b.size ? -1 : a.size > b.size ? 1 : 0));
  let anchoredSize = 0n;
  let heldSize = 0n;
  let at = 0;

  function compare(head: ExternalHead, tree: Uint8Array | undefined): void {
    const { size, root, note } = head;
    const place = `anchor ${head.anchor}`;
    if (note !== undefined && !isOf(note, head, origin))
      report('NOTE_SIGNATURE', size - 1n, 'the checkpoint it holds is of something else', place);
    else if (root !== undefined && tree !== undefined && !sameHash(root, tree)) {
      report('SPLIT_VIEW', size - 1n, `${place} holds another tree of size ${size}`);
      if (note !== undefined) options.onSplit(size, note);
    } else if (note !== undefined && !options.isSigned(note))
      report('UNKNOWN_KEY', size - 1n, `no known key signed what the anchor holds of size ${size}`, place);
    else if (root !== undefined) {
      heldSize = size;
      if (head.isOwn !== true) anchoredSize = size;
    }
  }

  return {
    claimedSize: heads.findLast(({ root, isOwn }) => root !== undefined && isOwn !== true)?.size ?? 0n,
    reached(size, root) {
      for (let head = heads[at]; head !== undefined && head.size <= size; head = heads[++at])
        if (head.size === size) compare(head, root());
    },
    finish(size) {
      for (const head of heads.slice(at)) {
        if (size >= (head.settledSize ?? head.size)) continue;
        report('ROLLBACK', size, `anchor ${head.anchor} holds size ${head.size}, the store only ${size}`);
      }
    },
    get anchoredSize() {
      return anchoredSize;
    },
    get heldSize() {
      return heldSize;
    },
  };
}

function isOf(note: SignedNote, { size, root }: ExternalHead, origin: string): boolean {
  const stated = parseCheckpoint(note.text);
  return (
    stated?.origin === origin && stated.size === size && (root === undefined || sameHash(stated.root, root))
  );
}
