import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Role } from '../../pipeline/roles.ts';
import { cliPath, runCli, type Endpoint } from './pipeline-process.ts';
import { startClickHouse, type TestClickHouse } from './clickhouse/start-clickhouse.ts';
import { startKafkaCluster, type KafkaCluster, type KafkaClusterOptions } from './kafka/cluster.ts';

export type Environment = Readonly<Record<string, string>>;

/** One process of a fleet. */
export interface RoleProcess {
  readonly role: Role | 'all';
  readonly child: ChildProcess;
  /** Where a collector listens. */
  readonly http: string | undefined;
  readonly admin: string;
  /** Ended, by itself or by somebody. */
  readonly exited: Promise<number | null>;
  stderr(): string;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, then the exit code. */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
}

export interface Fleet {
  readonly kafka: KafkaCluster;
  readonly clickhouse: TestClickHouse;
  /** The configuration every process and command of the fleet gets. */
  readonly env: Environment;
  /** Running processes. */
  readonly processes: ReadonlySet<RoleProcess>;
  start(role: Role | 'all', changes?: Environment): Promise<RoleProcess>;
  cli(...args: string[]): ReturnType<typeof runCli>;
  rows<T>(sql: string): Promise<T[]>;
  stop(): Promise<void>;
}

export interface FleetOptions {
  readonly partitions: number;
  readonly kafka?: KafkaClusterOptions;
  /** Instead of the ClickHouse `startClickHouse` finds; `stop` ends it too. */
  readonly clickhouse?: TestClickHouse;
  readonly env?: Environment;
}

/** A real Kafka, a ClickHouse of its own, the schema in place, and no process of the pipeline yet. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const directory = await mkdtemp(join(tmpdir(), 'custody-fleet-'));
  const cluster = options.kafka ?? { brokers: 1 };
  const [kafka, clickhouse] = await Promise.all([
    startKafkaCluster(cluster),
    options.clickhouse ?? startClickHouse(),
  ]);
  const env: Environment = {
    ...fleetEnvironment(kafka, clickhouse, options.partitions, cluster.brokers),
    CUSTODY_DATA_DIR: directory,
    ...options.env,
  };
  const processes = new Set<RoleProcess>();
  const cli = (...args: string[]) => runCli(args, env);
  const migrated = await cli('migrate');
  if (migrated.code !== 0) throw new Error(migrated.stderr);
  return {
    kafka,
    clickhouse,
    env,
    processes,
    async start(role, changes = {}) {
      const process = await startRole(role, { ...env, ...changes });
      processes.add(process);
      void process.exited.then(() => processes.delete(process));
      return process;
    },
    cli,
    async rows<T>(sql: string): Promise<T[]> {
      const { code, stdout, stderr } = await cli('query', '--format', 'JSONEachRow', sql);
      if (code !== 0) throw new Error(stderr);
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as T);
    },
    async stop() {
      await Promise.all([...processes].map((process) => process.kill()));
      await Promise.all([kafka.stop(), clickhouse.stop()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export function fleetEnvironment(
  kafka: Pick<KafkaCluster, 'bootstrap'>,
  clickhouse: Pick<TestClickHouse, 'url' | 'username' | 'password'>,
  partitions: number,
  replicas: number,
): Environment {
  return {
    CUSTODY_DEPLOYMENT: 'fleet',
    CUSTODY_DIGEST_KEY_ENV: 'TEST_DIGEST_KEY',
    TEST_DIGEST_KEY: randomBytes(32).toString('hex'),
    CUSTODY_LOG_TYPE: 'kafka',
    CUSTODY_LOG_BROKERS: JSON.stringify(kafka.bootstrap),
    CUSTODY_LOG_NAMESPACE: `f-${randomUUID().slice(0, 8)}`,
    CUSTODY_LOG_PARTITIONS: String(partitions),
    CUSTODY_LOG_REPLICATION_FACTOR: String(replicas),
    CUSTODY_LOG_SESSION_TIMEOUT_MS: '6000',
    CUSTODY_LOG_REQUEST_TIMEOUT_MS: '3000',
    CUSTODY_STORE_TYPE: 'clickhouse',
    CUSTODY_STORE_URL: clickhouse.url,
    CUSTODY_STORE_USERNAME: clickhouse.username,
    ...(clickhouse.password !== '' && {
      CUSTODY_STORE_PASSWORD_ENV: 'TEST_STORE_PASSWORD',
      TEST_STORE_PASSWORD: clickhouse.password,
    }),
    CUSTODY_DETECT_SNAPSHOT_INTERVAL_MS: '500',
    CUSTODY_LEDGER_LINGER_MS: '50',
    CUSTODY_INGEST_HTTP_PORT: '0',
    CUSTODY_INGEST_GRPC_PORT: '0',
    CUSTODY_ADMIN_LISTENER_PORT: '0',
    CUSTODY_LOG_LEVEL: 'warn',
  };
}

/** Starts one role as an orchestrator does, and resolves when it is ready. */
async function startRole(role: Role | 'all', env: Environment): Promise<RoleProcess> {
  const child = spawn(process.execPath, [cliPath, 'start', '--json', '--role', role], {
    env: { ...process.env, MALLOC_ARENA_MAX: '2', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-50_000)));
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const line = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>;
  const [text] = await Promise.race([
    line,
    exited.then((code) => Promise.reject(new Error(`${role} ended with ${String(code)}: ${stderr}`))),
  ]);
  const addresses = JSON.parse(text) as Partial<Record<'http' | 'admin', Endpoint>>;
  const url = (endpoint: Endpoint | undefined) =>
    endpoint === undefined ? undefined : `http://${endpoint.host}:${endpoint.port}`;
  return {
    role,
    child,
    http: url(addresses.http),
    admin: url(addresses.admin) ?? '',
    exited,
    stderr: () => stderr,
    signal: (signal) => void child.kill(signal),
    async stop() {
      child.kill('SIGTERM');
      return exited;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
