import type { SignedNote } from '../evidence/note/note.ts';

/** A signed checkpoint of the anchor log, on its way to where the store's administrators cannot change it. */
export interface AnchoredCheckpoint {
  readonly origin: string;
  readonly size: bigint;
  readonly root: Uint8Array;
  readonly timeMs: number;
  readonly note: SignedNote;
  /** Consistency proof from an earlier size of the anchor log; throws a RangeError for one that never was. */
  readonly proofFrom: (oldSize: bigint) => Promise<readonly Uint8Array[]>;
}

/** What an anchor gives back and a bundle carries. */
export type AnchorEvidence =
  /** Cosignature lines of a witness. */
  | { readonly type: 'cosignature'; readonly line: string }
  /** RFC 3161 token (DER) over the SHA-256 of the note's bytes without cosignatures (`formatNote`). */
  | { readonly type: 'timestamp'; readonly token: Uint8Array }
  /** Where it lies: a path, an object with its version, an offset. */
  | { readonly type: 'place'; readonly place: string };

/**
 * Keeps checkpoints outside of the store's reach. Called with one checkpoint at a time, each larger than the last; may skip
 * some where a rate is configured.
 */
export interface Anchor {
  readonly id: string;
  /** What it promises, in a word: `file`, `s3`, `rfc3161`, `witness`, `kafka`, `siem`. */
  readonly type: string;
  /**
   * After one checkpoint, others are left out for so long. What was left out is to be offered again, or a log that rests
   * stays without its last one.
   */
  readonly minIntervalMs?: number;
  /**
   * Resolves when the checkpoint is durable there. `undefined`: this one was left out on purpose (rate).
   * Rejects with TransientError (try again), PermanentError (configuration), IntegrityError (it holds another history).
   */
  publish(checkpoint: AnchoredCheckpoint): Promise<AnchorEvidence | undefined>;
  /**
   * The largest checkpoint it holds, for verification; `undefined` when it holds none. Rejects as `publish`. Anchors that
   * cannot be read (a SIEM) do not have this method.
   */
  readonly latest?: (origin: string) => Promise<AnchorHead | undefined>;
  close(): Promise<void>;
}

/** What an anchor says of a log; `note` where it kept the whole checkpoint. */
export interface AnchorHead {
  readonly size: bigint;
  readonly root: Uint8Array | undefined;
  readonly note: SignedNote | undefined;
}
