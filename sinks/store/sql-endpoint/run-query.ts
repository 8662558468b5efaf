import { randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { SqlConfig } from '../../../schemas/config.ts';
import { sqlIdentifier, sqlString } from '../sql-text.ts';
import { openEngine, type EngineConnection } from './engine.ts';
import { parseEngineException, refusals } from './exceptions.ts';
import { limitsSql, parametersSql, requestSettingsSql } from './settings.ts';
import { checkTree, readStatement, type Statement } from './statement.ts';

/** What a client asked for, before anything of it was checked. */
export interface Query {
  readonly text: string;
  readonly database: string | undefined;
  readonly settings: ReadonlyMap<string, string>;
  readonly parameters: ReadonlyMap<string, string>;
  readonly defaultFormat: string;
  /** Compress the result in the engine, if it goes through a file. */
  readonly compression: 'gzip' | 'deflate' | 'br' | 'zstd' | undefined;
}

/** A finished result: an open file whose name is already gone, or a few bytes. */
export interface Result {
  readonly body: FileHandle | Uint8Array;
  readonly sizeBytes: number;
  readonly compression: Query['compression'];
  readonly format: string;
  readonly elapsedNs: string;
  readonly rowCount: number;
  /** In the engine's memory, not as text. */
  readonly rowBytes: number;
}

export interface QueryRunner {
  readonly config: SqlConfig;
  readonly storePath: string;
  /** Where results are written before they are sent; private to this process. */
  readonly resultDirectory: string;
  /** A connection kept open only to cancel with. */
  readonly control: EngineConnection;
}

/** How often a running query's file is measured, and a cancelled query is told again. */
const POLL_MS = 100;

/**
 * Checks and runs one statement, read-only, within the configured limits.
 *
 * The result is written to a file by the engine (`INTO OUTFILE`) and sent from there, instead of being streamed from
 * the engine: chDB's streaming call plans on the calling thread (a scalar subquery then stops the whole process for
 * as long as it runs), and repeats the header of formats that have one in every chunk. Through the file every format
 * is exact, memory stays flat for a result of any size, an error always arrives before the first byte, and a slow
 * client holds no query.
 * @throws SqlException
 */
export async function runQuery(runner: QueryRunner, query: Query, signal: AbortSignal): Promise<Result> {
  const path = join(runner.resultDirectory, randomUUID());
  const connection = openEngine(runner.storePath);
  try {
    const { statement, kind } = await prepare(runner, connection, query);
    if (signal.aborted) throw refusals.cancelled();
    const format = statement.format ?? query.defaultFormat;
    const settings = requestSettingsSql(query.settings, runner.config);
    const id = randomUUID();
    await connection.run(
      [...(settings === undefined ? [] : [settings]), `SET log_comment = '${id}'`, 'SET readonly = 1'].join(
        '; ',
      ),
      'Null',
    );
    const spooled = kind.startsWith('Select');
    const compression = spooled ? query.compression : undefined;
    const sql = spooled ? `${statement.text} ${outputClause(path, format, compression)}` : statement.text;
    const watch = watchQuery(runner, id, path, signal);
    let answer;
    try {
      answer = await connection.run(sql, format);
    } catch (error) {
      throw watch.reason() ?? error;
    } finally {
      watch.stop();
    }
    const body = spooled ? await openAndUnlink(path) : answer.bytes;
    return {
      body,
      sizeBytes: body instanceof Uint8Array ? body.length : (await body.stat()).size,
      compression,
      format,
      elapsedNs: String(Math.max(0, Math.round(answer.elapsed * 1e9))),
      rowCount: answer.rowsRead,
      rowBytes: answer.bytesRead,
    };
  } catch (error) {
    await rm(path, { force: true });
    throw parseEngineException(error, path);
  } finally {
    connection.close();
  }
}

/**
 * Has the engine parse the text and give it back in its own rendering: one statement, no comments. Only that
 * rendering is checked, and only that rendering is run, so there is no second parser to disagree with.
 */
async function prepare(runner: QueryRunner, connection: EngineConnection, query: Query) {
  if (/^\s*insert\b/i.test(query.text)) {
    // Only for a better answer: rows that follow an INSERT do not parse as a statement.
    throw refusals.readonly('Cannot execute query in readonly mode: INSERT.');
  }
  const parameters = parametersSql(query.parameters);
  const prelude = [limitsSql(runner.config), ...(parameters === undefined ? [] : [parameters])];
  if (query.database !== undefined && query.database !== '') {
    if (query.database === 'system') throw refusals.denied('Not enough privileges: database system.');
    prelude.push(`USE ${sqlIdentifier(query.database)}`);
  }
  await connection.run(prelude.join('; '), 'Null');
  const rendered = await connection.run(`SELECT formatQuerySingleLine(${sqlString(query.text)})`, 'TSVRaw');
  const statement: Statement = readStatement(Buffer.from(rendered.bytes).toString('utf8').trimEnd());
  const tree = await connection.run(`EXPLAIN AST ${statement.text}`, 'TSVRaw');
  return { statement, kind: checkTree(Buffer.from(tree.bytes).toString('utf8')) };
}

function outputClause(path: string, format: string, compression: Query['compression']): string {
  const compressed = compression === undefined ? '' : ` COMPRESSION '${compression}'`;
  return `INTO OUTFILE ${sqlString(path)}${compressed} FORMAT ${sqlIdentifier(format)}`;
}

/**
 * Ends a query whose client is gone or whose file has grown past the limit (the engine's own limit counts its
 * in-memory form, which text formats exceed). KILL runs on this thread: with the pool full of slow queries it must
 * not wait for one of them. It is repeated because a query still waiting for a thread cannot be killed yet.
 */
function watchQuery(runner: QueryRunner, id: string, path: string, signal: AbortSignal) {
  let reason: Error | undefined;
  const kill = () => runner.control.runSync(`KILL QUERY WHERE Settings['log_comment'] = '${id}' ASYNC`);
  const check = () => {
    if (signal.aborted) reason ??= refusals.cancelled();
    else if (fileSize(path) > runner.config.result_max_bytes) {
      reason ??= refusals.resultTooLarge(
        `Limit for result exceeded, max bytes: ${runner.config.result_max_bytes}.`,
      );
    }
    if (reason !== undefined) kill();
  };
  const timer = setInterval(check, POLL_MS);
  signal.addEventListener('abort', check, { once: true });
  return {
    reason: () => reason,
    stop() {
      clearInterval(timer);
      signal.removeEventListener('abort', check);
    },
  };
}

const fileSize = (path: string) => (existsSync(path) ? statSync(path).size : 0);

/** The name goes at once: whatever happens next, the file goes with its last descriptor. */
async function openAndUnlink(path: string): Promise<FileHandle | Uint8Array> {
  if (!existsSync(path)) return new Uint8Array(0);
  const handle = await open(path, 'r');
  await rm(path, { force: true });
  return handle;
}
