import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { encodeBlock } from './compressed-blocks.ts';
import { exceptionText, httpStatus, type SqlException } from './exceptions.ts';
import { DISPLAY_NAME } from './native-hello.ts';
import type { Result } from './run-query.ts';

/** What the engine said of itself at start. */
export interface ServerFacts {
  readonly version: string;
  readonly timezone: string;
}

/** How a response is framed, as far as it was known when the response began. */
export interface Framing {
  readonly queryId: string;
  readonly nativeCompression: boolean;
}

/** 64 KiB is what a stream reads by default; fewer, larger reads keep the copy cheap. */
const CHUNK_BYTES = 256 * 1024;

const contentTypes: readonly (readonly [RegExp, string])[] = [
  [/^JSON(?:Strings|Compact(?:Strings)?|ColumnsWithMetadata)?$/, 'application/json; charset=UTF-8'],
  [/^JSON.*EachRow|^PrettyJSON/, 'application/x-ndjson; charset=UTF-8'],
  [/^JSON/, 'application/json; charset=UTF-8'],
  [/^CSV/, 'text/csv; charset=UTF-8; header=absent'],
  [/^(?:TSV|TabSeparated)/, 'text/tab-separated-values; charset=UTF-8'],
  [/^XML$/, 'application/xml; charset=UTF-8'],
  [/^(?:Native|RowBinary|Parquet|ORC|Arrow|Avro|MsgPack|Npy|BSON)/, 'application/octet-stream'],
];

function setCommonHeaders(response: ServerResponse, framing: Framing): void {
  response.setHeader('X-ClickHouse-Server-Display-Name', DISPLAY_NAME);
  response.setHeader('X-ClickHouse-Query-Id', framing.queryId);
  // The body is whatever a reader selected: never let a browser guess a type.
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Cache-Control', 'no-store');
}

/** Sends a finished result, reading the file no faster than the client takes it. */
export async function sendResult(
  response: ServerResponse,
  result: Result,
  framing: Framing,
  facts: ServerFacts,
): Promise<void> {
  setCommonHeaders(response, framing);
  const type = contentTypes.find(([pattern]) => pattern.test(result.format))?.[1];
  response.setHeader('Content-Type', type ?? 'text/plain; charset=UTF-8');
  response.setHeader('X-ClickHouse-Format', result.format);
  response.setHeader('X-ClickHouse-Timezone', facts.timezone);
  response.setHeader('X-ClickHouse-Summary', summary(result));
  if (result.compression !== undefined) response.setHeader('Content-Encoding', result.compression);
  if (!framing.nativeCompression) response.setHeader('Content-Length', result.sizeBytes);
  if (result.body instanceof Uint8Array) {
    const bytes = Buffer.from(result.body);
    response.end(framing.nativeCompression && bytes.length > 0 ? encodeBlock(bytes) : bytes);
    return;
  }
  const source = result.body.createReadStream({ highWaterMark: CHUNK_BYTES });
  if (framing.nativeCompression) await pipeline(source, inBlocks, response);
  else await pipeline(source, response);
}

async function* inBlocks(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield encodeBlock(chunk);
}

function summary(result: Result): string {
  // The embedded engine counts what it gives, not what it reads: no read_rows, rather than a wrong one.
  return JSON.stringify({
    result_rows: String(result.rowCount),
    result_bytes: String(result.rowBytes),
    elapsed_ns: result.elapsedNs,
  });
}

/** Sends an exception as ClickHouse does: status, code header, text. */
export function sendException(
  response: ServerResponse,
  exception: SqlException,
  framing: Framing,
  facts: ServerFacts,
): void {
  if (response.headersSent || response.destroyed) {
    // Part of a result is out: an aborted body is the only way left to say that it is not whole.
    response.destroy();
    return;
  }
  setCommonHeaders(response, framing);
  response.statusCode = httpStatus(exception.code);
  response.setHeader('X-ClickHouse-Exception-Code', exception.code);
  response.setHeader('Content-Type', 'text/plain; charset=UTF-8');
  if (exception.code === 202) response.setHeader('Retry-After', '1');
  if (exception.code === 194) response.setHeader('WWW-Authenticate', 'Basic realm="custody"');
  // The rest of a body that was too large is not read for another request.
  if (exception.code === 229) response.setHeader('Connection', 'close');
  const text = Buffer.from(exceptionText(exception, facts.version), 'utf8');
  response.end(framing.nativeCompression ? encodeBlock(text) : text);
}
