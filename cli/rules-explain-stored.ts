import type { DetectRecord } from '../detectors/engine/contract.ts';
import { InputError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import { openSqlAccess, type SqlAccess } from './sql-access.ts';

const beforeMax = 2000;

/**
 * An event of the store with what its session did before it and the registry then in force, in log order; the event itself is
 * last. For an alert, its triggering event.
 */
export async function storedEventAndBefore(config: Config, id: string): Promise<DetectRecord[]> {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id))
    throw new InputError('input_invalid', `cannot explain ${id.slice(0, 64)}: it is not a UUID`, {
      path: '--id',
    });
  const sql = await openSqlAccess(config);
  try {
    const [alert] = await rows<{ evidence: string[] }>(
      sql,
      'SELECT evidence FROM custody.alerts WHERE alert_id = {id:String} LIMIT 1',
      { id },
    );
    const eventId = alert?.evidence.at(-1) ?? id;
    const [target] = await rows<Place>(
      sql,
      `SELECT kpart, toString(koffset) AS koffset, tenant, session_key, trace_id FROM custody.entries
       WHERE kind = 'event' AND topic = 'custody.events' AND event_id = {id:String} ORDER BY koffset LIMIT 1`,
      { id: eventId },
    );
    if (target === undefined)
      throw new InputError(
        'input_invalid',
        `cannot explain ${id}: no event or alert in the store has this id`,
        {
          path: '--id',
        },
      );
    return await recordsUpTo(sql, target, eventId);
  } finally {
    await sql.close();
  }
}

interface Place {
  readonly kpart: number;
  readonly koffset: string;
  readonly tenant: string;
  readonly session_key: string;
  readonly trace_id: string;
}

async function recordsUpTo(sql: SqlAccess, place: Place, eventId: string): Promise<DetectRecord[]> {
  const found = await rows<{ kts_ms: string; body: string }>(
    sql,
    `SELECT toString(kts_ms) AS kts_ms, body FROM custody.entries
     WHERE kind = 'event' AND topic = 'custody.events' AND kpart = {kpart:UInt32} AND koffset <= {koffset:UInt64}
       AND (event_kind = 'policy_document' OR (tenant = {tenant:String} AND (event_id = {id:String}
         OR (session_key != '' AND session_key = {session:String}) OR (trace_id != '' AND trace_id = {trace:String}))))
     ORDER BY koffset DESC LIMIT ${beforeMax}`,
    {
      kpart: String(place.kpart),
      koffset: place.koffset,
      tenant: place.tenant,
      id: eventId,
      session: place.session_key,
      trace: place.trace_id,
    },
  );
  return found.reverse().map(({ kts_ms, body }) => ({
    event: JSON.parse(body) as CustodyEvent,
    appendTimeMs: Number(kts_ms),
  }));
}

async function rows<Row>(
  sql: SqlAccess,
  statement: string,
  parameters: Readonly<Record<string, string>>,
): Promise<Row[]> {
  const response = await sql.query(`${statement} FORMAT JSONEachRow`, { parameters });
  return (await response.text())
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
}
