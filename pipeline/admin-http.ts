import type { AddressInfo } from 'node:net';
import fastify, { type FastifyRequest } from 'fastify';
import { requireLocalHost } from '../collectors/http-request.ts';
import { authenticate, type BearerToken } from '../runtime/bearer.ts';
import type { Component } from '../runtime/component.ts';
import { listenError, readTls, tlsServerOptions } from '../runtime/listen.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { ListenerConfig } from '../schemas/config.ts';
import { addIncidentRoutes, type IncidentApiOptions } from './incident-api.ts';
import { TENANT_PATTERN } from '../schemas/event.ts';
import type { Learning, Status } from './status.ts';

export interface AdminOptions {
  readonly listener: ListenerConfig;
  readonly tokens: readonly BearerToken[];
  readonly metrics: Metrics;
  readonly status: () => Promise<Status>;
  /** How far the detectors of this process have learned what is normal for a tenant. */
  readonly learning?: (tenant: string) => Learning;
  /** Where incidents are looked up and changed. */
  readonly incidents?: Omit<IncidentApiOptions, 'tokenOf'>;
}

/**
 * `/healthz` (the process answers), `/readyz` (it does its work; 503 names the alarms), Prometheus `/metrics`,
 * `/v1/status`, `/v1/learning` and `/v1/incidents`. Health needs no token: it tells nothing but yes or no and the names of alarms.
 */
export function createAdminHttp(
  options: AdminOptions,
): Component & { address(): { host: string; port: number } } {
  const { listener, tokens, metrics } = options;
  const tls = readTls(listener, 'admin.listener');
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    ...(tls === undefined ? {} : { https: tlsServerOptions(tls) }),
  });

  const presented = new WeakMap<FastifyRequest, BearerToken>();
  app.addHook('onRequest', async (request, reply) => {
    if (request.url === '/healthz' || request.url === '/readyz') return;
    const answer = authenticate(request.headers.authorization, tokens);
    if (answer.ok && answer.token !== undefined) presented.set(request, answer.token);
    if (answer.ok && (tokens.length > 0 || isLocal(request))) return;
    if (answer.ok) {
      await reply.code(403).send({
        error: {
          code: 'forbidden_host',
          message: 'without a token the host must be an address or localhost',
        },
      });
      return;
    }
    await reply
      .code(401)
      .header('www-authenticate', 'Bearer')
      .send({ error: { code: 'unauthorized', message: 'a bearer token is needed' } });
  });
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const { ready, alarms } = await options.status();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not_ready', alarms });
  });
  app.get('/metrics', async (_request, reply) => {
    await options.status();
    return reply.header('content-type', metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  app.get('/v1/status', () => options.status());
  app.get('/v1/learning', async (request, reply) => {
    const tenant = (request.query as { tenant?: unknown }).tenant;
    if (typeof tenant !== 'string' || !TENANT_PATTERN.test(tenant))
      return reply
        .code(400)
        .send({ error: { code: 'input_invalid', message: 'tenant must be a tenant id' } });
    const own = presented.get(request)?.tenant;
    return {
      tenant,
      detectors: own === undefined || own === tenant ? (options.learning?.(tenant) ?? {}) : {},
    };
  });
  if (options.incidents !== undefined)
    addIncidentRoutes(app, { ...options.incidents, tokenOf: (request) => presented.get(request) });

  return {
    name: 'admin_http',
    async start() {
      try {
        await app.listen({ host: listener.host, port: listener.port });
      } catch (cause) {
        throw listenError(listener, 'admin.listener', cause);
      }
    },
    stop: () => app.close(),
    address() {
      const { address, port } = app.server.address() as AddressInfo;
      return { host: address, port };
    },
  };
}

/** A web page can reach a listener on loopback through a name of its own that resolves to this machine. */
function isLocal({ raw }: FastifyRequest): boolean {
  try {
    requireLocalHost(raw);
    return true;
  } catch {
    return false;
  }
}
