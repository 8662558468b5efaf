import { createRequire } from 'node:module';
import type { Kafka } from 'kafkajs';

/**
 * What is used of kafkajs beyond its public interface. Its public consumer can neither read a range without joining a
 * group nor see the identity of a topic, and it stalls on the empty batches that compaction leaves. kafkajs is pinned,
 * and unmaintained since 2024: these names do not change.
 */
export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isConnected(): boolean;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  findTopicPartitionMetadata(
    topic: string,
  ): readonly { readonly partitionId: number; readonly leader: number }[];
  findBroker(node: { readonly nodeId: number | string }): Promise<Broker>;
  findControllerBroker(): Promise<Broker>;
  removeBroker(address: { readonly host: string; readonly port: number }): void;
}

export interface Broker {
  isConnected(): boolean;
  readonly lookupRequest: (apiKey: number, definition: unknown) => (options: object) => ProtocolRequest;
  readonly connectionPool: { send(request: ProtocolRequest): Promise<unknown> };
}

export interface ProtocolRequest {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<Encoder>;
  };
  readonly response: {
    decode(raw: Buffer): Promise<unknown>;
    parse(decoded: unknown): Promise<unknown>;
  };
}

/** Writes big-endian values one after the other; every call gives the encoder back. */
export interface Encoder {
  writeInt8(value: number): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(value: string | bigint): Encoder;
  writeString(value: string): Encoder;
  writeBuffer(value: Buffer): Encoder;
}

const load = createRequire(import.meta.url);
export const newEncoder = (): Encoder => new (load('kafkajs/src/protocol/encoder') as new () => Encoder)();
/** The error a broker's code stands for: KafkaJSProtocolError with `type`, `code` and `retriable`. */
export const protocolError = (code: number): Error =>
  (load('kafkajs/src/protocol/error') as { createErrorFromCode(code: number): Error }).createErrorFromCode(
    code,
  );

export const isolation = { readUncommitted: 0, readCommitted: 1 } as const;

/** A connection pool of its own, with the addresses, TLS and SASL of the client. */
export function createCluster(kafka: Kafka): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  if (symbol === undefined) throw new Error('kafkajs has no createCluster: is it another version?');
  const create = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol];
  if (create === undefined) throw new Error('kafkajs has no createCluster: is it another version?');
  return create({ metadataMaxAge: 60_000, allowAutoTopicCreation: false, maxInFlightRequests: null });
}
