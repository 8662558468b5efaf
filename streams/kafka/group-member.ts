import kafkajs, { type Kafka } from 'kafkajs';
import { type Broker, createCluster } from './internals.ts';
import { kafkaErrorType } from './kafka-error.ts';

const { AssignerProtocol } = kafkajs;
/** The standard name of what `assign` does; workers of one release or of several agree on it. */
const PROTOCOL = 'RoundRobinAssigner';

export interface GroupMemberOptions {
  readonly kafka: Kafka;
  readonly groupId: string;
  readonly topic: string;
  readonly partitions: number;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
}

/** What a member is in one generation of the group; a later one makes it void. */
export interface Membership {
  readonly memberId: string;
  readonly generationId: number;
  readonly partitions: readonly number[];
}

/**
 * A place in a consumer group: the classic protocol of Kafka, each request sent once. Rejections are those of kafkajs;
 * `hasMoved` says which of them mean that the membership is void.
 */
export interface GroupMember {
  /** Joins, or joins again; resolves when every member has joined or the rebalance timed out. */
  join(): Promise<Membership>;
  heartbeat(membership: Membership): Promise<void>;
  /** Has no effect, and rejects, once the membership is void. */
  commit(membership: Membership, partition: number, offset: bigint): Promise<void>;
  leave(): Promise<void>;
  close(): Promise<void>;
}

const MOVED: ReadonlySet<string> = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
]);

/** The group has another generation or is making one, or does not know this member any more. */
export const hasMoved = (error: unknown): boolean => MOVED.has(kafkaErrorType(error) ?? '');

export function createGroupMember(options: GroupMemberOptions): GroupMember {
  const { groupId, topic } = options;
  const cluster = createCluster(options.kafka);
  let coordinator: Broker | undefined;
  let memberId = '';

  async function findCoordinator(): Promise<Broker> {
    if (coordinator?.isConnected() === true) return coordinator;
    if (!cluster.isConnected()) {
      await cluster.disconnect();
      await cluster.connect();
    }
    await cluster.addMultipleTargetTopics([topic]);
    await cluster.refreshMetadata();
    const any = await cluster.brokerPool.findConnectedBroker();
    const found = await any.findGroupCoordinator({ groupId, coordinatorType: 0 });
    coordinator = await cluster.findBroker(found.coordinator);
    return coordinator;
  }

  async function ask<T>(request: (broker: Broker) => Promise<T>): Promise<T> {
    try {
      return await request(await findCoordinator());
    } catch (error) {
      // Whatever went wrong, the next request looks for the coordinator again.
      if (!hasMoved(error)) coordinator = undefined;
      throw error;
    }
  }

  return {
    async join() {
      try {
        return await ask(async (broker) => {
          const joined = await broker.joinGroup({
            groupId,
            memberId,
            sessionTimeout: options.sessionTimeoutMs,
            rebalanceTimeout: options.rebalanceTimeoutMs,
            groupProtocols: [
              {
                name: PROTOCOL,
                metadata: AssignerProtocol.MemberMetadata.encode({
                  version: 0,
                  topics: [topic],
                  userData: Buffer.alloc(0),
                }),
              },
            ],
          });
          memberId = joined.memberId;
          const leads = joined.leaderId === joined.memberId;
          const { memberAssignment } = await broker.syncGroup({
            groupId,
            memberId,
            generationId: joined.generationId,
            groupAssignment: leads ? assign(options, joined.members) : [],
          });
          const mine = AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment[topic] ?? [];
          return { memberId, generationId: joined.generationId, partitions: mine };
        });
      } catch (error) {
        if (kafkaErrorType(error) === 'UNKNOWN_MEMBER_ID') memberId = '';
        throw error;
      }
    },
    async heartbeat(membership) {
      await ask((broker) => broker.heartbeat(placeOf(groupId, membership)));
    },
    async commit(membership, partition, offset) {
      const partitions = [{ partition, offset: String(offset) }];
      await ask((broker) =>
        broker.offsetCommit({ ...placeOf(groupId, membership), topics: [{ topic, partitions }] }),
      );
    },
    async leave() {
      if (memberId !== '') await ask((broker) => broker.leaveGroup({ groupId, memberId }));
      memberId = '';
    },
    close: () => cluster.disconnect(),
  };
}

const placeOf = (groupId: string, { memberId, generationId }: Membership) => ({
  groupId,
  memberId,
  groupGenerationId: generationId,
});

/** The partitions in turn to the members in the order of their ids. */
function assign(
  { topic, partitions }: GroupMemberOptions,
  members: readonly { readonly memberId: string }[],
): { memberId: string; memberAssignment: Buffer }[] {
  const ids = members.map(({ memberId }) => memberId).sort();
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  return ids.map((memberId, index) => ({
    memberId,
    memberAssignment: AssignerProtocol.MemberAssignment.encode({
      version: 0,
      assignment: { [topic]: all.filter((partition) => partition % ids.length === index) },
      userData: Buffer.alloc(0),
    }),
  }));
}
