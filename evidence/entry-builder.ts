import { ALERT_SCHEMA } from '../schemas/alert.ts';
import { EVENT_SCHEMA, TENANT_PATTERN } from '../schemas/event.ts';
import { MALFORMED_SCHEMA } from '../schemas/malformed.ts';
import {
  bodyHash,
  ENTRY_VERSION,
  entryPreimage,
  leafHash,
  ZERO_LINK,
  type EntryKind,
  type EntryPlace,
} from './entry.ts';
import { formatLogId, UNATTRIBUTED_TENANT, type LogName } from './log-id.ts';

/** A record of the log, with its place. */
export interface LogRecord {
  /** The tenant id; one outside the tenant alphabet makes the record `malformed` of tenant `unattributed`. */
  readonly key: string;
  readonly value: Uint8Array;
  readonly offset: bigint;
  readonly appendTimeMs: number;
}

/** The topic partition whose records become entries. */
export interface LogSource {
  readonly deployment: string;
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

/** Last entry of a log. */
export interface LogHead {
  readonly seq: bigint;
  /** Lower-case hex. */
  readonly leaf: string;
}

/** An entry with its hashes, ready to be stored; hashes are lower-case hex. */
export interface SealedEntry extends EntryPlace {
  readonly tenant: string;
  /** Days since the epoch: the latest UTC day of an append time in this topic partition up to this record. */
  readonly day: number;
  readonly prev: string;
  readonly bodySha: string;
  readonly leaf: string;
  readonly body: Uint8Array;
}

const DAY_MS = 86_400_000;

/** Days since the epoch of an append time, in UTC. */
export function utcDay(appendTimeMs: number): number {
  return Math.floor(appendTimeMs / DAY_MS);
}

/** Body of entry 0: canonical JSON that binds the log to its place and to the formats in force. */
export function genesisBody(name: LogName, topic: string): Uint8Array {
  const body = {
    deployment: name.deployment,
    entry: ENTRY_VERSION,
    epoch: name.epoch,
    kind: 'genesis',
    partition: name.partition,
    schema: 'custody.control/v1',
    schemas: [ALERT_SCHEMA, EVENT_SCHEMA, MALFORMED_SCHEMA],
    tenant: name.tenant,
    topic,
    topic_id: name.topicId,
  };
  return Buffer.from(JSON.stringify(body), 'utf8');
}

const SCHEMA_OF_TOPIC: ReadonlyMap<string, string> = new Map([
  ['custody.events', EVENT_SCHEMA],
  ['custody.alerts', ALERT_SCHEMA],
]);
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The kind of a record: `event` when the body is a JSON object in valid UTF-8 that names the schema of its topic
 * and the tenant of its key, else `malformed`. The rule is part of entry v1 and looks no deeper, so that a later,
 * stricter schema cannot change the bytes of a rebuilt entry. Reads attacker-controlled bytes.
 */
export function classifyBody(topic: string, tenant: string, body: Uint8Array): EntryKind {
  const schema = SCHEMA_OF_TOPIC.get(topic);
  if (schema === undefined) return 'malformed';
  try {
    const parsed = JSON.parse(strictUtf8.decode(body)) as unknown;
    if (typeof parsed !== 'object' || parsed === null) return 'malformed';
    const head = parsed as { schema?: unknown; tenant?: unknown };
    return head.schema === schema && head.tenant === tenant ? 'event' : 'malformed';
  } catch {
    return 'malformed';
  }
}

export interface EntryBuilder {
  /** Entries of the next record in offset order: one, or two when it is the first record of its tenant here. */
  add(record: LogRecord): SealedEntry[];
  /** Heads after the records added so far, by log id. */
  readonly heads: ReadonlyMap<string, LogHead>;
  /** Day of the last entry; -1 before the first. */
  readonly day: number;
}

/**
 * Turns the records of one topic partition into entries. Pure: the same records after the same start give the same
 * bytes, whoever runs it and whenever (promise P3).
 */
export function createEntryBuilder(
  source: LogSource,
  start: { readonly day: number; readonly heads: Iterable<readonly [string, LogHead]> },
): EntryBuilder {
  const heads = new Map(start.heads);
  const logIds = new Map<string, string>();
  let day = start.day;

  const logIdOf = (tenant: string): string => {
    let logId = logIds.get(tenant);
    if (logId === undefined) logIds.set(tenant, (logId = formatLogId({ ...source, tenant, epoch: 0 })));
    return logId;
  };
  const seal = (record: LogRecord, tenant: string, kind: EntryKind, body: Uint8Array): SealedEntry => {
    const logId = logIdOf(tenant);
    const head = heads.get(logId);
    const place: EntryPlace = {
      logId,
      seq: head === undefined ? 0n : head.seq + 1n,
      topic: source.topic,
      partition: source.partition,
      offset: record.offset,
      appendTimeMs: record.appendTimeMs,
      kind,
    };
    const prev = head?.leaf ?? ZERO_LINK;
    const bodySha = bodyHash(body);
    const leaf = leafHash(entryPreimage(place, prev, bodySha));
    heads.set(logId, { seq: place.seq, leaf });
    return { ...place, tenant, day, prev, bodySha, leaf, body };
  };

  return {
    heads,
    get day() {
      return day;
    },
    add(record) {
      day = Math.max(day, utcDay(record.appendTimeMs));
      const known = TENANT_PATTERN.test(record.key);
      const tenant = known ? record.key : UNATTRIBUTED_TENANT;
      const kind = known ? classifyBody(source.topic, tenant, record.value) : 'malformed';
      const entries: SealedEntry[] = [];
      if (!heads.has(logIdOf(tenant))) {
        const name: LogName = { ...source, tenant, epoch: 0 };
        entries.push(seal(record, tenant, 'control', genesisBody(name, source.topic)));
      }
      entries.push(seal(record, tenant, kind, record.value));
      return entries;
    },
  };
}
