import { createRequire } from 'node:module';
import type { Kafka } from 'kafkajs';

/**
 * What is used of kafkajs beyond its public interface. Its public consumer can neither read a range without joining a
 * group nor see the identity of a topic, stalls on the empty batches that compaction leaves, and hands over records of
 * rolled-back transactions where two overlap. kafkajs is pinned, and unmaintained since 2024: these names do not change.
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
  readonly brokerPool: { findConnectedBroker(): Promise<Broker> };
}

/** A request is sent once; an error code of the answer rejects. */
export interface Broker {
  isConnected(): boolean;
  findGroupCoordinator(of: {
    readonly groupId: string;
    readonly coordinatorType: 0;
  }): Promise<{ readonly coordinator: { readonly nodeId: number } }>;
  joinGroup(options: {
    readonly groupId: string;
    readonly sessionTimeout: number;
    readonly rebalanceTimeout: number;
    readonly memberId: string;
    readonly groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[];
  }): Promise<{
    readonly generationId: number;
    readonly leaderId: string;
    readonly memberId: string;
    readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
  }>;
  syncGroup(options: {
    readonly groupId: string;
    readonly generationId: number;
    readonly memberId: string;
    readonly groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[];
  }): Promise<{ readonly memberAssignment: Buffer }>;
  heartbeat(of: GroupPlace): Promise<unknown>;
  leaveGroup(of: { readonly groupId: string; readonly memberId: string }): Promise<unknown>;
  offsetCommit(
    options: GroupPlace & {
      readonly topics: readonly {
        readonly topic: string;
        readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
      }[];
    },
  ): Promise<unknown>;
  readonly connectionPool: ConnectionPool;
}

export interface GroupPlace {
  readonly groupId: string;
  readonly groupGenerationId: number;
  readonly memberId: string;
}

/** Two connections: one for fetches, one for everything else; made with the first request that needs it. */
export interface ConnectionPool {
  getConnectionByRequest(request: ProtocolRequest): Promise<Connection>;
}

export interface Connection {
  send(request: ProtocolRequest): Promise<unknown>;
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
