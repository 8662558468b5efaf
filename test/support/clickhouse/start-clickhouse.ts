import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { startFront, type FrontOptions } from './start-front.ts';

/** A ClickHouse for a test, which may hurt it where it was started here. */
export interface TestClickHouse {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** Which ClickHouse this is, for the output of the tests. */
  readonly description: string;
  /** A server, with users, grants and its own HTTP interface; false for the front over chDB. */
  readonly real: boolean;
  /** Ends it at once; whatever it had not synced is gone. */
  kill(): Promise<void>;
  /** Kills it if it lives and starts it again at the same address with the same data. */
  restart(): Promise<void>;
  /** It takes connections and says nothing. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Every statement waits this long before it runs; only the front can. */
  delay(ms: number): Promise<void>;
  stop(): Promise<void>;
}

/** The oldest version supported and a newer one; CI may name another. */
const IMAGE = `clickhouse/clickhouse-server:${process.env['CUSTODY_TEST_CLICKHOUSE_TAG'] ?? '24.8'}`;
const HTTP_PORT = 8123;
const DOCKER_ANSWER_MS = 2000;
const docker = promisify(execFile);

/**
 * A ClickHouse: the one CUSTODY_TEST_CLICKHOUSE names (its database `custody` is dropped!), else a container, else the
 * front over chDB.
 */
export async function startClickHouse(options: FrontOptions = {}): Promise<TestClickHouse> {
  return namedServer() ?? ((await dockerAnswers()) ? await startContainer() : await startFront(options));
}

/** A real server, or why there is none. */
export async function realClickHouse(): Promise<TestClickHouse | undefined> {
  return namedServer() ?? ((await dockerAnswers()) ? await startContainer() : undefined);
}

/** True when `realClickHouse` would give one; starts nothing. */
export async function hasRealClickHouse(): Promise<boolean> {
  return namedServer() !== undefined || (await dockerAnswers());
}

/**
 * Replicas of one shard, for tests of replication: CUSTODY_TEST_CLICKHOUSE_CLUSTER is `name url url ...`. The servers
 * have Keeper and the macros `shard` and `replica`.
 */
export function namedCluster(): { readonly name: string; readonly replicas: TestClickHouse[] } | undefined {
  const [name, ...urls] = process.env['CUSTODY_TEST_CLICKHOUSE_CLUSTER']?.split(' ').filter(Boolean) ?? [];
  return name === undefined ? undefined : { name, replicas: urls.map(serverAt) };
}

function namedServer(): TestClickHouse | undefined {
  const named = process.env['CUSTODY_TEST_CLICKHOUSE'];
  return named === undefined || named === '' ? undefined : serverAt(named);
}

function serverAt(address: string): TestClickHouse {
  const url = new URL(address);
  const refuse = () => Promise.reject(new Error('a server that was not started here is not to be hurt'));
  return {
    url: url.origin,
    username: decodeURIComponent(url.username) || 'default',
    password: decodeURIComponent(url.password),
    description: `the ClickHouse at ${url.origin}`,
    real: true,
    kill: refuse,
    restart: refuse,
    pause: refuse,
    resume: refuse,
    delay: refuse,
    stop: () => Promise.resolve(),
  };
}

const dockerAnswers = (): Promise<boolean> =>
  docker('docker', ['version'], { timeout: DOCKER_ANSWER_MS }).then(
    () => true,
    () => false,
  );

async function startContainer(): Promise<TestClickHouse> {
  // Loaded only when used: the import alone takes longer than a look at Docker.
  const { GenericContainer, Wait } = await import('testcontainers');
  const [username, password] = ['custody_test', 'custody_test'];
  const container = await new GenericContainer(IMAGE)
    .withEnvironment({
      CLICKHOUSE_USER: username,
      CLICKHOUSE_PASSWORD: password,
      CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT: '1',
    })
    .withExposedPorts(HTTP_PORT)
    .withWaitStrategy(Wait.forHttp('/ping', HTTP_PORT))
    .start();
  const run = (...args: string[]) => docker('docker', [...args, container.getId()]).then(() => undefined);
  return {
    url: `http://${container.getHost()}:${container.getMappedPort(HTTP_PORT)}`,
    username,
    password,
    description: `Docker container of ${IMAGE}`,
    real: true,
    kill: () => run('kill'),
    restart: () => run('restart', '--time', '0'),
    pause: () => run('pause'),
    resume: () => run('unpause'),
    delay: () => Promise.reject(new Error('a container cannot be slowed')),
    stop: () => container.stop().then(() => undefined),
  };
}
