import { createIngestGrpc } from '../collectors/ingest-grpc.ts';
import { createIngestHttp } from '../collectors/ingest-http.ts';
import type { IngestDeps } from '../collectors/intake.ts';
import type { Component } from '../runtime/component.ts';
import type { ListenerConfig } from '../schemas/config.ts';
import { createSqlEndpoint } from '../sinks/store/sql-endpoint/sql-endpoint.ts';
import { createAdminHttp } from './admin-http.ts';
import type { PipelineContext } from './context.ts';
import type { Addresses } from './run-file.ts';
import type { Learning, Status } from './status.ts';

export interface Listeners {
  /** In starting order: collectors last, so that nothing is accepted before everything else is ready. */
  readonly components: readonly Component[];
  /** Once started. */
  addresses(): Addresses;
}

type Listening = Component & { address(): { readonly host: string; readonly port: number } };

interface Door {
  readonly name: keyof Addresses;
  readonly listener: ListenerConfig;
  readonly create: () => Listening;
}

/** Every door of the process that its roles need and the configuration opens. */
export function createListeners(
  context: PipelineContext,
  status: () => Promise<Status>,
  learning: (tenant: string) => Learning,
): Listeners {
  const { config, tokens, clock, logger, metrics } = context;
  const storePath = context.store?.path;
  const intake = intakeOf(context);
  const doors: readonly Door[] = [
    ...(storePath === undefined
      ? []
      : [
          {
            name: 'sql',
            listener: config.sql.listener,
            create: () =>
              createSqlEndpoint({
                config: config.sql,
                tokens: tokens.sql,
                storePath,
                logger,
                metrics,
                clock,
              }),
          } as const,
        ]),
    {
      name: 'admin',
      listener: config.admin.listener,
      create: () =>
        createAdminHttp({
          listener: config.admin.listener,
          tokens: tokens.admin,
          metrics,
          status,
          learning,
          incidents: {
            events: context.log.topic('custody.events'),
            raw: context.roles.has('ledger') ? context.store?.raw : undefined,
            clock,
            logger,
          },
        }),
    },
    ...(intake === undefined
      ? []
      : ([
          { name: 'http', listener: config.ingest.http, create: () => createIngestHttp(intake) },
          { name: 'grpc', listener: config.ingest.grpc, create: () => createIngestGrpc(intake) },
        ] as const)),
  ];
  const open = doors
    .filter(({ listener }) => listener.enabled)
    .map(({ name, listener, create }) => ({ name, tls: listener.tls !== undefined, component: create() }));
  return {
    components: open.map(({ component }) => component),
    addresses: () =>
      Object.fromEntries(open.map(({ name, tls, component }) => [name, { ...component.address(), tls }])),
  };
}

/** What collectors work with; `undefined` where this process does not collect. */
function intakeOf(context: PipelineContext): IngestDeps | undefined {
  const { config, tokens, clock, logger, metrics, log, digestKey, sealing, roles } = context;
  if (!roles.has('collector') || digestKey === undefined) return undefined;
  return {
    config: config.ingest,
    tokens: tokens.ingest,
    events: log.topic('custody.events'),
    deadletter: log.topic('custody.deadletter'),
    digestKey,
    sealing,
    clock,
    logger,
    metrics,
  };
}
