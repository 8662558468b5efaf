import type { LogHead, LogSource } from '../../evidence/entry-builder.ts';
import { parseLogId } from '../../evidence/log-id.ts';
import { IntegrityError } from '../../runtime/errors.ts';
import type { StateStore } from '../../streams/topic.ts';

/**
 * What the writer remembers beside the log, out of the store's reach: how far each topic partition is written and the
 * head of every log. It is what a cut tail or a restored older store is held against.
 */
export interface LedgerHeads {
  readonly positions: readonly LedgerPosition[];
  readonly logs: ReadonlyMap<string, LogHead>;
}

/** State of the area `ledger`, as readers see it. */
export type LedgerState = Pick<StateStore, 'entries' | 'read'>;

export interface LedgerPosition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly deployment: string;
  /** Offset of the first record not yet in the ledger. */
  readonly nextOffset: bigint;
  /** Day of the last entry, days since the epoch. */
  readonly day: number;
}

const positionName = (source: LogSource) => `ledger/${source.topic}/${source.partition}`;
const headPrefix = (source: LogSource) => `${positionName(source)}/`;

interface PositionJson {
  v: 1;
  deployment: string;
  topic: string;
  topic_id: string;
  partition: number;
  next_offset: string;
  day: number;
}
interface HeadJson {
  seq: string;
  leaf: string;
}

const encode = (value: PositionJson | HeadJson) => Buffer.from(JSON.stringify(value), 'utf8');
const decode = (value: Uint8Array) => JSON.parse(Buffer.from(value).toString('utf8')) as unknown;

/** The changes that record a batch as written; applied in one atomic write. */
export function headChanges(
  source: LogSource,
  nextOffset: bigint,
  day: number,
  heads: Iterable<readonly [string, LogHead]>,
): { name: string; value: Uint8Array }[] {
  const position: PositionJson = {
    v: 1,
    deployment: source.deployment,
    topic: source.topic,
    topic_id: source.topicId,
    partition: source.partition,
    next_offset: String(nextOffset),
    day,
  };
  const changes = [{ name: positionName(source), value: encode(position) as Uint8Array }];
  for (const [logId, { seq, leaf }] of heads) {
    changes.push({ name: headPrefix(source) + logId, value: encode({ seq: String(seq), leaf }) });
  }
  return changes;
}

/** Heads of one topic partition; no position when nothing of this incarnation was written. */
export async function readSourceHeads(
  state: LedgerState,
  source: LogSource,
): Promise<{ readonly position: LedgerPosition | undefined; readonly heads: Map<string, LogHead> }> {
  const heads = new Map<string, LogHead>();
  const bytes = await state.read(positionName(source));
  const position = bytes === undefined ? undefined : parsePosition(decode(bytes));
  for await (const { name, value } of state.entries(headPrefix(source))) {
    const logId = name.slice(headPrefix(source).length);
    const log = parseLogId(logId);
    if (log?.topicId !== source.topicId || log.deployment !== source.deployment) continue;
    heads.set(logId, parseHead(logId, decode(value)));
  }
  const current = position?.topicId === source.topicId && position.deployment === source.deployment;
  return { position: current ? position : undefined, heads };
}

/** All heads, for verification; `undefined` when none was ever written here. */
export async function readLedgerHeads(states: readonly LedgerState[]): Promise<LedgerHeads | undefined> {
  const positions: LedgerPosition[] = [];
  const logs = new Map<string, LogHead>();
  for (const state of states) {
    for await (const { name, value } of state.entries('ledger/')) {
      const [, , , ...logId] = name.split('/');
      if (logId.length === 0) positions.push(parsePosition(decode(value)));
      else logs.set(logId.join('/'), parseHead(name, decode(value)));
    }
  }
  return positions.length === 0 ? undefined : { positions, logs };
}

/** JSON of all heads, to hand them to a verifier in another process; `parseLedgerHeads` reads it back. */
export function ledgerHeadsJson(heads: LedgerHeads): unknown {
  return {
    positions: heads.positions.map((position) => ({
      v: 1,
      deployment: position.deployment,
      topic: position.topic,
      topic_id: position.topicId,
      partition: position.partition,
      next_offset: String(position.nextOffset),
      day: position.day,
    })),
    logs: Object.fromEntries(
      [...heads.logs].map(([log, { seq, leaf }]) => [log, { seq: String(seq), leaf }]),
    ),
  };
}

/** @throws IntegrityError if a part is not what `ledgerHeadsJson` writes. */
export function parseLedgerHeads(json: unknown): LedgerHeads {
  const { positions, logs } = (json ?? {}) as { positions?: unknown; logs?: unknown };
  if (!Array.isArray(positions) || typeof logs !== 'object' || logs === null) {
    throw new IntegrityError('cannot use ledger heads: positions or logs are missing');
  }
  return {
    positions: positions.map(parsePosition),
    logs: new Map(Object.entries(logs).map(([log, head]) => [log, parseHead(log, head)])),
  };
}

function parsePosition(value: unknown): LedgerPosition {
  const json = value as Partial<PositionJson> | null;
  if (
    json?.v !== 1 ||
    typeof json.deployment !== 'string' ||
    typeof json.topic !== 'string' ||
    typeof json.topic_id !== 'string' ||
    typeof json.partition !== 'number' ||
    typeof json.day !== 'number' ||
    !isDecimal(json.next_offset)
  ) {
    throw new IntegrityError('cannot use ledger heads: a position is not in the known form');
  }
  return {
    topic: json.topic,
    topicId: json.topic_id,
    partition: json.partition,
    deployment: json.deployment,
    nextOffset: BigInt(json.next_offset),
    day: json.day,
  };
}

function parseHead(name: string, value: unknown): LogHead {
  const { seq, leaf } = (value ?? {}) as Partial<HeadJson>;
  if (!isDecimal(seq) || typeof leaf !== 'string' || !/^[0-9a-f]{64}$/.test(leaf)) {
    throw new IntegrityError(`cannot use ledger heads: the head of ${name} is not in the known form`);
  }
  return { seq: BigInt(seq), leaf };
}

const isDecimal = (value: unknown): value is string => typeof value === 'string' && /^\d{1,20}$/.test(value);
