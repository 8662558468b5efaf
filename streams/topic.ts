import type { IntegrityError } from '../runtime/errors.ts';

/**
 * The seam to the log. Two implementations: embedded (LMDB) and Kafka; one contract suite (`test/contract/topic.ts`).
 *
 * Delivery is at-least-once and ordered per partition. A record's place (topic, partition, offset, append time) is
 * fixed by `append` and never changes: a ledger entry is a pure function of it (promise P3).
 */
export type TopicName = 'custody.events' | 'custody.alerts' | 'custody.deadletter';

export const TOPIC_NAMES: readonly TopicName[] = ['custody.events', 'custody.alerts', 'custody.deadletter'];

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

/** Consecutive records of one partition in offset order. */
export interface Batch {
  readonly partition: number;
  /** Empty where the log skipped offsets that hold no record (Kafka's transaction markers). */
  readonly records: readonly ConsumedRecord[];
  /** Where the next batch begins: the offset after the last record, or further where offsets hold no record. */
  readonly nextOffset: bigint;
}

/**
 * A handler's way to say "not yet": the batch is handed over again when `until` resolves, and other partitions go on
 * meanwhile. A handler that has done a part of the batch must recognise that part when it comes again.
 */
export class DeferredError extends Error {
  readonly until: Promise<void>;
  constructor(until: Promise<void>) {
    super('the batch is put off');
    this.name = 'DeferredError';
    this.until = until;
  }
}

/** The right to handle a partition. In a fleet it can pass to another worker while a handler runs. */
export interface Lease {
  /** Aborts when the partition is being taken away or consuming ends: give up waiting, start nothing long. */
  readonly signal: AbortSignal;
  /** Resolves when the partition is still this consumer's; rejects with MovedError when it is not. */
  confirm(): Promise<void>;
}

export interface ConsumeOptions {
  /** Consumer group: each group sees every record; its committed offsets survive a restart. */
  readonly group: string;
  /**
   * Handles one batch; the next batch of that partition comes after it resolves, and the offset after the batch is
   * committed then. A rejection ends `consume` with that error; the batch is delivered again next time. (A
   * rejection after the lease's signal aborted only gives the batch up.) An IntegrityError that is of one
   * partition (`isOfPartition`) ends only that one: see `refused`.
   */
  readonly handle: (batch: Batch, lease: Lease) => Promise<void>;
  /**
   * Where to start a partition whenever it is assigned, overriding the committed offset. For stages that keep their
   * position beside their own data (ledger, detect). `undefined` = the committed offset, or the oldest record kept.
   */
  readonly startOffset?: (partition: number) => Promise<bigint | undefined>;
  /**
   * Evidence about the partition contradicts itself: `startOffset` or `handle` said so, or the log does not have the
   * offset to start from. This call leaves the partition alone from then on, the others go on. Without this option
   * `consume` rejects.
   */
  readonly refused?: (partition: number, error: IntegrityError) => void;
  /** The partition has gone to another consumer of the group: drop what is held of it. */
  readonly lost?: (partition: number) => Promise<void>;
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
   * Resolves only when every record is durable (fsync embedded, acks=all on Kafka), with the offsets in input order.
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

/** State beside the log, by the stage that keeps it; `shared` is written by every detect worker and read by all. */
export type StateArea = 'detect' | 'ledger' | 'shared';

export const STATE_AREAS: readonly StateArea[] = ['detect', 'ledger', 'shared'];

export interface PartitionOf {
  readonly area: Exclude<StateArea, 'shared'>;
  readonly topic: TopicName;
  readonly partition: number;
}

/**
 * The exclusive right to write on behalf of one stage and one partition. Claiming a partition ends every earlier claim
 * to it: from then on the writes of that one reject with MovedError and have no effect, however late they come.
 */
export interface Claim {
  /** Sees every write of this and of earlier claims. Writes reject with MovedError once the claim is lost. */
  readonly state: StateStore;
  /** Writes to the area `shared`, under the partition's claim like `state`. */
  share(changes: Parameters<StateStore['write']>[0]): Promise<void>;
  /** Appends as this claim's owner alone: all or nothing, durable when it resolves. */
  append(topic: TopicName, records: readonly TopicRecord[]): Promise<void>;
  /** Whether nobody has claimed the partition since; what its owner holds in memory is then still current. */
  isHeld(): Promise<boolean>;
  release(): Promise<void>;
}

/** The topics with the state that belongs to them: one embedded log, or one namespace of a Kafka cluster. */
export interface Log {
  topic(name: TopicName): Topic;
  claim(of: PartitionOf): Promise<Claim>;
  /** State of an area as readers see it; one store or several, their names disjoint. */
  states(area: StateArea): readonly Pick<StateStore, 'entries' | 'read'>[];
  /** Ends the running `consume` calls after their current handler and lets go of everything. Safe to call again. */
  close(): Promise<void>;
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
