import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { authenticate, type BearerToken } from '../../../runtime/bearer.ts';
import { decodeBlocks } from './compressed-blocks.ts';
import { refusals } from './exceptions.ts';
import type { Query } from './run-query.ts';

/** The largest query text, after decompression. Settings and parameters travel in the URL, which has its own bound. */
export const QUERY_MAX_BYTES = 1024 * 1024;

/** A request as the HTTP layer understands it. */
export interface SqlRequest {
  readonly query: Query;
  readonly queryId: string;
  /** Answer in ClickHouse's compressed blocks. */
  readonly nativeCompression: boolean;
  /** The revision of the Native format the client says it reads; 0 = the plain one. */
  readonly clientProtocolRevision: number;
}

/** URL parameters that are about the transport and never reach the engine. */
const transportParameters: ReadonlySet<string> = new Set([
  'query',
  'database',
  'default_format',
  'query_id',
  'user',
  'password',
  'compress',
  'decompress',
  'enable_http_compression',
  'buffer_size',
  'client_protocol_version',
  'close_session',
  'quota_key',
  'role',
  'session_check',
  'session_id',
  'session_timeout',
  'stacktrace',
]);

const single = (value: string | string[] | undefined) => (Array.isArray(value) ? value[0] : value);
const nonEmpty = (value: string | null | undefined) =>
  value === null || value === undefined || value === '' ? undefined : value;

/**
 * Checks who asks: a bearer token, or the same secret as ClickHouse clients send a password (Basic, X-ClickHouse-Key,
 * `password=`); the user name is not looked at.
 * @throws SqlException REQUIRED_PASSWORD or AUTHENTICATION_FAILED
 */
export function checkAccess(request: IncomingMessage, url: URL, tokens: readonly BearerToken[]): void {
  const header = request.headers.authorization ?? '';
  const basic = /^Basic +([A-Za-z0-9+/=_-]+)$/i.exec(header)?.[1];
  const decoded = basic === undefined ? '' : Buffer.from(basic, 'base64').toString('utf8');
  const secret =
    nonEmpty(single(request.headers['x-clickhouse-key'])) ??
    nonEmpty(decoded.includes(':') ? decoded.slice(decoded.indexOf(':') + 1) : undefined) ??
    nonEmpty(url.searchParams.get('password'));
  const answer = authenticate(secret === undefined ? header : `Bearer ${secret}`, tokens);
  if (!answer.ok) throw answer.reason === 'missing' ? refusals.noPassword() : refusals.wrongPassword();
}

/**
 * Reads the query, its settings and parameters out of URL, headers and body.
 * @throws SqlException
 */
export async function readRequest(request: IncomingMessage, url: URL): Promise<SqlRequest> {
  const settings = new Map<string, string>();
  const parameters = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (name.startsWith('param_')) parameters.set(name.slice('param_'.length), value);
    else if (!transportParameters.has(name)) settings.set(name, value);
  }
  const body = request.method === 'POST' ? await readBody(request, url) : '';
  const inUrl = url.searchParams.get('query') ?? '';
  // As ClickHouse does: the URL's part first, the body after a line break.
  const text = inUrl !== '' && body !== '' ? `${inUrl}\n${body}` : inUrl + body;
  return {
    query: {
      text,
      database:
        nonEmpty(url.searchParams.get('database')) ??
        nonEmpty(single(request.headers['x-clickhouse-database'])),
      settings,
      parameters,
      defaultFormat: readFormat(
        nonEmpty(url.searchParams.get('default_format')) ??
          nonEmpty(single(request.headers['x-clickhouse-format'])) ??
          'TabSeparated',
      ),
      compression: acceptedCompression(request, url),
    },
    queryId: readQueryId(url.searchParams.get('query_id')),
    nativeCompression: url.searchParams.get('compress') === '1',
    clientProtocolRevision: Number.parseInt(url.searchParams.get('client_protocol_version') ?? '0', 10) || 0,
  };
}

function readFormat(format: string): string {
  if (!/^[A-Za-z0-9_]{1,64}$/.test(format))
    throw refusals.badArguments('Cannot use default_format: not a name.');
  return format;
}

/** The id is echoed in a header, so it is held to what ids are made of. */
function readQueryId(queryId: string | null): string {
  if (queryId === null || queryId === '') return randomUUID();
  if (!/^[\w.:@/+-]{1,128}$/.test(queryId)) {
    throw refusals.badArguments(
      'Cannot use query_id: only letters, digits and _.:@/+- are accepted, at most 128.',
    );
  }
  return queryId;
}

function acceptedCompression(request: IncomingMessage, url: URL): Query['compression'] {
  if (url.searchParams.get('enable_http_compression') !== '1') return undefined;
  if (url.searchParams.get('compress') === '1') return undefined;
  const accepted = (single(request.headers['accept-encoding']) ?? '')
    .split(',')
    .map((part) => part.trim().toLowerCase())
    .filter((part) => !/;\s*q=0(?:\.0*)?$/.test(part))
    .map((part) => part.split(';', 1)[0]?.trim());
  return (['zstd', 'gzip', 'br', 'deflate'] as const).find((method) => accepted.includes(method));
}

async function readBody(request: IncomingMessage, url: URL): Promise<string> {
  if (request.headers['content-type']?.toLowerCase().startsWith('multipart/') === true) {
    throw refusals.notImplemented('External tables (multipart bodies) are not available on this endpoint.');
  }
  const decoder = decoderOf(request.headers['content-encoding']);
  try {
    const bytes = await readBounded(decoder === undefined ? request : request.pipe(decoder));
    const plain = url.searchParams.get('decompress') === '1' ? decodeBlocks(bytes, QUERY_MAX_BYTES) : bytes;
    return plain.toString('utf8');
  } finally {
    request.unpipe();
    decoder?.destroy();
  }
}

function decoderOf(contentEncoding: string | undefined) {
  switch (contentEncoding?.trim().toLowerCase() ?? 'identity') {
    case 'identity':
    case '':
      return undefined;
    case 'gzip':
      return createGunzip();
    case 'deflate':
      return createInflate();
    case 'br':
      return createBrotliDecompress();
    default:
      throw refusals.cannotDecompress('Cannot decompress: Content-Encoding is not gzip, deflate or br.');
  }
}

/**
 * Attacker-controlled bytes: stops reading one chunk past the bound. The request itself is not destroyed, so that the
 * refusal still reaches the client.
 */
async function readBounded(source: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  try {
    for await (const chunk of source.iterator({ destroyOnReturn: false })) {
      const bytes = chunk as Buffer;
      total += bytes.length;
      if (total > QUERY_MAX_BYTES) throw refusals.tooLarge(`Query is larger than ${QUERY_MAX_BYTES} bytes.`);
      chunks.push(bytes);
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code.startsWith('Z_') || code.startsWith('ERR_')) {
      throw refusals.cannotDecompress('Cannot decompress: the body is broken.');
    }
    if (code === 'ECONNRESET') throw refusals.cancelled();
    throw error;
  }
  return Buffer.concat(chunks);
}
