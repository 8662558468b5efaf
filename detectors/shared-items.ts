/** Which tenants have an item, by item hash: at most a few tenant hashes each, bounded in all. */
export type SharedItems = Map<number, number[]>;

const tenantsForKnown = 3;
const tenantsKept = 4;
const maxItems = 65_536;
const secondChances = 8;

/** An item counts as known everywhere when at least three tenants have it: nothing of one tenant shows through. */
export function knownEverywhere(shared: SharedItems, item: number): boolean {
  return (shared.get(item)?.length ?? 0) >= tenantsForKnown;
}

export function shareItem(shared: SharedItems, item: number, tenantHash: number): void {
  const tenants = shared.get(item);
  if (tenants !== undefined) {
    if (tenants.length < tenantsKept && !tenants.includes(tenantHash)) tenants.push(tenantHash);
    return;
  }
  if (shared.size >= maxItems) evict(shared);
  shared.set(item, [tenantHash]);
}

export function unshareItem(shared: SharedItems, item: number, tenantHash: number): void {
  const tenants = shared.get(item);
  const at = tenants?.indexOf(tenantHash) ?? -1;
  if (tenants === undefined || at < 0) return;
  tenants.splice(at, 1);
  if (tenants.length === 0) shared.delete(item);
}

/** The oldest item that is not yet known everywhere goes first. */
function evict(shared: SharedItems): void {
  let tries = 0;
  for (const [item, tenants] of shared) {
    shared.delete(item);
    tries += 1;
    if (tenants.length < tenantsForKnown || tries === secondChances) return;
    shared.set(item, tenants);
  }
}
