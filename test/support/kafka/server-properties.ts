import { securityProperties, securityProtocol, type KafkaSecurity } from './security.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface BrokerPlan {
  readonly id: number;
  /** What clients connect to. */
  readonly client: Endpoint;
  /** What clients are told to connect to. */
  readonly advertised: Endpoint;
  readonly internal: Endpoint;
  readonly controller: Endpoint;
  readonly folder: string;
}

export const address = ({ host, port }: Endpoint): string => `${host}:${port}`;

/** `server.properties` of one broker, which is a KRaft controller too. */
export function serverProperties(
  broker: BrokerPlan,
  all: readonly BrokerPlan[],
  security: KafkaSecurity,
  extra: Readonly<Record<string, string>>,
): string {
  const replicas = String(Math.min(3, all.length));
  const inSync = all.length >= 3 ? '2' : '1';
  const properties: Readonly<Record<string, string>> = {
    'process.roles': 'broker,controller',
    'node.id': String(broker.id),
    'controller.quorum.voters': all.map(({ id, controller }) => `${id}@${address(controller)}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    listeners: [
      `CLIENT://${address(broker.client)}`,
      `INTERNAL://${address(broker.internal)}`,
      `CONTROLLER://${address(broker.controller)}`,
    ].join(','),
    'advertised.listeners': `CLIENT://${address(broker.advertised)},INTERNAL://${address(broker.internal)}`,
    'listener.security.protocol.map': `CLIENT:${securityProtocol(security)},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    'log.dirs': `${broker.folder}/data`,
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'group.initial.rebalance.delay.ms': '0',
    'log.cleaner.enable': 'true',
    // The default cleaner buffer is a third of the small heap.
    'log.cleaner.dedupe.buffer.size': '16777216',
    // A dead broker loses its partitions in seconds, which tests of failures wait for.
    'broker.heartbeat.interval.ms': '500',
    'broker.session.timeout.ms': '4000',
    ...securityProperties(security, `${broker.folder}/keystore.pem`),
    ...extra,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
