import { randomUUID } from 'node:crypto';
import kafkajs, { type AclEntry, type Admin } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { CustodyError } from '../../runtime/errors.ts';
import type { KafkaLogConfig } from '../../schemas/config.ts';
import { openKafkaLog } from '../../streams/kafka/open-log.ts';
import type { Log } from '../../streams/topic.ts';
import { createAuthority } from '../support/certificates.ts';
import { startKafkaCluster, type KafkaCluster } from '../support/kafka/cluster.ts';
import { freePorts } from '../support/free-ports.ts';
import { kafkaConfig } from './kafka-harness.ts';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
const authority = createAuthority();
let cluster: KafkaCluster;
let admin: Admin;
let broker: string;

beforeAll(async () => {
  cluster = await startKafkaCluster({
    brokers: 1,
    security: {
      tls: { caFile: authority.caFile, ...authority.issue('broker', ['IP:127.0.0.1']) },
      sasl: { mechanisms: ['SCRAM-SHA-512'], users: { custody: 'right', limited: 'right' } },
      acls: { superUsers: ['custody'] },
    },
  });
  broker = cluster.bootstrap[0] ?? '';
  admin = new kafkajs.Kafka({
    brokers: cluster.internalBootstrap,
    logLevel: kafkajs.logLevel.NOTHING,
  }).admin();
  await admin.connect();
});
afterAll(async () => {
  await admin.disconnect();
  await cluster.stop();
  authority.remove();
});

const secured = (changes: Partial<KafkaLogConfig> = {}): KafkaLogConfig =>
  kafkaConfig([broker], {
    tls: { ca_file: authority.caFile },
    sasl: { mechanism: 'scram-sha-512', username: 'custody', password: { env: 'X' } },
    ...changes,
  });
const plain = (changes: Partial<KafkaLogConfig> = {}) => kafkaConfig(cluster.internalBootstrap, changes);

async function failureOf(attempt: () => Promise<unknown>): Promise<string> {
  const sinceMs = performance.now();
  const error = await attempt().then(
    () => undefined,
    (thrown: unknown) => thrown as CustodyError,
  );
  expect(performance.now() - sinceMs).toBeLessThan(30_000);
  return error === undefined ? 'no error' : `${error.name} ${error.code}: ${error.message}`;
}

async function openFailure(config: KafkaLogConfig, password = 'right'): Promise<string> {
  let log: Log | undefined;
  const failure = await failureOf(
    async () => (log = await openKafkaLog({ config, credentials: { password } })),
  );
  await log?.close();
  return failure.replaceAll(config.namespace, 'NS').replaceAll(config.brokers.join(','), 'BROKERS');
}

