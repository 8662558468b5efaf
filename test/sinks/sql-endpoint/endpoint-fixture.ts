import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from 'chdb';
import type { BearerToken } from '../../../runtime/bearer.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { createLogger } from '../../../runtime/logger.ts';
import { createMetrics } from '../../../runtime/metrics.ts';
import { configSchema, type SqlConfig } from '../../../schemas/config.ts';
import { createSqlEndpoint } from '../../../sinks/store/sql-endpoint/sql-endpoint.ts';

export interface RunningEndpoint {
  readonly url: string;
  readonly port: number;
  readonly directory: string;
  readonly resultDirectory: string;
  /** The writer's own session, as the store would hold it. */
  readonly writer: Session;
  readonly metrics: ReturnType<typeof createMetrics>;
  stop(): Promise<void>;
}

/** The endpoint over a real engine with a table `custody.entries` of `rowCount` rows. */
export async function startEndpoint(
  sql: Partial<SqlConfig> = {},
  tokens: readonly BearerToken[] = [],
  poolReserveCount = 0,
): Promise<RunningEndpoint> {
  const directory = await mkdtemp(join(tmpdir(), 'custody-sql-'));
  const storePath = join(directory, 'store');
  const writer = new Session(storePath);
  writer.query('CREATE DATABASE custody');
  writer.query('CREATE TABLE custody.entries (seq UInt64, body String) ENGINE = MergeTree ORDER BY seq');
  writer.query(
    "INSERT INTO custody.entries SELECT number, concat('entry ', toString(number)) FROM numbers(1000)",
  );
  const metrics = createMetrics();
  const endpoint = createSqlEndpoint({
    config: {
      ...configSchema.parse({}).sql,
      ...sql,
      listener: configSchema.parse({ sql: { listener: { port: 0 } } }).sql.listener,
    },
    tokens,
    storePath,
    logger: createLogger({ level: 'silent' }),
    metrics,
    clock: systemClock,
    poolReserveCount,
  });
  await endpoint.start();
  const { host, port } = endpoint.address();
  return {
    url: `http://${host}:${port}`,
    port,
    directory,
    resultDirectory: `${storePath}.results`,
    writer,
    metrics,
    async stop() {
      await endpoint.stop();
      writer.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** ClickHouse's exception code, or undefined. */
  readonly code: number | undefined;
}

/** Posts one statement and reads the whole answer. */
export async function ask(
  endpoint: RunningEndpoint,
  sql: string,
  parameters: Record<string, string> = {},
  init: RequestInit = {},
): Promise<Answer> {
  const query = new URLSearchParams(parameters).toString();
  const response = await fetch(`${endpoint.url}/?${query}`, { method: 'POST', body: sql, ...init });
  const code = response.headers.get('x-clickhouse-exception-code');
  return {
    status: response.status,
    headers: response.headers,
    text: await response.text(),
    code: code === null ? undefined : Number(code),
  };
}
