import { InputError, PermanentError } from '../runtime/errors.ts';
import { readRows } from '../sinks/store/clickhouse-store.ts';
import { sqlString } from '../sinks/store/sql-text.ts';
import type { RawQuery } from '../sinks/store/store.ts';
import type { BundleMode } from './case-data.ts';

/** What the operator asks for. */
export type CaseQuery =
  | { readonly kind: 'alert'; readonly alertId: string }
  | { readonly kind: 'session'; readonly sessionKey: string; readonly tenant: string | undefined }
  | { readonly kind: 'window'; readonly tenant: string; readonly fromMs: number; readonly toMs: number };

/** Entries of one log that go in: `[fromSeq, toSeq]` whole, or only those in `seqs`. */
export interface LogWindow {
  readonly log: string;
  readonly fromSeq: bigint;
  /** Inclusive. */
  readonly toSeq: bigint;
  /** Selection mode: in order, without repetitions. */
  readonly seqs: readonly bigint[] | undefined;
  /** Bytes of the bodies, about. */
  readonly bodyBytes: number;
}

export interface CaseScope {
  readonly mode: BundleMode;
  readonly tenant: string;
  /** Append times of the first and the last entry that was asked for. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly filters: Readonly<Record<string, string>>;
  readonly logs: readonly LogWindow[];
  readonly sessionKeys: readonly string[];
}

/** Each entry of a selection has a proof of its own. */
const SELECTION_MAX = 10_000;
const SESSIONS_MAX = 32;
const LOGS_MAX = 10_000;

/**
 * Finds what belongs to the case. Derived columns are used to find entries and for nothing else: what is exported is
 * proven from its bytes, and in range mode whole windows go in, whatever their columns say.
 * @throws InputError when nothing is found or the question is not clear.
 */
export async function findScope(
  raw: RawQuery,
  deployment: string,
  query: CaseQuery,
  mode: BundleMode,
): Promise<CaseScope> {
  const found = await seedOf(raw, deployment, query);
  const logs =
    mode === 'range'
      ? await windowsOf(raw, deployment, found.tenant, found.fromMs, found.toMs)
      : await selectionOf(raw, deployment, found);
  if (logs.length === 0) throw nothing(query);
  return { mode, ...found, logs };
}

interface Seed {
  readonly tenant: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly filters: Readonly<Record<string, string>>;
  readonly sessionKeys: readonly string[];
  /** SQL condition on the entries that were asked for. */
  readonly wanted: string;
}

async function seedOf(raw: RawQuery, deployment: string, query: CaseQuery): Promise<Seed> {
  if (query.kind === 'window') {
    const { tenant, fromMs, toMs } = query;
    return {
      ...{ tenant, fromMs, toMs, sessionKeys: [] },
      filters: { tenant, from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() },
      wanted: `kts_ms >= ${fromMs} AND kts_ms <= ${toMs}`,
    };
  }
  if (query.kind === 'session') {
    const tenant = query.tenant ?? (await tenantOfSession(raw, deployment, query.sessionKey));
    const wanted = `session_key = ${sqlString(query.sessionKey)}`;
    const times = await timesOf(raw, deployment, tenant, wanted, query);
    return {
      ...{ tenant, ...times, sessionKeys: [query.sessionKey], wanted },
      filters: { session: query.sessionKey },
    };
  }
  const { tenant, evidence, sessionKey } = await alertOf(raw, deployment, query.alertId);
  const isAlert = `alert_id = ${sqlString(query.alertId)}`;
  const isEvidence = evidence.length === 0 ? '0' : `event_id IN (${evidence.map(sqlString).join()})`;
  const sessionKeys =
    sessionKey === '' ? await sessionsOf(raw, deployment, tenant, isEvidence) : [sessionKey];
  const ofSession = sessionKeys.length === 0 ? '0' : `session_key IN (${sessionKeys.map(sqlString).join()})`;
  const wanted = `(${isAlert} OR ${isEvidence} OR ${ofSession})`;
  const times = await timesOf(raw, deployment, tenant, wanted, query);
  return { tenant, ...times, sessionKeys, wanted, filters: { alert: query.alertId } };
}

/** SQL condition for the entries of a tenant. */
const ofTenant = (deployment: string, tenant: string) =>
  `startsWith(log, ${sqlString(`${deployment}/${tenant}/`)})`;

async function alertOf(raw: RawQuery, deployment: string, alertId: string) {
  const rows = await all(
    readRows(
      raw,
      `SELECT DISTINCT toString(tenant), session_key, arrayStringConcat(JSONExtract(body, 'evidence', 'Array(String)'), ' ') FROM custody.entries WHERE startsWith(log, ${sqlString(`${deployment}/`)}) AND kind = 'event' AND alert_id = ${sqlString(alertId)} LIMIT 2`,
      (read) => ({ tenant: read.string(), sessionKey: read.string(), evidence: read.string() }),
    ),
  );
  const [alert, second] = rows;
  if (alert === undefined) throw nothing({ kind: 'alert', alertId });
  if (second !== undefined)
    throw new PermanentError('rejected', `cannot bundle alert ${alertId}: two different alerts have this id`);
  return { ...alert, evidence: alert.evidence.split(' ').filter((id) => id !== '') };
}

async function tenantOfSession(raw: RawQuery, deployment: string, sessionKey: string): Promise<string> {
  const tenants = await all(
    readRows(
      raw,
      `SELECT DISTINCT toString(tenant) FROM custody.entries WHERE startsWith(log, ${sqlString(`${deployment}/`)}) AND session_key = ${sqlString(sessionKey)} LIMIT 2`,
      (read) => read.string(),
    ),
  );
  const [tenant] = tenants;
  if (tenant === undefined) throw nothing({ kind: 'session', sessionKey, tenant: undefined });
  if (tenants.length > 1)
    throw new InputError(
      'input_invalid',
      'cannot bundle the session: more than one tenant has this key; say which with --tenant',
      { path: '--tenant' },
    );
  return tenant;
}

async function sessionsOf(
  raw: RawQuery,
  deployment: string,
  tenant: string,
  where: string,
): Promise<string[]> {
  return all(
    readRows(
      raw,
      `SELECT DISTINCT session_key FROM custody.entries WHERE ${ofTenant(deployment, tenant)} AND session_key != '' AND ${where} ORDER BY session_key LIMIT ${SESSIONS_MAX}`,
      (read) => read.string(),
    ),
  );
}

async function timesOf(raw: RawQuery, deployment: string, tenant: string, wanted: string, query: CaseQuery) {
  const [times] = await all(
    readRows(
      raw,
      `SELECT count(), min(kts_ms), max(kts_ms) FROM custody.entries WHERE ${ofTenant(deployment, tenant)} AND ${wanted}`,
      (read) => ({ count: read.uint64(), fromMs: Number(read.int64()), toMs: Number(read.int64()) }),
    ),
  );
  if (times === undefined || times.count === 0n) throw nothing(query);
  return { fromMs: times.fromMs, toMs: times.toMs };
}

/** The window of each log of the tenant: from its first to its last entry appended in that time, nothing left out. */
async function windowsOf(
  raw: RawQuery,
  deployment: string,
  tenant: string,
  fromMs: number,
  toMs: number,
): Promise<LogWindow[]> {
  const windows = await all(
    readRows(
      raw,
      `SELECT toString(log), min(seq), max(seq), sum(length(body)) FROM custody.entries WHERE ${ofTenant(deployment, tenant)} AND kts_ms >= ${fromMs} AND kts_ms <= ${toMs} GROUP BY log ORDER BY log LIMIT ${LOGS_MAX + 1}`,
      (read) => ({
        log: read.string(),
        fromSeq: read.uint64(),
        toSeq: read.uint64(),
        bodyBytes: Number(read.uint64()),
        seqs: undefined,
      }),
    ),
  );
  if (windows.length > LOGS_MAX)
    throw new InputError(
      'input_too_large',
      `cannot bundle: more than ${LOGS_MAX} logs; choose a shorter time`,
    );
  return windows;
}

async function selectionOf(
  raw: RawQuery,
  deployment: string,
  { tenant, wanted }: Seed,
): Promise<LogWindow[]> {
  const rows = await all(
    readRows(
      raw,
      `SELECT DISTINCT toString(log), seq, length(body) FROM custody.entries WHERE ${ofTenant(deployment, tenant)} AND ${wanted} ORDER BY log, seq LIMIT ${SELECTION_MAX + 1}`,
      (read) => ({ log: read.string(), seq: read.uint64(), bytes: Number(read.uint64()) }),
    ),
  );
  if (rows.length > SELECTION_MAX)
    throw new InputError(
      'input_too_large',
      `cannot bundle a selection of more than ${SELECTION_MAX} entries: leave out --selection to export whole windows`,
      { path: '--selection' },
    );
  const logs = new Map<string, { seqs: Set<bigint>; bodyBytes: number }>();
  for (const { log, seq, bytes } of rows) {
    const of = logs.get(log) ?? { seqs: new Set(), bodyBytes: 0 };
    of.seqs.add(seq);
    of.bodyBytes += bytes;
    logs.set(log, of);
  }
  return [...logs].map(([log, { seqs: found, bodyBytes }]) => {
    const seqs = [...found];
    return { log, fromSeq: seqs[0] ?? 0n, toSeq: seqs.at(-1) ?? 0n, seqs, bodyBytes };
  });
}

function nothing(query: CaseQuery): InputError {
  const what =
    query.kind === 'alert'
      ? `alert ${query.alertId}: no entry in the store is this alert`
      : query.kind === 'session'
        ? 'the session: no entry in the store has this session key'
        : `tenant ${query.tenant}: no entry in the store was appended in this time`;
  return new InputError('input_invalid', `cannot bundle ${what}`);
}

async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const row of rows) found.push(row);
  return found;
}
