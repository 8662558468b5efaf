import { readRunFile } from '../pipeline/run-file.ts';
import { ConfigError, InputError, PermanentError, TransientError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import { readTokens } from './secrets.ts';

export interface AdminOptions {
  /** Base URL of a process's admin listener; default: the pipeline that runs on the data directory. */
  readonly admin?: string;
  /** Name of the token to use; default: the first one. */
  readonly as?: string;
}

/**
 * Asks the admin endpoint of a running pipeline and gives its JSON answer.
 * @throws ConfigError where there is no such token or, in a fleet, no address; TransientError where none runs;
 * InputError and PermanentError with what the endpoint said.
 */
export async function askAdmin(
  config: Config,
  options: AdminOptions,
  request: { readonly method: 'GET' | 'POST'; readonly path: string; readonly body?: unknown },
): Promise<unknown> {
  const base = baseOf(config, options);
  const headers: Record<string, string> = {};
  const token = tokenOf(config, options);
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
  if (request.body !== undefined) headers['content-type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(new URL(request.path, base), {
      method: request.method,
      headers,
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
  } catch (cause) {
    throw new TransientError('unavailable', `cannot reach the admin endpoint ${base}: it does not answer`, {
      cause,
    });
  }
  const answer = await jsonOf(response);
  if (response.ok) return answer;
  const said = (answer as { error?: { message?: unknown } } | undefined)?.error?.message;
  const reason = typeof said === 'string' ? said : `the admin endpoint answered HTTP ${response.status}`;
  if (response.status === 401)
    throw new InputError('unauthorized', 'cannot ask the admin endpoint: it wants a token (admin.tokens)');
  if (response.status === 400 || response.status === 413) throw new InputError('input_invalid', reason);
  if (response.status >= 500) throw new TransientError('unavailable', reason);
  throw new PermanentError('rejected', reason);
}

function baseOf(config: Config, { admin }: AdminOptions): string {
  if (admin !== undefined) {
    if (URL.canParse(admin) && /^https?:$/.test(new URL(admin).protocol)) return admin;
    throw new ConfigError(`cannot use --admin ${admin}: it is no http or https URL`, { path: '--admin' });
  }
  if (config.log.type === 'kafka')
    throw new ConfigError(
      'cannot find the admin endpoint: in a fleet, name a process with the role ledger: --admin https://host:8470',
      { path: '--admin' },
    );
  const run = readRunFile(config.data_dir);
  if (run === undefined)
    throw new TransientError(
      'unavailable',
      `cannot change anything: no pipeline runs on data directory ${config.data_dir}, and a change is a record in its log (custody start)`,
    );
  if (run.admin === undefined)
    throw new PermanentError(
      'rejected',
      'cannot change anything: the running pipeline has admin.listener.enabled: false',
    );
  return `${run.admin.tls ? 'https' : 'http'}://${run.admin.host}:${run.admin.port}`;
}

function tokenOf(config: Config, { as }: AdminOptions): string | undefined {
  const tokens = readTokens(config.admin.tokens, 'admin.tokens', process.env);
  if (as === undefined) return tokens[0]?.value;
  const found = tokens.find(({ name }) => name === as);
  if (found === undefined)
    throw new ConfigError(`cannot act as ${as}: no token in admin.tokens has that name`, { path: '--as' });
  return found.value;
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}