describe('a configuration that Kafka does not fit', () => {
  it('names a host that is unknown', async () => {
    const config = kafkaConfig(['no-such-host.invalid:9092'], { dangerously_without_tls: true });
    expect(await openFailure(config)).toMatchInlineSnapshot(
      `"PermanentError rejected: cannot prepare topics on BROKERS: the host name is unknown; check log.brokers (ENOTFOUND)"`,
    );
  });

  it('names an address where nothing listens', async () => {
    const [port] = await freePorts(1);
    expect(await openFailure(kafkaConfig([`127.0.0.1:${port}`]))).toMatchInlineSnapshot(
      `"TransientError unavailable: cannot prepare topics on BROKERS: nothing listens there; check log.brokers and that the brokers run (ECONNREFUSED)"`,
    );
  });

  it('says that the password is wrong', async () => {
    expect(await openFailure(secured(), 'wrong')).toMatchInlineSnapshot(
      `"PermanentError rejected: cannot prepare topics on BROKERS: user name or password is wrong; check log.sasl (SASL)"`,
    );
  });

  it('says that a listener with TLS was called without', async () => {
    const { tls, ...rest } = secured();
    expect(tls).toBeDefined();
    expect(await openFailure(rest)).toMatchInlineSnapshot(
      `"TransientError unavailable: cannot prepare topics on BROKERS: the broker closed the connection; check that log.tls and log.sasl fit its listener (CLOSED)"`,
    );
  });

  it('says that a listener without TLS was called with it', async () => {
    expect(await openFailure(plain({ tls: { ca_file: authority.caFile } }))).toMatchInlineSnapshot(
      `"TransientError unavailable: cannot prepare topics on BROKERS: the broker closed the connection; check that log.tls fits its listener (ECONNRESET)"`,
    );
  });

  it('says that the authority of a certificate is not trusted', async () => {
    expect(await openFailure(secured({ tls: {} }))).toMatchInlineSnapshot(
      `"PermanentError rejected: cannot prepare topics on BROKERS: the authority is not trusted; name it in log.tls.ca_file (UNABLE_TO_VERIFY_LEAF_SIGNATURE)"`,
    );
  });

  it('says which topic is missing when it may not make it', async () => {
    expect(await openFailure(plain({ create_topics: false }))).toMatchInlineSnapshot(
      `"PermanentError rejected: cannot use topic NS.events: it does not exist; run custody topics --create"`,
    );
  });

  it.each([
    ['message.timestamp.type', 'CreateTime', 'LogAppendTime'],
    ['cleanup.policy', 'compact', 'delete'],
    ['max.message.bytes', '1048588', '20971520'],
    ['retention.ms', '1000', '604800000'],
    ['unclean.leader.election.enable', 'true', 'false'],
  ])('refuses events with %s %s, and says what to alter', async (name, value, right) => {
    const config = plain();
    await (await openKafkaLog({ config, credentials: { password: undefined } })).close();
    await alter(`${config.namespace}.events`, name, value);
    expect(await openFailure(config)).toBe(
      `ConfigError config_invalid: cannot use topic NS.events: ${name} is ${value} and must be ${right}; ` +
        `kafka-configs.sh --alter --topic NS.events --add-config ${name}=${right}`,
    );
  });

  it('refuses a topic that one broker alone acknowledges', async () => {
    const config = plain();
    await (await openKafkaLog({ config, credentials: { password: undefined } })).close();
    expect(await openFailure({ ...config, replication_factor: 3 })).toMatchInlineSnapshot(
      `"ConfigError config_invalid: cannot use topic NS.events: min.insync.replicas is 1 and must be 2; kafka-configs.sh --alter --topic NS.events --add-config min.insync.replicas=2"`,
    );
  });

  it('refuses a topic with another number of partitions', async () => {
    const config = plain();
    await (await openKafkaLog({ config, credentials: { password: undefined } })).close();
    expect(await openFailure({ ...config, partitions: 3 })).toMatchInlineSnapshot(
      `"ConfigError config_invalid: cannot use topic NS.events: it has 1 partitions, log.partitions says 3; set log.partitions to 1"`,
    );
  });
});

