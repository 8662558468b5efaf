import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { BearerToken } from '../runtime/bearer.ts';
import type { Clock } from '../runtime/clock.ts';
import { CustodyError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { RawQuery } from '../sinks/store/store.ts';
import type { Topic } from '../streams/topic.ts';
import { changeRequest, incidentChangeEvent, incidentChangeRecord } from './incident-change.ts';
import { findIncidents, incidentDetail, listIncidents } from './incident-lookup.ts';
import { incidentFilter, rowsOf, type IncidentRow } from './incident-query.ts';

export interface IncidentApiOptions {
  /** `custody.events`. */
  readonly events: Pick<Topic, 'append'>;
  /** Where incidents are looked up; `undefined` in a process without a ledger. */
  readonly raw: RawQuery | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The token a request came with; `undefined` where the listener asks for none. */
  readonly tokenOf: (request: FastifyRequest) => BearerToken | undefined;
}

const BODY_MAX_BYTES = 16 * 1024;
/** Each question has a session of its own in the embedded engine. */
const CONCURRENT_MAX = 4;
/** Name of whoever changes something where no token is configured: everybody on this machine. */
const NOBODY_IN_PARTICULAR = 'local';
const idSchema = z.uuid().toLowerCase();

/** Why a request is refused, with its HTTP status. */
class Refused extends Error {
  readonly status: number;
  readonly code: string;
  readonly path: string | undefined;
  constructor(status: number, code: string, message: string, path?: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.path = path;
  }
}

/**
 * `GET /v1/incidents`, `GET /v1/incidents/:id`, `POST /v1/incidents/:id`. A change is answered when it is durable in the
 * log; the store shows it when the ledger wrote it. A token with a tenant sees and changes that tenant's incidents alone.
 */
export function addIncidentRoutes(app: FastifyInstance, options: IncidentApiOptions): void {
  const { events, raw, clock, logger, tokenOf } = options;
  let running = 0;

  async function read<Row>(schema: z.ZodType<Row>, statement: string): Promise<Row[]> {
    if (raw === undefined)
      throw new Refused(
        503,
        'unavailable',
        'cannot look up incidents: this process has no ledger; ask one with the role ledger',
      );
    if (running >= CONCURRENT_MAX)
      throw new Refused(503, 'overloaded', 'cannot look up incidents: too many questions at once');
    running += 1;
    try {
      const chunks: Uint8Array[] = [];
      for await (const chunk of raw(`${statement} FORMAT JSONEachRow`)) chunks.push(chunk);
      return rowsOf(schema, Buffer.concat(chunks).toString('utf8'));
    } finally {
      running -= 1;
    }
  }

  async function find(request: FastifyRequest): Promise<IncidentRow> {
    const id = parsed(idSchema, (request.params as { id?: unknown }).id, 'id');
    const [incident] = await findIncidents(read, id, tokenOf(request)?.tenant);
    if (incident === undefined)
      throw new Refused(404, 'not_found', `cannot find incident ${id}: no alert in the ledger belongs to it`);
    return incident;
  }

  void app.register((routes, _options, done) => {
    routes.setErrorHandler((error, _request, reply) => {
      const { status, code, message, path } = refusalOf(error);
      if (status >= 500) logger.warn({ err: error }, 'an incident request failed');
      return reply.code(status).send({ error: { code, message, ...(path === undefined ? {} : { path }) } });
    });

    routes.get('/v1/incidents', async (request) => {
      const filter = parsed(incidentFilter, request.query, 'query');
      const own = tokenOf(request)?.tenant;
      if (own !== undefined && filter.tenant !== undefined && filter.tenant !== own) return { incidents: [] };
      const tenant = own ?? filter.tenant;
      return { incidents: await listIncidents(read, { ...filter, tenant }) };
    });

    routes.get('/v1/incidents/:id', async (request) => {
      return incidentDetail(read, await find(request));
    });

    routes.post('/v1/incidents/:id', { bodyLimit: BODY_MAX_BYTES }, async (request) => {
      const asked = parsed(changeRequest, request.body, 'body');
      const { incident_id: incidentId, tenant } = await find(request);
      const changedBy = tokenOf(request)?.name ?? NOBODY_IN_PARTICULAR;
      const event = incidentChangeEvent(asked, { tenant, incidentId, changedBy, nowMs: clock.nowMs() });
      await events.append([incidentChangeRecord(event)]);
      logger.info({ incident_id: incidentId, tenant, changed_by: changedBy }, 'incident changed');
      return { event_id: event.event_id, tenant, change: event.incident };
    });
    done();
  });
}

function parsed<Value>(schema: z.ZodType<Value>, value: unknown, where: string): Value {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = [where, ...(issue?.path ?? [])].join('.');
  throw new Refused(
    400,
    'input_invalid',
    `cannot take the request: ${path}: ${issue?.message ?? 'invalid'}`,
    path,
  );
}

/** What the asker is told: nothing of the store's inner state beyond our own sentences. */
function refusalOf(error: unknown): Pick<Refused, 'status' | 'code' | 'message' | 'path'> {
  if (error instanceof Refused) return error;
  if (error instanceof CustodyError)
    return {
      status: error.code === 'overloaded' || error.code === 'unavailable' ? 503 : 500,
      code: error.code,
      message: error.message,
      path: undefined,
    };
  const status = (error as { statusCode?: unknown }).statusCode;
  if (status === 413)
    return {
      status,
      code: 'input_too_large',
      message: `cannot take the request: more than ${BODY_MAX_BYTES} bytes`,
      path: 'body',
    };
  if (status === 400 || status === 415)
    return {
      status,
      code: 'input_invalid',
      message: 'cannot take the request: the body must be JSON',
      path: 'body',
    };
  return { status: 500, code: 'failed', message: 'cannot take the request: it failed here', path: undefined };
}
