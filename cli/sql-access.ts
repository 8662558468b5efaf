import { Readable } from 'node:stream';
import { InputError, PermanentError, TransientError } from '../runtime/errors.ts';
import type { Config, ServerStoreConfig } from '../schemas/config.ts';
import { readRunFile } from '../pipeline/run-file.ts';
import { parameterFields, valueMissing } from './query-parameters.ts';
import { readSecret, readTokens } from './secrets.ts';

/** UNKNOWN_QUERY_PARAMETER: the statement has a parameter that the request gives no value. */
const VALUE_MISSING = 456;

/** The store's ClickHouse HTTP interface: the running pipeline's, or one opened for this command alone. */
export interface SqlAccess {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** True when a pipeline is running on the data directory. */
  readonly live: boolean;
  /** Runs one statement; the answer is a stream in the asked format. */
  query(
    statement: string,
    options?: {
      readonly format?: string;
      /** Values of `{name:Type}` in the statement, any text; bound by the store. */
      readonly parameters?: Readonly<Record<string, string>>;
      readonly settings?: Readonly<Record<string, string>>;
    },
  ): Promise<Response>;
  close(): Promise<void>;
}

/** @throws TransientError `unavailable` when the endpoint does not answer; PermanentError `locked` when the data is in use. */
export async function openSqlAccess(config: Config): Promise<SqlAccess> {
  if (config.store.type === 'clickhouse') return serverAccess(config.store);
  const run = readRunFile(config.data_dir);
  const token = readTokens(config.sql.tokens, 'sql.tokens', process.env)[0]?.value;
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  if (run !== undefined) {
    if (run.sql === undefined)
      throw new PermanentError(
        'rejected',
        'cannot query: the running pipeline has sql.listener.enabled: false',
      );
    const url = `${run.sql.tls ? 'https' : 'http'}://${run.sql.host}:${run.sql.port}/`;
    return access(url, headers, true, () => Promise.resolve());
  }
  const { serveStoppedStore } = await import('../pipeline/stopped-store.ts');
  const stopped = await serveStoppedStore(config);
  return access(stopped.url, {}, false, () => stopped.close());
}

/** A ClickHouse server, asked as the configured user. */
async function serverAccess(config: ServerStoreConfig): Promise<SqlAccess> {
  const [{ createServerClient }, { serverError }, { engineCode }] = await Promise.all([
    import('../sinks/store/server-client.ts'),
    import('../sinks/store/server-error.ts'),
    import('../sinks/store/clickhouse-error.ts'),
  ]);
  const password =
    config.password === undefined ? undefined : readSecret(config.password, 'store.password', process.env);
  const client = createServerClient({ config, password });
  return {
    url: config.url,
    headers: {},
    live: true,
    close: () => client.close(),
    async query(statement, { format, parameters = {}, settings = {} } = {}) {
      const hasFormat = /\bFORMAT\s+\w+\s*;?\s*$/i.test(statement);
      try {
        const { stream } = await client.exec({
          query: format === undefined || hasFormat ? statement : `${statement} FORMAT ${format}`,
          // Not as query_params: the client would escape the quotes in a list, which then is none.
          clickhouse_settings: { ...settings, ...parameterFields(parameters), readonly: '2' },
        });
        return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>);
      } catch (cause) {
        if (engineCode(cause) === VALUE_MISSING) throw valueMissing(statement, parameters, cause);
        throw serverError(config.url, cause);
      }
    },
  };
}

function access(
  url: string,
  headers: Readonly<Record<string, string>>,
  live: boolean,
  close: () => Promise<void>,
): SqlAccess {
  return {
    url,
    headers,
    live,
    close,
    async query(statement, options = {}) {
      const { parameters = {} } = options;
      const target = new URL(url);
      if (options.format !== undefined) target.searchParams.set('default_format', options.format);
      for (const [name, value] of Object.entries({ ...options.settings, ...parameterFields(parameters) }))
        target.searchParams.set(name, value);
      let response: Response;
      try {
        response = await fetch(target, { method: 'POST', body: statement, headers });
      } catch (cause) {
        throw new TransientError('unavailable', `cannot reach the SQL endpoint ${url}: it does not answer`, {
          cause,
        });
      }
      if (response.ok) return response;
      const reason = (await response.text()).trim();
      if (response.headers.get('x-clickhouse-exception-code') === String(VALUE_MISSING))
        throw valueMissing(statement, parameters);
      if (response.status === 401 || response.status === 403)
        throw new InputError('unauthorized', `cannot query: ${reason}`);
      throw new InputError('input_invalid', `cannot query: ${reason}`);
    },
  };
}
