import {
  type Broker,
  type Connection,
  type ConnectionPool,
  isolation,
  newEncoder,
  type ProtocolRequest,
  protocolError,
} from './internals.ts';
import { type AbortedTransaction, decodeRecordBatches, type RecordBatch } from './record-batch.ts';

/** Requests kafkajs does not speak, or answers in a way that hides what is needed. Kafka 2.8 and newer. */
const METADATA = { apiKey: 3, apiVersion: 10, apiName: 'Metadata' };
const FETCH = { apiKey: 1, apiVersion: 11, apiName: 'Fetch' };
const LIST_OFFSETS = { apiKey: 2, apiVersion: 2, apiName: 'ListOffsets' };

/** Connections being made, of fetches and of everything else. */
const connecting = {
  fetch: new WeakMap<ConnectionPool, Promise<Connection>>(),
  other: new WeakMap<ConnectionPool, Promise<Connection>>(),
};

/**
 * kafkajs opens a socket for each request that finds none and knows only the last one: the others stay open for as long
 * as the broker lets them, and the process with them. So requests that come meanwhile wait for the one being made.
 */
function connectionFor(pool: ConnectionPool, request: ProtocolRequest): Promise<Connection> {
  const makings = request.request.apiKey === FETCH.apiKey ? connecting.fetch : connecting.other;
  let making = makings.get(pool);
  if (making === undefined) {
    making = pool.getConnectionByRequest(request).finally(() => makings.delete(pool));
    makings.set(pool, making);
  }
  return making;
}

async function send<Answer>(broker: Broker, request: ProtocolRequest): Promise<Answer> {
  const connection = await connectionFor(broker.connectionPool, request);
  return (await connection.send(request)) as Answer;
}

const throwOn = (code: number): void => {
  if (code !== 0) throw protocolError(code);
};

export interface FetchRequest {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: bigint }[];
  /** Of each partition; a batch that is larger comes alone. */
  readonly maxBytes: number;
  readonly minBytes: number;
  /** How long the broker may wait for `minBytes`. */
  readonly waitMs: number;
}

export interface FetchAnswer {
  readonly partition: number;
  /** What the broker has against this partition alone; the rest is empty then. */
  readonly error: Error | undefined;
  /** Records before it are decided: committed or aborted. */
  readonly lastStable: bigint;
  readonly aborted: readonly AbortedTransaction[];
  readonly batches: readonly RecordBatch[];
}

const FETCH_MAX_BYTES = 32 * 1024 * 1024;

/** Fetch v11, read committed. Source: Kafka's protocol guide. */
export function fetchPartitions(broker: Broker, request: FetchRequest): Promise<FetchAnswer[]> {
  const { topic, partitions, maxBytes, minBytes, waitMs } = request;
  const encode = () => {
    const body = newEncoder()
      .writeInt32(-1)
      .writeInt32(waitMs)
      .writeInt32(minBytes)
      .writeInt32(FETCH_MAX_BYTES)
      .writeInt8(isolation.readCommitted)
      .writeInt32(0)
      .writeInt32(-1)
      .writeInt32(1)
      .writeString(topic)
      .writeInt32(partitions.length);
    for (const { partition, offset } of partitions) {
      body
        .writeInt32(partition)
        .writeInt32(-1)
        .writeInt64(String(offset))
        .writeInt64('-1')
        .writeInt32(maxBytes);
    }
    return Promise.resolve(body.writeInt32(0).writeString(''));
  };
  return send<FetchAnswer[]>(broker, {
    request: { ...FETCH, encode },
    response: {
      decode: (raw) => Promise.resolve(decodeFetch(raw)),
      parse: (answers) => Promise.resolve(answers),
    },
  });
}

/** The same of one partition. */
export async function fetchPartition(
  broker: Broker,
  { partition, offset, ...rest }: Omit<FetchRequest, 'partitions'> & { partition: number; offset: bigint },
): Promise<FetchAnswer> {
  const [answer] = await fetchPartitions(broker, { ...rest, partitions: [{ partition, offset }] });
  if (answer === undefined) throw new Error('the broker left the partition out');
  if (answer.error !== undefined) throw answer.error;
  return answer;
}

/** throttle 4 · error 2 · session 4 · [topic · [partition 4 · error 2 · high 8 · stable 8 · start 8 · aborted · replica 4 · set]] */
function decodeFetch(raw: Buffer): FetchAnswer[] {
  const read = reader(raw);
  read.skip(4);
  throwOn(read.int16());
  read.skip(4);
  const answers: FetchAnswer[] = [];
  for (let topics = read.int32(); topics > 0; topics -= 1) {
    read.string();
    for (let left = read.int32(); left > 0; left -= 1) answers.push(decodePartition(read));
  }
  return answers;
}

