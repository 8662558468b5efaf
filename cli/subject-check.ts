import { readErasures } from '../subjects/erasure-journal.ts';
import { readKeyFile, type KeyStore } from '../subjects/key-store.ts';
import { IntegrityError } from '../runtime/errors.ts';
import type { SqlAccess } from './sql-access.ts';
import { erasedEntries } from './subject-holds.ts';
import { rawOver } from './verify.ts';

/** What is known of one key that fields of a subject were sealed with. */
export interface CheckedKey {
  readonly key_id: string;
  /** Entries of the ledger with a field under it. */
  readonly entries: string;
  /**
   * `erased`: the anchor log says so and the key is not here. `entry_waits`: destroyed here, not yet in the anchor log.
   * `readable`: the key is here. `unknown`: it is another key store's, or was lost.
   */
  readonly state: 'erased' | 'entry_waits' | 'readable' | 'unknown';
  readonly anchor_entry?: string;
}

const KEYS_OF_SUBJECT = `
SELECT key_id, toString(uniqExact(log, seq)) AS entries FROM (
  SELECT log, seq, arrayJoin(JSONExtractKeysAndValuesRaw(body, 'sealed')) AS field,
    JSONExtractString(field.2, 'key_id') AS key_id
  FROM custody.entries
  WHERE tenant = {tenant:String} AND position(body, {subject:String}) > 0
    AND JSONExtractString(field.2, 'subject') = {subject:String})
GROUP BY key_id ORDER BY key_id`;

/**
 * Every key that the ledger has fields of the subject under, whoever made it, with what became of it: an erasure is complete
 * when each of them is `erased`.
 */
export async function checkSubject(
  sql: SqlAccess,
  store: KeyStore,
  {
    deployment,
    tenant,
    subject,
  }: { readonly deployment: string; readonly tenant: string; readonly subject: string },
): Promise<CheckedKey[]> {
  const response = await sql.query(KEYS_OF_SUBJECT, {
    format: 'JSONEachRow',
    parameters: { tenant, subject },
  });
  const rows = (await response.text())
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { key_id: string; entries: string });
  const entered = await erasedEntries({ deployment, raw: rawOver(sql) }, tenant, subject);
  const { erasures } = readErasures(store);
  const present = keyIdHere(store, tenant, subject);
  return rows.map(({ key_id, entries }) => {
    const entry = entered.get(key_id);
    if (present === key_id) return { key_id, entries, state: 'readable' };
    if (entry !== undefined) return { key_id, entries, state: 'erased', anchor_entry: String(entry.seq) };
    const destroyed = erasures.get(key_id)?.destroyedMs !== undefined;
    return { key_id, entries, state: destroyed ? 'entry_waits' : 'unknown' };
  });
}

function keyIdHere(store: KeyStore, tenant: string, subject: string): string | undefined {
  try {
    return readKeyFile(store, tenant, subject)?.key_id;
  } catch (error) {
    if (error instanceof IntegrityError) return undefined;
    throw error;
  }
}
