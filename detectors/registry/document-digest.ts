import { createHash } from 'node:crypto';

/**
 * SHA-256 over the canonical JSON of a registry document. Its member names are fixed words and its numbers are finite, so
 * sorting the members is all that RFC 8785 asks for beyond JSON.stringify.
 */
export function documentDigest(document: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(document)))
    .digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  );
}
