import { type CustodyError, IntegrityError, TransientError } from '../../runtime/errors.ts';
import type { Change, Environment } from './environment.ts';
import { commitError } from './storage-error.ts';

/** A change waiting for the next transaction. The callbacks run in submission order. */
export interface WriteJob {
  /** Memory held until the job is settled; 0 for a job that needs no room and is taken beyond every bound. */
  readonly bytes: number;
  /** Adds its changes to the transaction; called once. */
  stage(changes: Change[]): void;
  /** After the transaction is on disk. */
  committed?(): void;
  /** After the transaction failed as a whole; in-memory positions go back. */
  reverted?(): void;
}

export interface Writer {
  /** Resolves when the job is on disk; rejects with a CustodyError, and then nothing of it is. */
  submit(job: WriteJob): Promise<void>;
  /** Runs with every transaction, before its jobs: changes that are in no hurry ride along. */
  onTransaction(rider: Omit<WriteJob, 'bytes'> & { waiting(): boolean }): void;
  /** Makes sure that the riders get a transaction soon, without one of their own for each. */
  nudge(): void;
  /** Resolves when everything submitted or riding before is settled. */
  flush(): Promise<void>;
  /** Refuses new jobs and settles the accepted ones. */
  close(): Promise<void>;
}

export interface WriterLimits {
  /** Memory of jobs that are not yet on disk. */
  readonly unwrittenMaxBytes: number;
  /** Size of the stored data. */
  readonly storedMaxBytes: number;
}

/** A transaction takes no further job beyond this size, so that the first of them does not wait long. */
const TRANSACTION_BYTES = 8 * 1024 * 1024;
const NUDGE_MS = 25;

interface Waiting {
  readonly job: WriteJob;
  resolve(): void;
  reject(error: CustodyError): void;
}

/**
 * The only writer of the environment: one transaction at a time, each taking every job that waits. While one is
 * being written the next one fills, so concurrent appends share a flush and nobody waits for a timer.
 */
export function createWriter(environment: Environment, limits: WriterLimits): Writer {
  const riders: Parameters<Writer['onTransaction']>[0][] = [];
  let queue: Waiting[] = [];
  let unwrittenBytes = 0;
  let running: Promise<void> | undefined;
  let nudgeTimer: NodeJS.Timeout | undefined;
  let broken: CustodyError | undefined;
  let closed = false;

  function takeJobs(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { job } of queue) {
      if (count > 0 && bytes + job.bytes > TRANSACTION_BYTES) break;
      bytes += job.bytes;
      count += 1;
    }
    const taken = queue.slice(0, count);
    queue = queue.slice(count);
    return taken;
  }

  function settle(waiting: Waiting, error?: CustodyError): void {
    unwrittenBytes -= waiting.job.bytes;
    if (error === undefined) waiting.resolve();
    else waiting.reject(error);
  }

  /** Refuses the jobs for which there is no room and returns the others. */
  function admitted(taken: readonly Waiting[]): readonly Waiting[] {
    let room = limits.storedMaxBytes - environment.usedBytes();
    return taken.filter((waiting) => {
      const { job } = waiting;
      const neededBytes = 2 * job.bytes;
      if (job.bytes === 0 || neededBytes <= room) {
        room -= neededBytes;
        return true;
      }
      settle(
        waiting,
        new TransientError('disk_full', 'cannot write the log: its configured size is reached'),
      );
      return false;
    });
  }

  async function commit(taken: readonly Waiting[]): Promise<void> {
    const jobs = admitted(taken);
    const riding = riders.filter((rider) => rider.waiting());
    const parts = [...riding, ...jobs.map(({ job }) => job)];
    if (parts.length === 0) return;
    try {
      if (broken !== undefined) throw broken;
      const changes: Change[] = [];
      for (const part of parts) part.stage(changes);
      await environment.transact(changes);
    } catch (cause) {
      const bytes = jobs.reduce((sum, { job }) => sum + job.bytes, 0);
      const error = broken ?? (await commitError(environment.directory, bytes, cause));
      if (broken === undefined && (error instanceof IntegrityError || !environment.writable())) {
        broken = error instanceof IntegrityError ? error : closedForGood(error);
      }
      for (const part of parts.toReversed()) part.reverted?.();
      for (const waiting of jobs) settle(waiting, error);
      return;
    }
    // Without this a reader could still look at the snapshot before this commit and miss its records.
    environment.refresh();
    for (const part of parts) part.committed?.();
    for (const waiting of jobs) settle(waiting);
  }

  async function run(): Promise<void> {
    // Callers of the same turn share the first transaction.
    await Promise.resolve();
    do await commit(takeJobs());
    while (queue.length > 0);
  }

  function start(): Promise<void> {
    clearTimeout(nudgeTimer);
    nudgeTimer = undefined;
    running ??= run().finally(() => {
      running = undefined;
      if (queue.length > 0) void start();
    });
    return running;
  }

  function enqueue(job: WriteJob): Promise<void> {
    return new Promise((resolve, reject) => {
      unwrittenBytes += job.bytes;
      queue.push({ job, resolve, reject });
      void start();
    });
  }

  const flush = () => enqueue({ bytes: 0, stage: () => undefined });

  return {
    submit(job) {
      if (closed) {
        return Promise.reject(new TransientError('unavailable', 'cannot write the log: it is closed'));
      }
      // A job larger than the whole bound is taken when nothing else waits: it could never be written otherwise.
      if (job.bytes > 0 && unwrittenBytes > 0 && unwrittenBytes + job.bytes > limits.unwrittenMaxBytes) {
        return Promise.reject(
          new TransientError('overloaded', 'cannot write the log: too many bytes are waiting for the disk'),
        );
      }
      return enqueue(job);
    },
    onTransaction: (rider) => void riders.push(rider),
    nudge() {
      if (running !== undefined || nudgeTimer !== undefined) return;
      nudgeTimer = setTimeout(() => void start(), NUDGE_MS);
    },
    flush,
    async close() {
      closed = true;
      clearTimeout(nudgeTimer);
      await flush().catch(() => undefined);
      await running;
    },
  };
}

function closedForGood(cause: CustodyError): CustodyError {
  return new TransientError('unavailable', 'cannot write the log: the log file failed and must be reopened', {
    cause,
  });
}
