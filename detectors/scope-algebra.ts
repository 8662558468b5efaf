/**
 * Scope strings of many systems, read alike: segments between colons, `*` for anything, and a shorter scope covers
 * the longer ones below it (`repo` covers `repo:status`). Lower case.
 */
export function normalizeGrant(grant: string): string {
  return grant.trim().toLowerCase();
}

const allPowerful = new Set(['*', 'admin', 'root', 'owner', 'superuser', 'all', 'full', 'full_access']);

/** Everything `narrow` allows, `broad` allows too. Both normalised. */
export function covers(broad: string, narrow: string): boolean {
  if (broad === narrow || isUnlimited(broad)) return true;
  const broadParts = broad.split(':');
  const narrowParts = narrow.split(':');
  if (broadParts.length > narrowParts.length) return false;
  return broadParts.every((part, index) => segmentCovers(part, narrowParts[index] ?? ''));
}

function segmentCovers(broad: string, narrow: string): boolean {
  if (broad === '*' || broad === narrow) return true;
  return broad.endsWith('*') && narrow.startsWith(broad.slice(0, -1));
}

/** The grant names everything of a kind: `*`, `write:*`, `a:b:*`, `tickets.*`, `admin`. */
export function isWildcard(grant: string): boolean {
  return isUnlimited(grant) || grant.endsWith('*');
}

function isUnlimited(grant: string): boolean {
  return allPowerful.has(grant) || /^(?:\*|admin)(?::\*)+$/.test(grant);
}

const changingVerb =
  /(?:^|[:._/-])(?:write|admin|delete|manage|create|update|execute|owner|root|full|all)(?:$|[:._/-])/;

/** The grant lets its holder change something. */
export function allowsChange(grant: string): boolean {
  return isUnlimited(grant) || changingVerb.test(grant) || grant.startsWith('*');
}

/** `write:*` or anything that covers it. */
export function allowsWriteAll(grant: string): boolean {
  return covers(grant, 'write:*');
}
