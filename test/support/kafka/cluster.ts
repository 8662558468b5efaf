import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBrokerProcess, type BrokerProcess, type BrokerSignal } from './broker-process.ts';
import { formatStorage, propertiesFile } from './format-storage.ts';
import { freePorts } from '../free-ports.ts';
import { kafkaJars } from './jars.ts';
import { scramArguments, type KafkaSecurity, type KafkaTls } from './security.ts';
import { address, serverProperties, type BrokerPlan, type Endpoint } from './server-properties.ts';
import { untilReady } from './until-ready.ts';

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
      const command = [...jars.command, 'kafka.Kafka', propertiesFile(plan)];
      const log = join(plan.folder, 'broker.log');
      processes.set(plan.id, await startBrokerProcess(command, folder, log));
    };
    const planOf = (id: number) =>
      known(
        plans.find((plan) => plan.id === id),
        id,
      );
    const processOf = (id: number) => known(processes.get(id), id);
    await Promise.all(plans.map((plan) => prepare(jars.command, plan, plans, options)));
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

async function prepare(
  java: readonly string[],
  plan: BrokerPlan,
  plans: readonly BrokerPlan[],
  { security = {}, properties = {} }: KafkaClusterOptions,
): Promise<void> {
  await mkdir(plan.folder);
  if (security.tls) await writeKeyStore(join(plan.folder, 'keystore.pem'), security.tls);
  const text = serverProperties(plan, plans, security, properties);
  await formatStorage(java, plan, text, scramArguments(security));
}

async function writeKeyStore(file: string, { keyFile, certFile }: KafkaTls): Promise<void> {
  const pem = await Promise.all([keyFile, certFile].map((name) => readFile(name, 'utf8')));
  await writeFile(file, pem.join('\n'), { mode: 0o600 });
}

function known<T>(value: T | undefined, id: number): T {
  if (value === undefined) throw new Error(`cannot find broker ${id}: the cluster has no such broker`);
  return value;
}