function decodePartition(read: ReturnType<typeof reader>): FetchAnswer {
  const partition = read.int32();
  const code = read.int16();
  read.skip(8);
  const lastStable = read.int64();
  read.skip(8);
  const aborted: AbortedTransaction[] = [];
  for (let left = read.int32(); left > 0; left -= 1) {
    aborted.push({ producerId: read.int64(), firstOffset: read.int64() });
  }
  read.skip(4);
  const set = read.bytes(read.int32());
  return {
    partition,
    error: code === 0 ? undefined : protocolError(code),
    lastStable,
    aborted,
    batches: decodeRecordBatches(set),
  };
}

export type OffsetOf = 'start' | 'end' | 'stable';

/** ListOffsets v2 of one partition: its oldest kept offset, its end, or the end of what is decided. */
export function listOffset(broker: Broker, topic: string, partition: number, of: OffsetOf): Promise<bigint> {
  return send<bigint>(broker, {
    request: {
      ...LIST_OFFSETS,
      encode: () =>
        Promise.resolve(
          newEncoder()
            .writeInt32(-1)
            .writeInt8(of === 'stable' ? isolation.readCommitted : isolation.readUncommitted)
            .writeInt32(1)
            .writeString(topic)
            .writeInt32(1)
            .writeInt32(partition)
            .writeInt64(of === 'start' ? '-2' : '-1'),
        ),
    },
    response: {
      decode: (raw) => {
        const read = reader(raw);
        read.skip(4);
        read.int32();
        read.string();
        read.int32();
        read.skip(4);
        const code = read.int16();
        read.skip(8);
        const offset = read.int64();
        throwOn(code);
        return Promise.resolve(offset);
      },
      parse: (offset) => Promise.resolve(offset),
    },
  });
}

/** The id Kafka gave this incarnation of the topic (Metadata v10), as a UUID in lower case. */
export function topicUuid(broker: Broker, topic: string): Promise<string> {
  const name = Buffer.from(topic);
  const body = Buffer.concat([
    Buffer.from([0]), // no tagged fields in the header
    Buffer.from([2]), // one topic
    Buffer.alloc(16), // by name, not by id
    Buffer.from([name.length + 1]),
    name,
    Buffer.from([0]), // no tagged fields of the topic
    Buffer.from([0, 0, 0, 0]), // neither make it nor ask for rights; no tagged fields
  ]);
  return send<string>(broker, {
    request: { ...METADATA, encode: () => Promise.resolve(newEncoder().writeBuffer(body)) },
    response: {
      decode: (raw) => Promise.resolve(decodeUuid(raw)),
      parse: (uuid) => Promise.resolve(uuid),
    },
  });
}

/** tags · throttle 4 · [broker: id 4 · host · port 4 · rack · tags] · cluster · controller 4 · [error 2 · name · uuid 16 · ...] */
function decodeUuid(raw: Buffer): string {
  const read = reader(raw);
  read.skip(1);
  read.skip(4);
  for (let left = read.uvarint() - 1; left > 0; left -= 1) {
    read.skip(4);
    read.skip(read.uvarint() - 1);
    read.skip(4);
    read.skip(Math.max(0, read.uvarint() - 1));
    read.skip(1);
  }
  read.skip(Math.max(0, read.uvarint() - 1));
  read.skip(4);
  read.uvarint();
  throwOn(read.int16());
  read.skip(read.uvarint() - 1);
  return read
    .bytes(16)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function reader(raw: Buffer) {
  let at = 0;
  const take = (length: number): number => {
    at += length;
    return at - length;
  };
  return {
    skip: (length: number) => void take(length),
    int16: () => raw.readInt16BE(take(2)),
    int32: () => raw.readInt32BE(take(4)),
    int64: () => raw.readBigInt64BE(take(8)),
    string: () => {
      const length = raw.readInt16BE(take(2));
      return raw.toString('utf8', take(length), at);
    },
    bytes: (length: number) => raw.subarray(take(Math.max(0, length)), at),
    uvarint: () => {
      let value = 0;
      for (let scale = 1; ; scale *= 128) {
        const byte = raw.readUInt8(take(1));
        value += (byte & 0x7f) * scale;
        if (byte < 0x80) return value;
      }
    },
  };
}
