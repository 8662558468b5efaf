import { bodyHash, entryPreimage, leafHash } from '../../evidence/entry.ts';
import { parsePreimage, type EntryFacts, type ProvenEntry } from '../../evidence/receipt/entry-proof.ts';
import { eventOf } from '../../evidence/receipt/observed.ts';
import type { RawEntry } from '../../evidence/raw-entry.ts';
import { InputError, IntegrityError } from '../../runtime/errors.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { readRows } from './clickhouse-store.ts';
import { sqlString } from './sql-text.ts';
import type { RawQuery } from './store.ts';
import { decodeStoredEntry, ENTRY_COLUMNS } from './stored-entry.ts';

/** A stored entry about a tool call, its hashes recomputed. */
export interface CallEntry extends ProvenEntry {
  readonly facts: EntryFacts;
  readonly event: CustodyEvent;
}

/** Observations of one call: more than this is no one call. */
const ENTRIES_MAX = 64;

/**
 * What the ledger holds of one call, by the id of the call or of an event about it. Derived columns find it; what is handed
 * out was hashed again from its bytes.
 * @throws InputError when nothing is found or the id does not name one call; IntegrityError for an entry that was changed.
 */
export async function callEntries(
  raw: RawQuery,
  { id, tenant }: { readonly id: string; readonly tenant?: string | undefined },
): Promise<CallEntry[]> {
  const named = await entriesWhere(
    raw,
    `(event_id = ${sqlString(id)} OR tool_call_id = ${sqlString(id)})`,
    tenant,
  );
  const [first] = named;
  if (first === undefined)
    throw new InputError(
      'input_invalid',
      'cannot make a receipt: no tool call or policy decision has that id',
    );
  const tenants = new Set(named.map(({ event }) => event.tenant));
  if (tenants.size > 1)
    throw new InputError(
      'input_invalid',
      'cannot make a receipt: several tenants have that id (name one with --tenant)',
    );
  const callId = first.event.tool?.call_id;
  const isEvent = named.every(({ event }) => event.event_id === id);
  const all =
    isEvent && callId !== undefined && callId !== id
      ? await entriesWhere(raw, `tool_call_id = ${sqlString(callId)}`, first.event.tenant)
      : named;
  const ofSession = all.filter(({ event }) => event.session?.key === first.event.session?.key);
  if (!isEvent && ofSession.length < all.length && isNamedTwice(all))
    throw new InputError(
      'input_invalid',
      'cannot make a receipt: several sessions have a call of that id (name an event of the one that is meant)',
    );
  return isEvent ? ofSession : all;
}

/** Sessions that both name themselves: an observer who knows none may still tell of the same call. */
function isNamedTwice(entries: readonly CallEntry[]): boolean {
  const sessions = entries.flatMap(({ event }) => (event.session === undefined ? [] : [event.session.key]));
  return new Set(sessions).size > 1;
}

async function entriesWhere(
  raw: RawQuery,
  condition: string,
  tenant: string | undefined,
): Promise<CallEntry[]> {
  const ofTenant = tenant === undefined ? '' : ` AND tenant = ${sqlString(tenant)}`;
  const where = `kind = 'event' AND event_kind IN ('tool_call', 'policy') AND ${condition}${ofTenant}`;
  const select = `SELECT ${ENTRY_COLUMNS} FROM custody.entries WHERE ${where} ORDER BY log, seq LIMIT ${ENTRIES_MAX + 1}`;
  const found = new Map<string, CallEntry>();
  for await (const entry of readRows(raw, select, (read) => checked(decodeStoredEntry(read))))
    found.set(`${entry.facts.log} ${entry.facts.seq}`, entry);
  if (found.size > ENTRIES_MAX)
    throw new InputError(
      'input_invalid',
      `cannot make a receipt: more than ${ENTRIES_MAX} entries have that id`,
    );
  return [...found.values()];
}

/** The row as an entry, or the reason why it is evidence of nothing. */
function checked(row: RawEntry): CallEntry {
  const body = Uint8Array.from(row.body);
  const place = { ...row, logId: row.log };
  const preimage = entryPreimage(place, row.prev, row.bodySha);
  const facts = parsePreimage(preimage);
  const where = `entry ${row.seq} of ${row.log}`;
  if (bodyHash(body) !== row.bodySha) throw changed(where, 'BODY_HASH');
  if (facts === undefined || leafHash(preimage) !== row.leaf) throw changed(where, 'LEAF_HASH');
  const event = eventOf(body);
  if (event === undefined)
    throw new IntegrityError(`cannot make a receipt of ${where}: it holds no event this version reads`);
  return { preimage, body, facts, event };
}

const changed = (where: string, cause: string) =>
  new IntegrityError(`cannot make a receipt of ${where}: ${cause}: the store was changed`);
