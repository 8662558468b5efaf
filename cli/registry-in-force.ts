import { InputError } from '../runtime/errors.ts';
import { readRegistry } from '../schemas/read-registry.ts';
import type { RegistryDocument } from '../schemas/registry.ts';
import { jsonRows } from './json-rows.ts';
import type { SqlAccess } from './sql-access.ts';

/** One coming into force, as its entry in the ledger says. */
export interface RegistryVersion {
  readonly digest: string;
  readonly partition: number;
  /** RFC 3339; of the log, not of a sender. */
  readonly since: string;
  readonly log: string;
  readonly seq: string;
}

/** Each coming into force of a registry, newest first. */
export async function registryVersions(sql: SqlAccess): Promise<RegistryVersion[]> {
  return jsonRows<RegistryVersion>(
    sql,
    `SELECT JSONExtractString(body, 'policy_document', 'digest') AS digest, kpart AS partition,
       formatDateTime(fromUnixTimestamp64Milli(kts_ms, 'UTC'), '%Y-%m-%dT%H:%i:%SZ') AS since,
       toString(log) AS log, toString(seq) AS seq
     FROM custody.entries
     WHERE kind = 'event' AND event_kind = 'policy_document' AND startsWith(tenant, 'custody-control')
       AND JSONExtractString(body, 'policy_document', 'type') = 'registry'
     ORDER BY kts_ms DESC, kpart, koffset DESC LIMIT 1000`,
  );
}

/** Of each partition the version that counts there now. */
export function inForce(versions: readonly RegistryVersion[]): RegistryVersion[] {
  const newest = new Map<number, RegistryVersion>();
  for (const version of versions) if (!newest.has(version.partition)) newest.set(version.partition, version);
  return [...newest.values()].sort((a, b) => a.partition - b.partition);
}

/**
 * The newest version whose digest begins so; the newest of all without one.
 * @throws InputError when there is none.
 */
export async function registryFromLedger(
  sql: SqlAccess,
  digestStart = '',
): Promise<{ readonly digest: string; readonly document: RegistryDocument }> {
  const [row] = await jsonRows<{ readonly digest: string; readonly document: string }>(
    sql,
    `SELECT JSONExtractString(body, 'policy_document', 'digest') AS digest,
       JSONExtractString(body, 'policy_document', 'document') AS document
     FROM custody.entries
     WHERE kind = 'event' AND event_kind = 'policy_document' AND startsWith(tenant, 'custody-control')
       AND JSONExtractString(body, 'policy_document', 'type') = 'registry'
       AND startsWith(digest, {start:String})
     ORDER BY kts_ms DESC, kpart LIMIT 1`,
    { start: digestStart },
  );
  const document = row === undefined ? undefined : readRegistry(JSON.parse(row.document)).document;
  if (row !== undefined && document !== undefined) return { digest: row.digest, document };
  throw new InputError(
    'input_invalid',
    digestStart === ''
      ? 'cannot show the registry: the ledger has none (set registry.file, then start the pipeline)'
      : `cannot show the registry: the ledger has none whose digest begins with ${digestStart}`,
  );
}
