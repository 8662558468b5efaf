import {
  createServer as createHttp,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Component } from '../runtime/component.ts';
import { TransientError } from '../runtime/errors.ts';
import { createAdmission } from './admission.ts';
import { HttpRefusal, reasonAnswer, refusalOf, type HttpAnswer, type Refusal } from './http-answer.ts';
import { contentEncoding, drain, mediaTypeOf, requireLocalHost, send, unknownPath } from './http-request.ts';
import { httpRoutes, type Route } from './http-routes.ts';
import { inFlight } from './in-flight.ts';
import type { IngestDeps } from './intake.ts';
import { listenError, readTls, tlsServerOptions } from '../runtime/listen.ts';
import { AbortedRequest, readRequestBody } from './request-body.ts';

/** The HTTP receiver: `POST /v1/traces`, `/v1/logs` (OTLP), `/v1/audit`, `/v1/events`, `/v1/receipts`. */
export interface IngestHttp extends Component {
  /** Where it listens; throws before `start`. */
  address(): { readonly host: string; readonly port: number };
}

/** How long a slow sender may take; both count from the start of the request. */
export interface HttpTimeouts {
  readonly headersMs: number;
  readonly requestMs: number;
}

const TIMEOUTS: HttpTimeouts = { headersMs: 30_000, requestMs: 60_000 };
const INTERNAL: Refusal = {
  status: 500,
  code: 'internal',
  message: 'cannot take the request: internal error',
  path: undefined,
  headers: {},
};

/** Creates the receiver; it listens on `start`. Every answer of success means the request's records are durable. */
export function createIngestHttp(deps: IngestDeps, timeouts: HttpTimeouts = TIMEOUTS): IngestHttp {
  const { config, logger, metrics } = deps;
  const routes = httpRoutes(deps);
  const admit = createAdmission(deps);
  const bodies = inFlight(config.in_flight_max_bytes);
  let server: Server | undefined;
  let stopping = false;
  /** Requests read whole and not answered yet. */
  let takenCount = 0;
  let whenNoneTaken: (() => void) | undefined;

  function requireRunning(): void {
    if (stopping) {
      throw new TransientError('unavailable', 'cannot take the request: the receiver is stopping');
    }
  }

  async function answerTo(
    request: IncomingMessage,
    response: ServerResponse,
    route: Route,
    mediaType: string,
  ): Promise<HttpAnswer> {
    requireRunning();
    if (request.method !== 'POST') {
      throw new HttpRefusal(405, 'method_not_allowed', 'cannot take the request: only POST is allowed', {
        allow: 'POST',
      });
    }
    if (deps.tokens.length === 0) requireLocalHost(request);
    const sender = admit(request.headers.authorization, request.socket.remoteAddress ?? '');
    if (!route.mediaTypes.includes(mediaType)) {
      throw new HttpRefusal(
        415,
        'unsupported_media_type',
        `cannot take the request: the content type must be one of ${route.mediaTypes.join(', ')}`,
      );
    }
    const encoding = contentEncoding(request);
    const reservation = bodies.open();
    try {
      const body = await readRequestBody(request, encoding, config.request_max_bytes, reservation);
      requireRunning();
      takenCount++;
      response.once('close', () => {
        if (--takenCount === 0) whenNoneTaken?.();
      });
      return await route.take(body, mediaType, sender);
    } finally {
      reservation.release();
    }
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const route = routes.get(path);
    const mediaType = mediaTypeOf(request);
    let answer: HttpAnswer;
    try {
      if (route === undefined) throw unknownPath(path);
      answer = await answerTo(request, response, route, mediaType);
    } catch (error) {
      if (error instanceof AbortedRequest) return;
      const refusal = refusalOf(error) ?? INTERNAL;
      if (refusal === INTERNAL) reportDefect(error);
      metrics.refused.inc({ collector: route?.collector ?? 'otlp_http', code: refusal.code });
      answer = route === undefined ? reasonAnswer(refusal) : route.refuse(mediaType, refusal);
    }
    send(response, answer, stopping);
    if (!request.complete) drain(request, config.request_max_bytes);
  }

  function reportDefect(error: unknown): void {
    // A foreign message may quote the request: name and place only.
    const defect = error instanceof Error ? error : new Error('unknown');
    logger.error({ defect: defect.name, at: defect.stack?.split('\n').slice(-8) }, 'cannot handle a request');
  }

  function onRequest(request: IncomingMessage, response: ServerResponse): void {
    handle(request, response).catch((error: unknown) => {
      reportDefect(error);
      response.destroy();
    });
  }

  return {
    name: 'ingest_http',
    async start() {
      const tls = readTls(config.http, 'ingest.http');
      const options = {
        headersTimeout: timeouts.headersMs,
        requestTimeout: timeouts.requestMs,
        connectionsCheckingInterval: Math.min(5_000, timeouts.headersMs),
        keepAliveTimeout: 65_000,
      };
      const made =
        tls === undefined
          ? createHttp(options, onRequest)
          : createHttps({ ...options, ...tlsServerOptions(tls) }, onRequest);
      await new Promise<void>((resolve, reject) => {
        made.once('error', (cause) => reject(listenError(config.http, 'ingest.http', cause)));
        made.listen(config.http.port, config.http.host, resolve);
      });
      server = made;
    },
    async stop() {
      stopping = true;
      const closing = server;
      server = undefined;
      if (closing === undefined) return;
      const closed = new Promise((resolve) => closing.close(resolve));
      // What was read whole is answered; a body still coming in is cut off, since nothing of it was accepted.
      if (takenCount > 0) await new Promise<void>((resolve) => (whenNoneTaken = resolve));
      closing.closeAllConnections();
      await closed;
    },
    address() {
      if (server === undefined) throw new Error('ingest_http is not started');
      const { address, port } = server.address() as AddressInfo;
      return { host: address, port };
    },
  };
}
