import { randomUUID } from 'node:crypto';
import type { Clock } from '../../runtime/clock.ts';
import { ConfigError, IntegrityError, PermanentError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { LogConfig } from '../../schemas/config.ts';
import { type Log, type StateStore, type Topic, TOPIC_NAMES, type TopicName } from '../topic.ts';
import { embeddedClaims } from './claims.ts';
import { openCommittedOffsets } from './committed-offsets.ts';
import { lockDirectory } from '../../runtime/directory-lock.ts';
import { embeddedTopic } from './embedded-topic.ts';
import { type Change, type Environment, makeDirectory, openEnvironment, type Table } from './environment.ts';
import { openPartition, type PartitionLog } from './partition-log.ts';
import { type RetainOptions, type RetainResult, retainRecords } from './retention.ts';
import { embeddedStateStore } from './state-store.ts';
import { hasStorageCode, storageError } from './storage-error.ts';
import { createWriter } from './writer.ts';

export interface EmbeddedLog extends Log {
  readonly state: StateStore;
  /** Removes records older than the retention time that the protected groups have taken. */
  retain(options?: RetainOptions): Promise<RetainResult>;
  /**
   * Ends the running `consume` calls after their current handler (which may still append), writes what was
   * accepted, and releases the directory. Must not be awaited inside a handler. Safe to call more than once.
   */
  close(): Promise<void>;
}

export interface EmbeddedLogOptions {
  /** Made if missing. Belongs to one process at a time. */
  readonly directory: string;
  readonly config: LogConfig;
  readonly clock: Clock;
  readonly metrics?: Metrics;
  readonly logger?: Logger;
}

const FORMAT = 'custody-log/1';
const HOUR_MS = 3_600_000;

interface Identity {
  readonly topicId: string;
  readonly partitions: number;
}

/**
 * Opens the log, making it when the directory has none. Throws PermanentError `locked` when another process uses
 * the directory, ConfigError when the partition count differs from the log's, IntegrityError when it is damaged,
 * TransientError `disk_full`.
 */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
  const { directory, config } = options;
  await makeDirectory(directory);
  const lock = await lockDirectory(directory);
  try {
    const environment = await openEnvironment(directory, { mapBytes: config.map_max_bytes, readOnly: false });
    try {
      return await assemble(options, environment, () => lock.release());
    } catch (error) {
      await environment.close();
      throw hasStorageCode(error) ? storageError(`open the log in ${directory}`, error) : error;
    }
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/**
 * The log as it is at this moment, for a process beside the one that writes it: topics and state can be read, every
 * write is refused. Throws PermanentError when the directory has no log.
 */
export async function readEmbeddedLog(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
  const environment = await openEnvironment(options.directory, {
    mapBytes: options.config.map_max_bytes,
    readOnly: true,
  });
  try {
    return await assemble(options, environment, () => Promise.resolve());
  } catch (error) {
    await environment.close();
    throw error;
  }
}

async function assemble(
  options: EmbeddedLogOptions,
  environment: Environment,
  releaseLock: () => Promise<void>,
): Promise<EmbeddedLog> {
  const { config, clock, metrics, logger } = options;
  const meta = environment.table('meta');
  const stateTable = environment.table('state');
  const identities = await readIdentities(environment, meta, config.partitions);
  const writer = createWriter(environment, {
    unwrittenMaxBytes: config.unwritten_max_bytes,
    storedMaxBytes: config.map_max_bytes,
  });
  const offsets = openCommittedOffsets(meta, writer);
  const state = embeddedStateStore(stateTable, writer);
  const closing = new AbortController();
  const running = new Set<Promise<void>>();
  const logs: PartitionLog[] = [];
  const topics = new Map<TopicName, Topic>();
  for (const [name, { topicId, partitions }] of identities) {
    const own = Array.from({ length: partitions }, (_, partition) =>
      openPartition(environment, meta, name, partition),
    );
    logs.push(...own);
    const parts = { name, topicId, logs: own, writer, offsets, clock, metrics, logger };
    topics.set(name, embeddedTopic({ ...parts, closing: closing.signal, running }));
  }

  async function close(): Promise<void> {
    closing.abort();
    await Promise.allSettled(running);
    await writer.close();
    state.close();
    await environment.close();
    await releaseLock();
  }
  let closed: Promise<void> | undefined;

  function topic(name: TopicName): Topic {
    const found = topics.get(name);
    if (found === undefined) throw new PermanentError('rejected', `cannot open topic ${name}: unknown name`);
    return found;
  }

  return {
    topic,
    state,
    claim: embeddedClaims(state, topic),
    states: () => [state],
    retain(retainOptions = {}) {
      const beforeMs = retainOptions.beforeMs ?? clock.nowMs() - config.retention_hours * HOUR_MS;
      return retainRecords(logs, offsets, writer, beforeMs, retainOptions);
    },
    close: () => (closed ??= close()),
  };
}

/** Bytes this package wrote; anything else in their place is damage. */
function parseIdentity(name: TopicName, stored: Buffer): Identity {
  const [, topicId, partitions] =
    /^\{"topicId":"([a-z0-9-]+)","partitions":(\d+)\}$/.exec(stored.toString()) ?? [];
  if (topicId === undefined) throw new IntegrityError(`cannot open topic ${name}: its identity is damaged`);
  return { topicId, partitions: Number(partitions) };
}

/** Reads the identity of every topic, making those that are missing. */
async function readIdentities(
  environment: Environment,
  meta: Table,
  partitions: number,
): Promise<Map<TopicName, Identity>> {
  const formatKey = Buffer.from('format');
  const format = meta.get(formatKey)?.toString();
  if (format !== undefined && format !== FORMAT) {
    throw new IntegrityError(`cannot open the log: its format is ${JSON.stringify(format)}, not ${FORMAT}`);
  }
  const identities = new Map<TopicName, Identity>();
  const changes: Change[] = [];
  if (format === undefined) changes.push({ table: meta, key: formatKey, value: Buffer.from(FORMAT) });
  for (const name of TOPIC_NAMES) {
    const key = Buffer.from(`topic/${name}`);
    const stored = meta.get(key);
    const identity =
      stored === undefined ? { topicId: randomUUID(), partitions } : parseIdentity(name, stored);
    if (identity.partitions !== partitions) {
      throw new ConfigError(
        `cannot open topic ${name}: it was made with ${identity.partitions} partitions, the configuration says ${partitions}`,
        { path: 'log.partitions' },
      );
    }
    identities.set(name, identity);
    if (stored === undefined) {
      changes.push({ table: meta, key, value: Buffer.from(JSON.stringify(identity)) });
    }
  }
  if (changes.length > 0) await environment.transact(changes);
  environment.refresh();
  return identities;
}
