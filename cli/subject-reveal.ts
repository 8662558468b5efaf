import { hash, randomUUID } from 'node:crypto';
import { openField } from '../evidence/sealed-field.ts';
import { xaesKey } from '../evidence/xaes.ts';
import { InputError } from '../runtime/errors.ts';
import { TENANT_PATTERN } from '../schemas/event.ts';
import { sealedFieldsSchema, type SealedField } from '../schemas/sealed-field.ts';
import { readErasures } from '../subjects/erasure-journal.ts';
import { storeOfKey } from '../subjects/key-file.ts';
import { readKey, type KeyStore } from '../subjects/key-store.ts';
import type { SqlAccess } from './sql-access.ts';

/** One sealed field of an entry: the value with its proof, or why there is none. */
export type Revealed = { readonly path: string; readonly subject: string; readonly key_id: string } & (
  | {
      readonly state: 'revealed';
      readonly value: unknown;
      readonly commitment: string;
      readonly salt: string;
      readonly canonical: string;
    }
  | { readonly state: 'erased'; readonly erased_at: string }
  | { readonly state: 'key_elsewhere' | 'key_missing' | 'unreadable' | 'unproven' }
);

export interface SealedEntry {
  readonly tenant: string;
  readonly eventId: string;
  readonly leaf: string;
  readonly fields: Readonly<Record<string, SealedField>>;
}

/**
 * The sealed fields of one entry of the ledger. Reads attacker-controlled bytes.
 * @throws InputError when there is no such entry, it is not what its hash says, or has no sealed field.
 */
export async function readSealedEntry(sql: SqlAccess, log: string, seq: string): Promise<SealedEntry> {
  if (!/^\d{1,20}$/.test(seq)) throw refused(log, seq, 'the position is not a number');
  const response = await sql.query(
    'SELECT base64Encode(body) AS body, lower(hex(body_sha)) AS sha, lower(hex(leaf)) AS leaf FROM custody.entries WHERE log = {log:String} AND seq = {seq:UInt64} LIMIT 1',
    { format: 'JSONEachRow', parameters: { log, seq } },
  );
  const line = (await response.text()).trim();
  if (line === '') throw refused(log, seq, 'there is none');
  const row = JSON.parse(line) as { body: string; sha: string; leaf: string };
  const body = Buffer.from(row.body, 'base64');
  if (hash('sha256', body, 'hex') !== row.sha) throw refused(log, seq, 'its body is not what its hash says');
  const event = parsed(body);
  const fields = sealedFieldsSchema.safeParse(event?.['sealed'] ?? {});
  const tenant = event?.['tenant'];
  const eventId = event?.['event_id'];
  if (
    !fields.success ||
    typeof tenant !== 'string' ||
    typeof eventId !== 'string' ||
    !TENANT_PATTERN.test(tenant)
  )
    throw refused(log, seq, 'it is no event with sealed fields');
  if (Object.keys(fields.data).length === 0) throw refused(log, seq, 'nothing in it is sealed');
  return { tenant, eventId, leaf: row.leaf, fields: fields.data };
}

/** Opens every field whose key is in this store. */
export function revealFields(store: KeyStore, entry: SealedEntry): Revealed[] {
  const { erasures } = readErasures(store);
  return Object.entries(entry.fields).map(([path, field]) => {
    const about = { path, subject: field.subject, key_id: field.key_id };
    const erasedMs = erasures.get(field.key_id)?.destroyedMs;
    if (erasedMs !== undefined)
      return { ...about, state: 'erased', erased_at: new Date(erasedMs).toISOString() };
    if (storeOfKey(field.key_id) !== store.id) return { ...about, state: 'key_elsewhere' };
    const key = readKey(store, entry.tenant, field.subject);
    if (key?.keyId !== field.key_id) return { ...about, state: 'key_missing' };
    const opened = openField(xaesKey(key.key), field, { tenant: entry.tenant, eventId: entry.eventId, path });
    if (typeof opened === 'string') return { ...about, state: opened };
    return {
      ...about,
      state: 'revealed',
      value: opened.value,
      commitment: field.commitment,
      salt: Buffer.from(opened.salt).toString('hex'),
      canonical: opened.canonical,
    };
  });
}

export interface RevealRecord {
  readonly operator: string;
  readonly reason: string;
  readonly tenant: string;
  readonly log: string;
  readonly seq: string;
  readonly paths: readonly string[];
}

/**
 * Tells the pipeline that somebody is about to read sealed fields; resolves with whether that is on record. The record names
 * entry and fields, never a value.
 */
export async function recordReveal(
  collector: { readonly url: string; readonly token: string | undefined } | undefined,
  { operator, reason, tenant, log, seq, paths }: RevealRecord,
): Promise<boolean> {
  if (collector === undefined) return false;
  const event = {
    id: randomUUID(),
    name: 'custody.subject.reveal',
    'actor.id': operator,
    'actor.type': 'human',
    'tenant.id': tenant,
    'policy.reason': reason,
    'reveal.log': log,
    'reveal.seq': seq,
    'reveal.fields': paths.join(' '),
  };
  const authorization = collector.token === undefined ? {} : { authorization: `Bearer ${collector.token}` };
  try {
    const response = await fetch(`${collector.url}/v1/audit`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization },
      body: JSON.stringify(event),
      signal: AbortSignal.timeout(10_000),
    });
    const { accepted } = (await response.json()) as { accepted?: number };
    return response.ok && accepted === 1;
  } catch {
    // Unreachable, or no collector: the caller says that it is not on record.
    return false;
  }
}

function parsed(body: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const refused = (log: string, seq: string, reason: string): InputError =>
  new InputError('input_invalid', `cannot reveal entry ${seq} of ${log}: ${reason}`);
