/**
 * Which items several tenants have, across all partitions: hashes of items and of tenants, nothing else. Partitions are
 * detected apart, at their own pace, so a partition sees what all of them had at the end of the epoch before last and
 * not what happens to be known already: an alert stays a function of the log (promise P5), whoever detects what where.
 */
export interface SharedStatistics {
  /** Tenant hashes by item hash, as of the epochs applied; at most a few tenants each, bounded in all. */
  readonly tenantsByItem: Map<number, number[]>;
  /** What tenants of this partition came to have or lost in this epoch, by item and tenant. */
  readonly changes: Map<string, SharedChange>;
}

/** Item hash, tenant hash, and 1 = has it now, -1 = has it no more. */
export type SharedChange = readonly [item: number, tenantHash: number, delta: 1 | -1];

/** What one partition's tenants changed in one epoch, by detector id. */
export interface EpochChanges {
  readonly epoch: number;
  readonly partition: number;
  readonly changes: Readonly<Record<string, readonly SharedChange[]>>;
}

const tenantsForKnown = 3;
const tenantsKept = 4;
const maxItems = 65_536;
const maxChanges = 65_536;
const secondChances = 8;

export const newSharedStatistics = (): SharedStatistics => ({ tenantsByItem: new Map(), changes: new Map() });

/** The epoch of an append time: a function of the log alone. */
export const epochOf = (appendTimeMs: number, epochMs: number): number => Math.floor(appendTimeMs / epochMs);

/** Partitions see an epoch's changes from the second epoch after it on: until then all of them have told theirs. */
export const visibleEpoch = (epoch: number): number => epoch - 2;

/** An item counts as known everywhere when at least three tenants have it: nothing of one tenant shows through. */
export function knownEverywhere(shared: SharedStatistics | undefined, item: number): boolean {
  return (shared?.tenantsByItem.get(item)?.length ?? 0) >= tenantsForKnown;
}

/** The tenant has an item it did not have. */
export function shareItem(shared: SharedStatistics | undefined, item: number, tenantHash: number): void {
  change(shared, item, tenantHash, 1);
}

/** The tenant has the item no more. */
export function unshareItem(shared: SharedStatistics | undefined, item: number, tenantHash: number): void {
  change(shared, item, tenantHash, -1);
}

function change(shared: SharedStatistics | undefined, item: number, tenantHash: number, delta: 1 | -1): void {
  if (shared === undefined) return;
  const key = `${item} ${tenantHash}`;
  const before = shared.changes.get(key);
  if (before !== undefined && before[2] !== delta) shared.changes.delete(key);
  else if (shared.changes.size < maxChanges) shared.changes.set(key, [item, tenantHash, delta]);
}

export function applyShared({ tenantsByItem }: SharedStatistics, changes: readonly SharedChange[]): void {
  for (const [item, tenantHash, delta] of changes) {
    const tenants = tenantsByItem.get(item);
    const at = tenants?.indexOf(tenantHash) ?? -1;
    if (delta === 1 && tenants === undefined) {
      if (tenantsByItem.size >= maxItems) evict(tenantsByItem);
      tenantsByItem.set(item, [tenantHash]);
    } else if (delta === 1 && at < 0 && tenants !== undefined && tenants.length < tenantsKept) {
      tenants.push(tenantHash);
    } else if (delta === -1 && tenants !== undefined && at >= 0) {
      tenants.splice(at, 1);
      if (tenants.length === 0) tenantsByItem.delete(item);
    }
  }
}

/** The oldest item that is not yet known everywhere goes first. */
function evict(tenantsByItem: Map<number, number[]>): void {
  let tries = 0;
  for (const [item, tenants] of tenantsByItem) {
    tenantsByItem.delete(item);
    tries += 1;
    if (tenants.length < tenantsForKnown || tries === secondChances) return;
    tenantsByItem.set(item, tenants);
  }
}

/** Order in which epochs' changes are applied, everywhere the same. */
export function inEpochOrder(all: readonly EpochChanges[]): EpochChanges[] {
  return [...all].sort((a, b) => a.epoch - b.epoch || a.partition - b.partition);
}
