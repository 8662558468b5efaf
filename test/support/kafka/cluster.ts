import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startBrokerProcess, type BrokerProcess, type BrokerSignal } from './broker-process.ts';
import { freePorts } from './free-ports.ts';
import { kafkaJars, type KafkaJars } from './jars.ts';
import { scramArguments, type KafkaSecurity } from './security.ts';
import { address, serverProperties, type BrokerPlan, type Endpoint } from './server-properties.ts';
import { untilReady } from './until-ready.ts';

const run = promisify(execFile);
const log4j = fileURLToPath(new URL('log4j2.properties', import.meta.url));
/** Tests start often and run briefly: the first compiler only, and no concurrent collector. */
const javaOptions = ['-Xmx384m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto'];
const clusterId = 'MkU3OEVBNTcwNTJENDM2Qg';

export interface KafkaClusterOptions {
  readonly brokers: 1 | 3;
  readonly security?: KafkaSecurity;
  /** Broker properties, for all brokers. */
  readonly properties?: Readonly<Record<string, string>>;
  /** The address a broker gives to clients in place of the one it listens on, such as a proxy's. */
  readonly advertised?: (brokerId: number, listening: Endpoint) => Endpoint | Promise<Endpoint>;
}

export interface KafkaCluster {
  readonly version: string;
  /** Advertised addresses of the client listener. */
  readonly bootstrap: string[];
  /** A listener without TLS, SASL or proxy, whose user passes every ACL: for setting a test up. */
  readonly internalBootstrap: string[];
  /** `port` is where the broker listens for clients; `pid` is of its latest process. */
  readonly brokers: readonly { readonly id: number; readonly port: number; readonly pid: number }[];
  /** Resolves when the signal is sent, for SIGKILL and SIGTERM when the broker is gone. */
  kill(id: number, signal: BrokerSignal): Promise<void>;
  /** Starts a broker again (SIGTERM first when it runs); resolves when it is in the cluster. */
  restart(id: number): Promise<void>;
  logTail(id: number): Promise<string>;
  stop(): Promise<void>;
}

/** Apache Kafka in KRaft mode on loopback: every broker is a controller too. Ids start at 1. */
export async function startKafkaCluster(options: KafkaClusterOptions): Promise<KafkaCluster> {
  const jars = await kafkaJars();
  const folder = await mkdtemp(join(tmpdir(), 'custody-kafka-'));
  const processes = new Map<number, BrokerProcess>();
  const running = () => [...processes].filter(([, process]) => process.isRunning()).map(([id]) => id);
  const stop = async () => {
    await Promise.all([...processes.values()].map((process) => process.signal('SIGKILL')));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const plans = await planBrokers(options, folder);
    const start = async (plan: BrokerPlan) => {
      const log = join(plan.folder, 'broker.log');
      const command = [
        jars.java,
        ...javaOptions,
        `-Dlog4j2.configurationFile=${log4j}`,
        '-cp',
        jars.classpath,
      ];
      const main = ['kafka.Kafka', join(plan.folder, 'server.properties')];
      processes.set(plan.id, await startBrokerProcess([...command, ...main], folder, log));
    };
    const planOf = (id: number) =>
      known(
        plans.find((plan) => plan.id === id),
        id,
      );
    const processOf = (id: number) => known(processes.get(id), id);
    await Promise.all(plans.map((plan) => formatStorage(jars, plan, plans, options)));
    await Promise.all(plans.map(start));
    await Promise.all(plans.map((plan) => untilReady(plan, processOf(plan.id), running)));
    return {
      version: jars.version,
      bootstrap: plans.map(({ advertised }) => address(advertised)),
      internalBootstrap: plans.map(({ internal }) => address(internal)),
      get brokers() {
        return plans.map(({ id, client }) => ({ id, port: client.port, pid: processOf(id).pid }));
      },
      kill: (id, signal) => processOf(id).signal(signal),
      async restart(id) {
        await processOf(id).signal('SIGTERM');
        await start(planOf(id));
        await untilReady(planOf(id), processOf(id), running);
      },
      logTail: (id) => processOf(id).logTail(),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function planBrokers(options: KafkaClusterOptions, folder: string): Promise<readonly BrokerPlan[]> {
  const { brokers, security, advertised } = options;
  if (security?.acls && !security.sasl && security.tls?.clientCertificate === undefined) {
    throw new Error('cannot start Kafka: ACLs without SASL or client certificates would not know its users');
  }
  const ports = await freePorts(brokers * 3);
  const endpoint = (index: number): Endpoint => ({ host: '127.0.0.1', port: ports[index]! });
  return Promise.all(
    Array.from({ length: brokers }, async (_, index) => {
      const id = index + 1;
      const client = endpoint(index * 3);
      return {
        id,
        client,
        advertised: (await advertised?.(id, client)) ?? client,
        internal: endpoint(index * 3 + 1),
        controller: endpoint(index * 3 + 2),
        folder: join(folder, `broker-${id}`),
      };
    }),
  );
}

async function formatStorage(
  jars: KafkaJars,
  plan: BrokerPlan,
  plans: readonly BrokerPlan[],
  { security = {}, properties = {} }: KafkaClusterOptions,
): Promise<void> {
  await mkdir(plan.folder, { recursive: true });
  const file = join(plan.folder, 'server.properties');
  await writeFile(file, serverProperties(plan, plans, security, properties));
  if (security.tls) {
    const { keyFile, certFile } = security.tls;
    const pem = await Promise.all([keyFile, certFile].map((name) => readFile(name, 'utf8')));
    await writeFile(join(plan.folder, 'keystore.pem'), pem.join('\n'), { mode: 0o600 });
  }
  const format = ['kafka.tools.StorageTool', 'format', '--cluster-id', clusterId, '--config', file];
  await run(jars.java, [...javaOptions, '-cp', jars.classpath, ...format, ...scramArguments(security)]);
}

function known<T>(value: T | undefined, id: number): T {
  if (value === undefined) throw new Error(`cannot find broker ${id}: the cluster has no such broker`);
  return value;
}
