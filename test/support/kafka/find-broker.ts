import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { startKafkaCluster } from './cluster.ts';

/** Kafka 4.1, as the jars. */
const image = 'confluentinc/cp-kafka:8.1.0';
const containerPort = 9093;
const dockerAnswerMs = 2000;

export interface FoundBroker {
  readonly bootstrap: string[];
  /** Which Kafka this is, for the output of the tests. */
  readonly description: string;
  /** Leaves a broker alone which was not started here. */
  stop(): Promise<void>;
}

/** A plain Kafka for a test: the one CUSTODY_TEST_KAFKA names, else a container, else a broker from jars. */
export async function findBroker(): Promise<FoundBroker> {
  const named = process.env['CUSTODY_TEST_KAFKA'];
  if (named !== undefined && named !== '') {
    const bootstrap = named.split(',').map((server) => server.trim());
    return { bootstrap, description: `CUSTODY_TEST_KAFKA at ${named}`, stop: () => Promise.resolve() };
  }
  return (await dockerAnswers()) ? startContainer() : startFromJars();
}

const dockerAnswers = (): Promise<boolean> =>
  promisify(execFile)('docker', ['version'], { timeout: dockerAnswerMs }).then(
    () => true,
    () => false,
  );

async function startContainer(): Promise<FoundBroker> {
  // Loaded only when used: the import alone takes longer than a look at Docker.
  const { KafkaContainer } = await import('@testcontainers/kafka');
  const container = await new KafkaContainer(image)
    .withKraft()
    .withEnvironment({
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS: '4',
    })
    .start();
  return {
    bootstrap: [`${container.getHost()}:${container.getMappedPort(containerPort)}`],
    description: `Docker container of ${image}`,
    stop: () => container.stop().then(() => undefined),
  };
}

async function startFromJars(): Promise<FoundBroker> {
  const cluster = await startKafkaCluster({ brokers: 1 });
  return {
    bootstrap: cluster.bootstrap,
    description: `Apache Kafka ${cluster.version} from jars`,
    stop: () => cluster.stop(),
  };
}
