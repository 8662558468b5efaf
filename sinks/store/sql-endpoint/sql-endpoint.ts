import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { BearerToken } from '../../../runtime/bearer.ts';
import type { Clock } from '../../../runtime/clock.ts';
import type { Component } from '../../../runtime/component.ts';
import { PermanentError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Metrics } from '../../../runtime/metrics.ts';
import type { SqlConfig } from '../../../schemas/config.ts';
import { openEngine, type EngineConnection } from './engine.ts';
import { parseEngineException, refusals, type SqlException } from './exceptions.ts';
import { countPoolThreads } from './pool-threads.ts';
import { createListener, listen } from './listener.ts';
import { helloBlock, isHello } from './native-hello.ts';
import { checkAccess, readRequest, type SqlRequest } from './request.ts';
import { sendException, sendResult, type Framing, type ServerFacts } from './respond.ts';
import { runQuery, type QueryRunner, type Result } from './run-query.ts';
import { createSlots } from './slots.ts';

export interface SqlEndpointOptions {
  readonly config: SqlConfig;
  /** Empty = no authentication; the configuration then allows loopback only. */
  readonly tokens: readonly BearerToken[];
  /** The engine's data directory, already open in this process. */
  readonly storePath: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Threads of the libuv pool that queries leave to the rest of the process; default 3. */
  readonly poolReserveCount?: number;
}

export interface SqlEndpoint extends Component {
  /** Where it listens; only between `start` and `stop`. */
  address(): { readonly host: string; readonly port: number };
}

/** Requests that may wait for a slot, per slot. */
const WAITING_PER_SLOT = 8;
/** A client that takes no byte for this long is cut off. */
const IDLE_MAX_MS = 30_000;
/** What running queries get at `stop` before they are cancelled. */
const STOP_GRACE_MS = 2_000;

/**
 * ClickHouse's HTTP interface, read-only, over the engine embedded in this process. Every request is on its own:
 * `session_id` is accepted and keeps nothing. Each running query holds one thread of the libuv pool for as long as it
 * runs (measured: with 4 threads and 4 queries, one insert waited 11.6 s for the first query to end), so the threads
 * are counted at start and `concurrent_queries_max` is lowered to what leaves `poolReserveCount` of them free.
 */
export function createSqlEndpoint(options: SqlEndpointOptions): SqlEndpoint {
  const { config, storePath } = options;
  let server: Server | undefined;
  let control: EngineConnection | undefined;
  const running = new Set<AbortController>();
  const resultDirectory = `${storePath}.results`;

  return {
    name: 'sql_endpoint',
    async start() {
      // Nothing in it outlives a process.
      await rm(resultDirectory, { recursive: true, force: true });
      await mkdir(resultDirectory, { recursive: true, mode: 0o700 });
      control = openEngine(storePath);
      const facts = await readFacts(control);
      const slotCount = await usableSlots(options, control);
      const runner = { config, storePath, resultDirectory, control };
      const handle = createHandler(options, runner, facts, slotCount, running);
      server = createListener(config.listener, handle);
      await listen(server, config.listener);
    },
    async stop() {
      const closing = server;
      server = undefined;
      if (closing !== undefined) {
        const closed = new Promise<void>((resolve) => closing.close(() => resolve()));
        closing.closeIdleConnections();
        const cancel = setTimeout(() => {
          for (const controller of running) controller.abort();
          closing.closeAllConnections();
        }, STOP_GRACE_MS);
        await closed;
        clearTimeout(cancel);
        // A query outlives its connection until the engine has noticed; the engine must not close before.
        while (running.size > 0) await new Promise((resolve) => setTimeout(resolve, 10));
      }
      control?.close();
      control = undefined;
      await rm(resultDirectory, { recursive: true, force: true });
    },
    address() {
      const address = server?.address();
      if (address === null || address === undefined || typeof address === 'string') {
        throw new PermanentError(
          'rejected',
          'cannot tell the address of the SQL endpoint: it is not listening',
        );
      }
      return { host: address.address, port: address.port };
    },
  };
}

async function usableSlots(options: SqlEndpointOptions, control: EngineConnection): Promise<number> {
  const { config, storePath, logger, poolReserveCount = 3 } = options;
  const wanted = config.concurrent_queries_max;
  const threads = await countPoolThreads(storePath, control, wanted + poolReserveCount);
  const slotCount = Math.max(1, Math.min(wanted, threads - poolReserveCount));
  if (slotCount < wanted) {
    logger.warn(
      { concurrentQueries: slotCount, configured: wanted, poolThreads: threads },
      'fewer SQL queries run at once than configured: the libuv pool is too small (UV_THREADPOOL_SIZE)',
    );
  }
  return slotCount;
}

async function readFacts(control: EngineConnection): Promise<ServerFacts> {
  const answer = await control.run('SELECT version(), timezone()', 'TSV');
  const [version = '', timezone = 'UTC'] = Buffer.from(answer.bytes).toString('utf8').trim().split('\t');
  return { version, timezone };
}

