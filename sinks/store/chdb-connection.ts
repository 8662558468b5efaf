import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ClickHouseClientConfigOptions, ClickHouseSettings } from '@clickhouse/client';
import { type RawInsertFormat, Session } from 'chdb';

/** What `createClient({ connection })` takes: the client's own transport interface. */
type Connection = NonNullable<ClickHouseClientConfigOptions['connection']>;

const INSERT =
  /^\s*INSERT INTO (?<table>[\w.]+)(?: \((?<columns>[\w, ]+)\))? FORMAT (?<format>TabSeparated|JSONEachRow)\s*$/;

/** Settings the client adds for HTTP, without meaning in process. */
const HTTP_ONLY = new Set([
  'wait_end_of_query',
  'date_time_output_format',
  'output_format_json_quote_64bit_integers',
]);

const NO_SUMMARY = {
  read_rows: '0',
  read_bytes: '0',
  written_bytes: '0',
  result_rows: '0',
  result_bytes: '0',
  total_rows_to_read: '0',
  elapsed_ns: '0',
};

export interface ChdbConnectionOptions {
  readonly path: string;
  /** Engine options in `clickhouse local` form; those of the first session on a path count. */
  readonly connectionArgs: readonly string[];
}

/**
 * Carries `@clickhouse/client` to the engine in this process. Differs from the connection chDB ships in two points
 * that matter here: an insert hands over its exact bytes, and an answer is streamed instead of held whole.
 *
 * One session serialises its queries, so inserts and statements share one and each answer that is streamed has its own.
 * Settings of reads belong in the statement (`SETTINGS ...`).
 */
export function createChdbConnection(options: ChdbConnectionOptions): Connection {
  const open = () => new Session(options.path, { connectionArgs: options.connectionArgs });
  const writer = open();
  const idle: Session[] = [];
  const all = new Set<Session>([writer]);

  async function* stream(statement: string): AsyncGenerator<Uint8Array> {
    let session = idle.pop();
    if (session === undefined) all.add((session = open()));
    const answer = session.queryStream(statement, { format: 'TabSeparated' });
    try {
      for await (const chunk of answer) yield chunk.raw();
    } finally {
      answer.cancel();
      idle.push(session);
    }
  }
  const answer = (statement: string, queryId: string | undefined) =>
    Promise.resolve({
      stream: Readable.from(stream(statement), { objectMode: false }),
      query_id: queryId ?? randomUUID(),
      response_headers: {},
      http_status_code: 200,
    });
  const done = (queryId: string | undefined, writtenRows: number) => ({
    query_id: queryId ?? randomUUID(),
    response_headers: {},
    http_status_code: 200,
    summary: { ...NO_SUMMARY, written_rows: String(writtenRows) },
  });

  return {
    async ping() {
      try {
        await writer.queryAsync('SELECT 1');
        return { success: true };
      } catch (error) {
        return { success: false, error: error instanceof Error ? error : new Error(String(error)) };
      }
    },
    query: ({ query, query_id }) => answer(query, query_id),
    exec: async ({ query, query_id }) => ({
      ...(await answer(query, query_id)),
      summary: { ...NO_SUMMARY, written_rows: '0' },
    }),
    async command({ query, query_id }) {
      await writer.queryAsync(query);
      return done(query_id, 0);
    },
    async insert({ query, values, clickhouse_settings, query_id }) {
      const parts = INSERT.exec(query)?.groups;
      if (parts?.['table'] === undefined || parts['format'] === undefined) {
        throw new TypeError(
          'cannot insert: only INSERT INTO table (columns) FORMAT TabSeparated or JSONEachRow',
        );
      }
      const columns = parts['columns']?.split(',').map((name) => name.trim());
      const result = await writer.insert({
        table: parts['table'],
        format: parts['format'] as RawInsertFormat,
        values: await bytesOf(values),
        settings: engineSettings(clickhouse_settings),
        ...(columns === undefined ? {} : { columns }),
      });
      return done(query_id, result.rowsWritten);
    },
    close() {
      for (const session of all) session.close();
      return Promise.resolve();
    },
  };
}

async function bytesOf(values: string | Readable): Promise<Buffer> {
  if (typeof values === 'string') return Buffer.from(values, 'utf8');
  const chunks: Buffer[] = [];
  for await (const chunk of values)
    chunks.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk as string, 'utf8'));
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

function engineSettings(settings: ClickHouseSettings | undefined): Record<string, string | number | boolean> {
  const kept: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(settings ?? {})) {
    if (HTTP_ONLY.has(name) || value === undefined) continue;
    kept[name] = typeof value === 'number' || typeof value === 'boolean' ? value : String(value);
  }
  return kept;
}