describe('a right that is missing', () => {
  const limited = (namespace: string) =>
    secured({ namespace, sasl: { mechanism: 'scram-sha-512', username: 'limited', password: { env: 'X' } } });
  const allow = async (namespace: string, rights: readonly (keyof typeof RIGHTS)[]) => {
    await admin.createAcls({ acl: rights.flatMap((right) => RIGHTS[right](namespace)) });
  };
  const entry = (
    resourceType: AclEntry['resourceType'],
    resourceName: string,
    operation: AclEntry['operation'],
  ): AclEntry => ({
    resourceType,
    resourceName,
    operation,
    resourcePatternType: resourceName.startsWith('t-')
      ? ResourcePatternTypes.PREFIXED
      : ResourcePatternTypes.LITERAL,
    permissionType: AclPermissionTypes.ALLOW,
    principal: 'User:limited',
    host: '*',
  });
  const { TOPIC, GROUP, TRANSACTIONAL_ID } = AclResourceTypes;
  const { READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS } = AclOperationTypes;
  const RIGHTS = {
    describe: (ns: string) => [DESCRIBE, DESCRIBE_CONFIGS].map((of) => entry(TOPIC, ns, of)),
    read: (ns: string) => [entry(TOPIC, ns, READ)],
    write: (ns: string) => [entry(TOPIC, ns, WRITE)],
    group: (ns: string) => [entry(GROUP, ns, READ)],
    transactionalId: (ns: string) => [WRITE, DESCRIBE].map((of) => entry(TRANSACTIONAL_ID, ns, of)),
  };
  /** A log whose topics somebody else made, for a user with these rights. */
  async function openWith(...rights: (keyof typeof RIGHTS)[]): Promise<{ log: Log; namespace: string }> {
    const namespace = `t-${randomUUID().slice(0, 8)}`;
    await (
      await openKafkaLog({ config: plain({ namespace }), credentials: { password: undefined } })
    ).close();
    await allow(namespace, rights);
    // The broker applies new ACLs a moment later.
    const log = await vi.waitFor(
      () => openKafkaLog({ config: limited(namespace), credentials: { password: 'right' } }),
      { timeout: 120_000, interval: 200 },
    );
    return { log, namespace };
  }
  const consumeFrom = (log: Log) =>
    log.topic('custody.events').consume({
      group: 'ledger',
      signal: AbortSignal.timeout(120_000),
      handle: () => Promise.resolve(),
    });
  const record = { key: 'a', value: Buffer.from('x') };

  it('to make topics is named at the start', async () => {
    expect(await openFailure(limited(`t-${randomUUID().slice(0, 8)}`))).toMatchInlineSnapshot(
      `"PermanentError rejected: cannot make topics: the user may not; grant CREATE on the topic prefix, or run custody topics --create as a user who may"`,
    );
  });

  it('to see the settings of a topic is named at the start', async () => {
    const namespace = `t-${randomUUID().slice(0, 8)}`;
    await (
      await openKafkaLog({ config: plain({ namespace }), credentials: { password: undefined } })
    ).close();
    await admin.createAcls({ acl: [entry(TOPIC, namespace, DESCRIBE)] });
    await expect.poll(() => openFailure(limited(namespace))).not.toContain('make');
    expect(await openFailure(limited(namespace))).toMatchInlineSnapshot(
      `"PermanentError rejected: cannot prepare topics on BROKERS: the user may not use the topic; grant READ, WRITE, DESCRIBE and DESCRIBE_CONFIGS on it (TOPIC_AUTHORIZATION_FAILED)"`,
    );
  });

  it('to write is named by what appends', async () => {
    const { log, namespace } = await openWith('describe', 'read');
    const failure = await failureOf(() => log.topic('custody.events').append([record]));
    expect(failure.replaceAll(namespace, 'NS')).toMatchInlineSnapshot(
      `"TransientError unavailable: cannot append to NS.events: the user may not write; grant WRITE on the topic prefix, before Kafka 3.0 also IDEMPOTENT_WRITE on the cluster (CLUSTER_AUTHORIZATION_FAILED)"`,
    );
    await log.close();
  });

  it('to use the group is named by what consumes', async () => {
    const { log, namespace } = await openWith('describe', 'read');
    const failure = await failureOf(() => consumeFrom(log));
    expect(failure.replaceAll(namespace, 'NS')).toMatchInlineSnapshot(
      `"TransientError unavailable: cannot consume NS.events: the user may not use the consumer group; grant READ and DESCRIBE on the group prefix (GROUP_AUTHORIZATION_FAILED)"`,
    );
    await log.close();
  });

  it('to read is named by what consumes', async () => {
    const { log, namespace } = await openWith('describe', 'group');
    const failure = await failureOf(() => consumeFrom(log));
    expect(failure.replaceAll(namespace, 'NS')).toMatchInlineSnapshot(
      `"TransientError unavailable: cannot read NS.events partition 0: the user may not use the topic; grant READ, WRITE, DESCRIBE and DESCRIBE_CONFIGS on it (TOPIC_AUTHORIZATION_FAILED)"`,
    );
    await log.close();
  });

  it('to use a transactional id is named by the claim', async () => {
    const { log, namespace } = await openWith('describe', 'read', 'write', 'group');
    const failure = await failureOf(() =>
      log.claim({ area: 'ledger', topic: 'custody.events', partition: 0 }),
    );
    expect(failure.replaceAll(namespace, 'NS')).toMatchInlineSnapshot(
      `"TransientError unavailable: cannot claim ledger custody.events/0: no broker coordinates it for this user; grant WRITE and DESCRIBE on the transactional id prefix, READ on the group prefix (NO_COORDINATOR)"`,
    );
    await log.close();
  });

  it('is none when the documented rights are given', async () => {
    const { log } = await openWith('describe', 'read', 'write', 'group', 'transactionalId');
    await log.topic('custody.events').append([record]);
    const claim = await log.claim({ area: 'ledger', topic: 'custody.events', partition: 0 });
    await claim.state.write([{ name: 'a', value: Buffer.from('1') }]);
    await claim.release();
    const stop = new AbortController();
    await log.topic('custody.events').consume({
      group: 'ledger',
      signal: stop.signal,
      handle: () => {
        stop.abort();
        return Promise.resolve();
      },
    });
    await log.close();
  });
});

/** kafkajs replaces all settings of the topic by those it is given. */
async function alter(topic: string, name: string, value: string): Promise<void> {
  const type = kafkajs.ConfigResourceTypes.TOPIC;
  const described = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type, name: topic }],
  });
  const others = (described.resources[0]?.configEntries ?? [])
    .filter(({ configName, isDefault }) => !isDefault && configName !== name)
    .map(({ configName, configValue }) => ({ name: configName, value: configValue }));
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type, name: topic, configEntries: [...others, { name, value }] }],
  });
  const isAltered = async () => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type, name: topic, configNames: [name] }],
    });
    return resources[0]?.configEntries[0]?.configValue;
  };
  await expect.poll(isAltered).toBe(value);
}
