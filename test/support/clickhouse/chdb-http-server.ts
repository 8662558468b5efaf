// Run as a process of its own by `start-clickhouse.ts`: enough of ClickHouse's HTTP interface, over chDB, for the real
// `@clickhouse/client` and `custody` to work against it. Its one argument is `ServerOptions` as JSON; it prints one JSON
// line when it listens and ends with its standard input.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gunzipSync, gzip } from 'node:zlib';
import { Session, type RawInsertFormat } from 'chdb';
import { openEngine } from '../../../sinks/store/sql-endpoint/engine.ts';
import { sqlIdentifier, sqlString } from '../../../sinks/store/sql-text.ts';
import {
  exceptionText,
  httpStatus,
  parseEngineException,
  SqlException,
} from '../../../sinks/store/sql-endpoint/exceptions.ts';
import { CONTROL_PATH, type Fault, type SeenStatement, type ServerOptions } from './control.ts';

const { directory, port, user, password, certFile, keyFile } = JSON.parse(
  process.argv[2] ?? '{}',
) as ServerOptions;

/** Parameters that are part of the request and no settings; `param_*` is set as a setting is. */
const NO_SETTINGS = new Set([
  'query',
  'query_id',
  'database',
  'default_format',
  'wait_end_of_query',
  'buffer_size',
  'user',
  'password',
  'session_id',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
]);
const INSERT =
  /^\s*INSERT INTO (?<table>[\w.]+)(?: \((?<columns>[\w, ]+)\))? FORMAT (?<format>TabSeparated|JSONEachRow)\s*$/;
const INSERT_SESSIONS = 3;
/** Statements remembered for a test that asks. */
const SEEN_MAX = 10_000;

const inserters = Array.from({ length: INSERT_SESSIONS }, () => new Session(directory));
const idle = [...inserters];
const waiting: ((session: Session) => void)[] = [];
const version = (await (inserters[0] as Session).queryAsync('SELECT version()', { format: 'TSV' }))
  .text()
  .trim();
let delayMs = 0;
let faults: Fault[] = [];
let seen: SeenStatement[] = [];

async function withInserter<T>(action: (session: Session) => Promise<T>): Promise<T> {
  const session = idle.pop() ?? (await new Promise<Session>((resolve) => waiting.push(resolve)));
  try {
    return await action(session);
  } finally {
    const next = waiting.shift();
    if (next === undefined) idle.push(session);
    else next(session);
  }
}

async function insert(
  parts: Record<string, string | undefined>,
  body: Buffer,
  settings: Map<string, string>,
) {
  const columns = parts['columns']?.split(',').map((name) => name.trim());
  const { rowsWritten } = await withInserter((session) =>
    session.insert({
      table: parts['table'] ?? '',
      format: (parts['format'] ?? '') as RawInsertFormat,
      values: body,
      settings: Object.fromEntries(settings),
      ...(columns === undefined ? {} : { columns }),
    }),
  );
  return { bytes: new Uint8Array(), rowsWritten };
}

/** Each request has a connection of its own, so its settings are gone with it. */
async function execute(statement: string, format: string, settings: Map<string, string>) {
  const connection = openEngine(directory);
  try {
    if (settings.size > 0) {
      const pairs = [...settings].map(([name, value]) => `${sqlIdentifier(name)} = ${sqlString(value)}`);
      await connection.run(`SET ${pairs.join(', ')}`, 'Null');
    }
    return { bytes: (await connection.run(statement, format)).bytes, rowsWritten: 0 };
  } finally {
    connection.close();
  }
}

function checkUser(request: IncomingMessage, query: URLSearchParams): void {
  if (user === undefined) return;
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  const [basicUser, ...basicPassword] = Buffer.from(basic ?? '', 'base64')
    .toString()
    .split(':');
  const header = (name: string) => request.headers[name] as string | undefined;
  const given = header('x-clickhouse-user') ?? query.get('user') ?? basicUser ?? '';
  const key = header('x-clickhouse-key') ?? query.get('password') ?? basicPassword.join(':');
  if (given === user && key === (password ?? '')) return;
  throw new SqlException(
    516,
    'AUTHENTICATION_FAILED',
    `${given}: Authentication failed: password is incorrect, or there is no user with such name.`,
  );
}

const takeFault = (statement: string, when: Fault['when']): Fault | undefined => {
  const index = faults.findIndex((fault) => fault.when === when && statement.includes(fault.statement));
  return index === -1 ? undefined : faults.splice(index, 1)[0];
};

/** Does what a planned fault says; true if the request has no answer any more. */
function suffer(fault: Fault | undefined, response: ServerResponse): boolean {
  if (fault === undefined) return false;
  if (fault.exception !== undefined) {
    const { code, symbol, message } = fault.exception;
    throw new SqlException(code, symbol, message);
  }
  if (fault.die === true) process.kill(process.pid, 'SIGKILL');
  response.destroy();
  return true;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const query = url.searchParams;
  if (url.pathname === '/ping') {
    response.end('Ok.\n');
    return;
  }
  const body = await bodyOf(request);
  if (url.pathname === CONTROL_PATH) {
    const control = JSON.parse(body.toString()) as { delayMs?: number; faults?: Fault[] };
    delayMs = control.delayMs ?? delayMs;
    faults = control.faults ?? faults;
    response.end(JSON.stringify(seen));
    seen = [];
    return;
  }
  checkUser(request, query);
  if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
  const inUrl = query.get('query') ?? '';
  const parts = INSERT.exec(inUrl)?.groups;
  const statement = parts === undefined ? `${inUrl}${inUrl === '' ? '' : '\n'}${body.toString()}` : inUrl;
  const settings = new Map([...query].filter(([name]) => !NO_SETTINGS.has(name)));
  if (seen.length < SEEN_MAX) seen.push({ statement, settings: Object.fromEntries(settings) });
  if (suffer(takeFault(statement, 'before'), response)) return;
  const { bytes, rowsWritten } =
    parts === undefined
      ? await execute(statement, query.get('default_format') ?? 'TabSeparated', settings)
      : await insert(parts, body, settings);
  if (suffer(takeFault(statement, 'after'), response)) return;
  response.setHeader('x-clickhouse-query-id', query.get('query_id') ?? '');
  response.setHeader('x-clickhouse-summary', JSON.stringify({ written_rows: String(rowsWritten) }));
  const compress =
    query.get('enable_http_compression') === '1' &&
    /\bgzip\b/.test(request.headers['accept-encoding'] as string);
  if (!compress) {
    response.end(bytes);
    return;
  }
  response.setHeader('content-encoding', 'gzip');
  response.end(await promisify(gzip)(bytes, { level: 1 }));
}

function handle(request: IncomingMessage, response: ServerResponse): void {
  answer(request, response).catch((error: unknown) => {
    if (response.headersSent || response.destroyed) return;
    const exception = parseEngineException(error);
    response.statusCode = httpStatus(exception.code);
    response.setHeader('x-clickhouse-exception-code', String(exception.code));
    response.end(exceptionText(exception, version));
  });
}

const server =
  certFile === undefined || keyFile === undefined
    ? createServer(handle)
    : createTlsServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, handle);
server.keepAliveTimeout = 10_000;
server.listen(port, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port, version })}\n`);
});
const end = () => {
  server.close();
  server.closeAllConnections();
  for (const session of inserters) session.close();
  process.exit(0);
};
process.stdin.on('end', end).resume();
process.on('SIGTERM', end);
