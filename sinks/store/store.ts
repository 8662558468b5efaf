import type { LogHead, LogSource, SealedEntry } from '../../evidence/entry-builder.ts';
import type { StoredAnchorEvidence, StoredCheckpoint } from './checkpoints.ts';

/**
 * The seam to ClickHouse: a server, or the engine in process (chDB). It only ever adds rows; nothing here changes or
 * removes one.
 */
export interface Store {
  /**
   * Inserts entries of ONE topic partition and ONE day, in log order, as one block, and resolves when the engine has
   * synced them and every leaf was read back equal. After a lost or failed answer it reads back before it says
   * anything. Rejects with TransientError (nothing was found stored, or nobody answers: try the same entries again),
   * IntegrityError (the store holds something
   * else at one of these places) or PermanentError.
   */
  append(entries: readonly SealedEntry[]): Promise<void>;
  /** Compares stored leaves with entries that must be there; rejects with IntegrityError if one is not. */
  expectStored(entries: readonly SealedEntry[]): Promise<void>;
  /** What the store holds of one topic partition, by log id. */
  logs(source: LogSource): Promise<ReadonlyMap<string, StoredLog>>;
  /**
   * Adds what a notary publishes, whatever of it is not there yet, and resolves when it was read back equal. Rejects as
   * `append`: with IntegrityError when the store holds another entry or another root at one of the places.
   */
  publish(publication: Publication): Promise<void>;
  /** Adds what anchors gave back. */
  addAnchorEvidence(origin: string, evidence: readonly StoredAnchorEvidence[]): Promise<void>;
  /** Streams the raw bytes a statement answers. */
  readonly raw: RawQuery;
  close(): Promise<void>;
}

/** What one cycle of a notary adds. */
export interface Publication {
  /** Id of the anchor log. */
  readonly origin: string;
  readonly entries: readonly { readonly seq: bigint; readonly body: Uint8Array }[];
  readonly checkpoints: readonly StoredCheckpoint[];
  readonly subtrees: readonly StoredSubtree[];
}

/** Root of a complete subtree of 2^level leaves of a log, the anchor log included. */
export interface StoredSubtree {
  readonly log: string;
  readonly level: number;
  readonly index: bigint;
  readonly hash: Uint8Array;
}

export interface StoredLog extends LogHead {
  /** Lowest seq; above 0 only where retention removed what came before. */
  readonly firstSeq: bigint;
  readonly entryCount: bigint;
  readonly minOffset: bigint;
  readonly maxOffset: bigint;
}

/**
 * Runs one statement, its FORMAT clause included, and streams the answer's bytes as they come. Rejects (at the first
 * or a later chunk) with a CustodyError when the engine or the transport fails.
 */
export type RawQuery = (statement: string) => AsyncIterable<Uint8Array>;
