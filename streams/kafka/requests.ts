import { type Broker, isolation, newEncoder, type ProtocolRequest, protocolError } from './internals.ts';
import { type AbortedTransaction, decodeRecordBatches, type RecordBatch } from './record-batch.ts';

/** Requests kafkajs does not speak, or answers in a way that hides what is needed. Kafka 2.8 and newer. */
const METADATA = { apiKey: 3, apiVersion: 10, apiName: 'Metadata' };
const FETCH = { apiKey: 1, apiVersion: 11, apiName: 'Fetch' };
const LIST_OFFSETS = { apiKey: 2, apiVersion: 2, apiName: 'ListOffsets' };

const send = <Answer>(broker: Broker, request: ProtocolRequest): Promise<Answer> =>
  broker.connectionPool.send(request) as Promise<Answer>;

const throwOn = (code: number): void => {
  if (code !== 0) throw protocolError(code);
};

export interface PartitionRange {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly maxBytes: number;
  /** How long the broker may wait for the first byte. */
  readonly waitMs: number;
}

export interface FetchAnswer {
  readonly logStart: bigint;
  readonly highWatermark: bigint;
  /** Records before it are decided: committed or aborted. */
  readonly lastStable: bigint;
  readonly aborted: readonly AbortedTransaction[];
  readonly batches: readonly RecordBatch[];
}

/** Fetch v11 of one partition, read committed. Source: Kafka's protocol guide. */
export function fetchPartition(broker: Broker, range: PartitionRange): Promise<FetchAnswer> {
  return send<FetchAnswer>(broker, {
    request: {
      ...FETCH,
      encode: () =>
        Promise.resolve(
          newEncoder()
            .writeInt32(-1)
            .writeInt32(range.waitMs)
            .writeInt32(1)
            .writeInt32(range.maxBytes)
            .writeInt8(isolation.readCommitted)
            .writeInt32(0)
            .writeInt32(-1)
            .writeInt32(1)
            .writeString(range.topic)
            .writeInt32(1)
            .writeInt32(range.partition)
            .writeInt32(-1)
            .writeInt64(String(range.offset))
            .writeInt64('-1')
            .writeInt32(range.maxBytes)
            .writeInt32(0)
            .writeString(''),
        ),
    },
    response: {
      decode: (raw) => Promise.resolve(decodeFetch(raw)),
      parse: (answer) => Promise.resolve(answer),
    },
  });
}

/** throttle 4 · error 2 · session 4 · [topic · [partition 4 · error 2 · high 8 · stable 8 · start 8 · aborted · replica 4 · set]] */
function decodeFetch(raw: Buffer): FetchAnswer {
  const read = reader(raw);
  read.skip(4);
  throwOn(read.int16());
  read.skip(4);
  read.int32();
  read.string();
  read.int32();
  read.skip(4);
  const code = read.int16();
  const highWatermark = read.int64();
  const lastStable = read.int64();
  const logStart = read.int64();
  throwOn(code);
  const aborted: AbortedTransaction[] = [];
  for (let left = read.int32(); left > 0; left -= 1) {
    aborted.push({ producerId: read.int64(), firstOffset: read.int64() });
  }
  read.skip(4);
  return {
    logStart,
    highWatermark,
    lastStable,
    aborted,
    batches: decodeRecordBatches(read.bytes(read.int32())),
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
