/**
 * The seam to the log. Two implementations: embedded (LMDB) and Kafka; one contract suite (`test/contract/topic.ts`).
 *
 * Delivery is at-least-once and ordered per partition. A record's place (topic, partition, offset, append time) is
 * fixed by `append` and never changes: a ledger entry is a pure function of it (promise P3).
 */
export type TopicName = 'custody.events' | 'custody.alerts' | 'custody.deadletter';

export interface TopicRecord {
  /** Chooses the partition; the tenant id. */
  readonly key: string;
  /** Exact bytes; the implementation neither parses nor changes them. */
  readonly value: Uint8Array;
}

export interface ConsumedRecord extends TopicRecord {
  readonly partition: number;
  /** Position in the partition, from 0, contiguous in the embedded topic, strictly increasing everywhere. */
  readonly offset: bigint;
  /** Log append time in milliseconds since the epoch; never decreases within a partition. */
  readonly appendTimeMs: number;
}

/** Records of one partition in offset order; never empty. */
export interface Batch {
  readonly partition: number;
  readonly records: readonly [ConsumedRecord, ...ConsumedRecord[]];
}

export interface ConsumeOptions {
  /** Consumer group: each group sees every record; its committed offsets survive a restart. */
  readonly group: string;
  /**
   * Handles one batch; the next batch of that partition comes after it resolves, and the offset after the batch is
   * committed then. A rejection ends `consume` with that error; the batch is delivered again next time.
   */
  readonly handle: (batch: Batch) => Promise<void>;
  /**
   * Where to start a partition when it is assigned, overriding the committed offset. For stages that keep their
   * position beside their own data (ledger, detect). `undefined` = the committed offset, or the oldest record kept.
   */
  readonly startOffset?: (partition: number) => Promise<bigint | undefined>;
  readonly maxBatchRecords?: number;
  readonly maxBatchBytes?: number;
  /** Wait up to this long after the first record for a batch to fill. Default 0: hand over at once. */
  readonly lingerMs?: number;
  readonly signal: AbortSignal;
}

export interface Topic {
  readonly name: TopicName;
  /** Identity of this incarnation of the topic; part of every log id. Lower-case, `[a-z0-9-]`. */
  readonly topicId: string;
  readonly partitions: number;
  /**
   * Resolves only when every record is durable (fsync here, acks=all on Kafka), with the offsets in input order.
   * Concurrent calls are batched. Rejects with TransientError (`overloaded` when the byte bound of unwritten data
   * is reached, `disk_full`, `unavailable`); then none of the records may be assumed written or unwritten.
   */
  append(records: readonly TopicRecord[]): Promise<readonly RecordPlace[]>;
  /** Runs until the signal aborts (then resolves, after the current handler) or a handler rejects. */
  consume(options: ConsumeOptions): Promise<void>;
  /** Records from `from` (inclusive) to `to` (exclusive, default: the end at the time of the call), oldest first. */
  read(partition: number, from: bigint, to?: bigint): AsyncIterable<ConsumedRecord>;
  /** Oldest kept offset and the offset the next record will get. */
  bounds(partition: number): Promise<{ readonly start: bigint; readonly end: bigint }>;
  /** Next offset the group will be given, `undefined` if it never committed. */
  committed(group: string, partition: number): Promise<bigint | undefined>;
}

export interface RecordPlace {
  readonly partition: number;
  readonly offset: bigint;
  readonly appendTimeMs: number;
}

/**
 * Durable small state tied to the log: detector snapshots, ledger heads. Kafka keeps it on a compacted topic,
 * embedded mode in LMDB beside the topics.
 */
export interface StateStore {
  /** All entries whose name starts with the prefix, in name order. */
  entries(prefix: string): AsyncIterable<{ readonly name: string; readonly value: Uint8Array }>;
  read(name: string): Promise<Uint8Array | undefined>;
  /** Applies all changes atomically and resolves when they are durable; `undefined` removes the name. */
  write(changes: readonly { readonly name: string; readonly value: Uint8Array | undefined }[]): Promise<void>;
}
