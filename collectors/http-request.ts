import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { HttpRefusal, type HttpAnswer } from './http-answer.ts';

const DRAIN_REQUESTS = 4;
const DRAIN_MIN_BYTES = 8 * 1024 * 1024;

export type ContentEncoding = 'identity' | 'gzip' | 'deflate';

/** The media type without parameters, lower case; empty if the sender named none. */
export function mediaTypeOf(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

export function contentEncoding(request: IncomingMessage): ContentEncoding {
  const named = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (named === 'identity' || named === 'gzip' || named === 'deflate') return named;
  throw new HttpRefusal(
    415,
    'unsupported_encoding',
    'cannot take the request: the content encoding must be gzip, deflate or identity',
  );
}

/**
 * Without tokens the listener is for this machine alone. A web page can reach it too if its host name is made to
 * resolve to 127.0.0.1 (DNS rebinding), so only addresses and `localhost` may stand in the Host header then.
 */
export function requireLocalHost(request: IncomingMessage): void {
  const host = (request.headers.host ?? '').toLowerCase();
  const name = host.startsWith('[') ? host.slice(1, host.indexOf(']')) : (host.split(':', 1)[0] ?? '');
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return;
  throw new HttpRefusal(
    403,
    'forbidden_host',
    'cannot take the request: without a token the host must be an address or localhost',
  );
}

export function unknownPath(path: string): HttpRefusal {
  return path === '/v1/metrics'
    ? new HttpRefusal(404, 'not_collected', 'cannot take metrics: only traces and logs are collected')
    : new HttpRefusal(404, 'not_found', 'cannot take the request: no such path');
}

/** Sends a whole answer; with `close` the connection ends after it. */
export function send(response: ServerResponse, answer: HttpAnswer, close: boolean): void {
  if (response.destroyed) return;
  response.writeHead(answer.status, {
    ...answer.headers,
    ...(close ? { connection: 'close' } : {}),
    'content-type': answer.contentType,
    'content-length': answer.body.length,
    'x-content-type-options': 'nosniff',
  });
  response.end(answer.body);
}

/**
 * After an early refusal the rest of the body is read and thrown away, so that the sender gets to see the answer; a
 * sender that goes on far beyond what a request may hold is cut off.
 */
export function drain(request: IncomingMessage, requestMaxBytes: number): void {
  const maxBytes = Math.max(DRAIN_MIN_BYTES, DRAIN_REQUESTS * requestMaxBytes);
  let size = 0;
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > maxBytes) request.destroy();
  });
  request.resume();
}
