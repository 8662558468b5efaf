import { anchorOrigin, parseAnchorEntry, type AnchorEntryOf } from '../evidence/anchor-log/entry.ts';
import { createHoldBook, type Hold } from '../evidence/anchor-log/holds.ts';
import { notaryStateDir } from '../pipeline/notary-state-dir.ts';
import { readAnchorState } from '../retention/anchor-state.ts';
import { signedHeadsOf } from '../retention/notary-door.ts';
import type { Config } from '../schemas/config.ts';
import { readAnchorEntries } from '../sinks/store/checkpoints.ts';
import type { RawQuery } from '../sinks/store/store.ts';

export interface AnchorReading {
  readonly config: Config;
  readonly deployment: string;
  readonly raw: RawQuery;
}

/** Legal holds over a tenant, and whether they were held against what the notary signed. */
export interface HoldsOver {
  readonly ids: readonly string[];
  readonly verified: boolean;
}

/**
 * Holds in force over a tenant's data, whatever days they are about: an erasure is about all days. Read from the anchor log
 * as the notary of this state directory signed it, with those it has been asked for; where there is no such notary, from the
 * anchor log as the store has it.
 */
export async function holdsOver(
  { config, deployment, raw }: AnchorReading,
  tenant: string,
): Promise<HoldsOver> {
  const origin = anchorOrigin(deployment);
  const heads = signedHeadsOf({ stateDir: notaryStateDir(config), raw, deployment, anchorsRequired: 0 });
  const signed = await heads.signed();
  const entered =
    signed === undefined
      ? await storedHolds(raw, origin)
      : (await readAnchorState(raw, origin, { signed, anchoredSize: 0n })).holds;
  const holds = [...entered, ...(await heads.requestedHolds())];
  const over = holds.filter((hold) => hold.tenant === undefined || hold.tenant === tenant);
  return { ids: over.map(({ id }) => id), verified: signed !== undefined };
}

async function storedHolds(raw: RawQuery, origin: string): Promise<readonly Hold[]> {
  const book = createHoldBook();
  for await (const { seq, body } of readAnchorEntries(raw, origin, { types: ['hold', 'hold_released'] })) {
    const entry = parseAnchorEntry(body);
    if (entry !== undefined) book.add({ seq, entry });
  }
  return book.inForce;
}

/** Erasures of a subject in the anchor log as the store has it, by key id. */
export async function erasedEntries(
  { deployment, raw }: Pick<AnchorReading, 'deployment' | 'raw'>,
  tenant: string,
  subject: string,
): Promise<ReadonlyMap<string, { readonly seq: bigint; readonly entry: AnchorEntryOf<'erased'> }>> {
  const found = new Map<string, { readonly seq: bigint; readonly entry: AnchorEntryOf<'erased'> }>();
  for await (const { seq, body } of readAnchorEntries(raw, anchorOrigin(deployment), { types: ['erased'] })) {
    const entry = parseAnchorEntry(body);
    if (entry?.type !== 'erased' || entry.tenant !== tenant || entry.subject !== subject) continue;
    if (!found.has(entry.key_id)) found.set(entry.key_id, { seq, entry });
  }
  return found;
}