function createHandler(
  options: SqlEndpointOptions,
  runner: QueryRunner,
  facts: ServerFacts,
  slotCount: number,
  running: Set<AbortController>,
) {
  const { config, tokens, metrics, clock, logger } = options;
  const slots = createSlots(slotCount, slotCount * WAITING_PER_SLOT);

  async function query(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const startedMs = clock.nowMs();
    let framing: Framing = { queryId: randomUUID(), nativeCompression: false };
    let outcome = 'ok';
    let rowCount: number | undefined;
    const remote = request.socket.remoteAddress;
    const controller = new AbortController();
    const gone = () => controller.abort();
    response.once('close', gone);
    response.setTimeout(IDLE_MAX_MS, () => {
      // The timer also runs while a query computes; only a response under way can be idle.
      if (response.headersSent) response.destroy();
    });
    running.add(controller);
    try {
      const asked = await readRequest(request, url);
      framing = asked;
      const release = await slots.acquire(controller.signal);
      try {
        const result = await answer(asked, controller.signal);
        rowCount = result.rowCount;
        // The slot is held until the client has the result: results waiting on disk are bounded by the slots.
        await deliver(response, result, framing);
      } finally {
        release();
      }
    } catch (error) {
      const exception = parseEngineException(error);
      outcome = outcomeOf(exception);
      if (exception.symbol === 'UNKNOWN_EXCEPTION' && !controller.signal.aborted) {
        logger.warn({ err: error, queryId: framing.queryId }, 'a SQL request failed unexpectedly');
      }
      sendException(response, exception, framing, facts);
    } finally {
      response.off('close', gone);
      running.delete(controller);
      metrics.sqlQueries.inc({ outcome });
      logger.debug(
        {
          queryId: framing.queryId,
          remote,
          outcome,
          elapsedMs: clock.nowMs() - startedMs,
          rowCount,
        },
        'SQL query',
      );
    }
  }

  async function answer(asked: SqlRequest, signal: AbortSignal): Promise<Result> {
    if (!isHello(asked)) return runQuery(runner, asked.query, signal);
    const body = helloBlock(asked, facts.version, facts.timezone);
    const cost = { elapsedNs: '0', rowCount: 1, rowBytes: body.length };
    return { body, sizeBytes: body.length, compression: undefined, format: 'Native', ...cost };
  }

  async function deliver(response: ServerResponse, result: Result, framing: Framing): Promise<void> {
    try {
      await sendResult(response, result, framing, facts);
    } catch (cause) {
      // The only thing that fails here is the client's connection.
      if (response.destroyed) throw refusals.cancelled();
      throw cause;
    } finally {
      if (!(result.body instanceof Uint8Array)) await result.body.close().catch(() => undefined);
    }
  }

  return (request: IncomingMessage, response: ServerResponse): void => {
    request.on('error', () => response.destroy());
    const framing: Framing = { queryId: randomUUID(), nativeCompression: false };
    const url = URL.canParse(request.url ?? '/', 'http://localhost')
      ? new URL(request.url ?? '/', 'http://localhost')
      : undefined;
    if (url === undefined) {
      plain(response, 400, 'Cannot read the request: the URL is not valid.\n');
      return;
    }
    if (!['GET', 'HEAD', 'POST'].includes(request.method ?? '')) {
      response.setHeader('Allow', 'GET, HEAD, POST');
      plain(response, 405, 'Only GET, HEAD and POST are available.\n');
      return;
    }
    if (!hostIsOurs(request, config, tokens)) {
      metrics.sqlQueries.inc({ outcome: 'refused' });
      plain(response, 403, 'Refused: the Host header does not name this endpoint.\n');
      return;
    }
    if (url.pathname === '/ping' || url.pathname === '/replicas_status') {
      plain(response, 200, 'Ok.\n');
      return;
    }
    if (url.pathname !== '/' && url.pathname !== '/query') {
      plain(response, 404, `There is no handle ${url.pathname.slice(0, 200)}\n`);
      return;
    }
    if (request.method !== 'POST' && !url.searchParams.has('query')) {
      plain(response, 200, 'Ok.\n');
      return;
    }
    try {
      checkAccess(request, url, tokens);
    } catch (error) {
      metrics.sqlQueries.inc({ outcome: 'unauthorized' });
      sendException(response, parseEngineException(error), framing, facts);
      return;
    }
    void query(request, response, url);
  };
}

/**
 * Without authentication the listener is on loopback, and a web page could reach it through a name of its own that
 * resolves to this machine: only names that mean this machine are answered.
 */
function hostIsOurs(request: IncomingMessage, config: SqlConfig, tokens: readonly BearerToken[]): boolean {
  if (tokens.length > 0) return true;
  const name = (request.headers.host ?? 'localhost').replace(/:\d+$/, '').toLowerCase();
  return ['localhost', '127.0.0.1', '[::1]', config.listener.host.toLowerCase()].includes(name);
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.end(text);
}

function outcomeOf(exception: SqlException): string {
  if (exception.code === 394) return 'cancelled';
  if (exception.code === 202) return 'overloaded';
  if (exception.code === 159) return 'timeout';
  if (exception.code === 164 || exception.code === 497) return 'refused';
  return 'failed';
}
