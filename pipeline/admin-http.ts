import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import { authenticate, type BearerToken } from '../runtime/bearer.ts';
import type { Component } from '../runtime/component.ts';
import { listenError, readTls, tlsServerOptions } from '../runtime/listen.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { ListenerConfig } from '../schemas/config.ts';
import type { Status } from './status.ts';

export interface AdminOptions {
  readonly listener: ListenerConfig;
  readonly tokens: readonly BearerToken[];
  readonly metrics: Metrics;
  readonly status: () => Promise<Status>;
}

/**
 * `/healthz` (the process answers), `/readyz` (it does its work; 503 names the alarms), Prometheus `/metrics` and
 * `/v1/status`. Health needs no token: it tells nothing but yes or no and the names of alarms.
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

  app.addHook('onRequest', async (request, reply) => {
    if (request.url === '/healthz' || request.url === '/readyz') return;
    if (authenticate(request.headers.authorization, tokens).ok) return;
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
