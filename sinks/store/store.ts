import type { LogHead, LogSource, SealedEntry } from '../../evidence/entry-builder.ts';

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
  /** Streams the raw bytes a statement answers. */
  readonly raw: RawQuery;
  close(): Promise<void>;
}

export interface StoredLog extends LogHead {
  readonly entryCount: bigint;
  readonly minOffset: bigint;
  readonly maxOffset: bigint;
}

/**
 * Runs one statement, its FORMAT clause included, and streams the answer's bytes as they come. Rejects (at the first
 * or a later chunk) with a CustodyError when the engine or the transport fails.
 */
export type RawQuery = (statement: string) => AsyncIterable<Uint8Array>;
