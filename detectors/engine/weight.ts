/**
 * About how many bytes plain data takes: the same on every machine, which the length of a serialised form need not be. Eight
 * for a number and for what holds others, two for a character.
 */
export function weightOf(value: unknown): number {
  if (typeof value === 'string') return 8 + 2 * value.length;
  if (typeof value !== 'object' || value === null) return 8;
  if (ArrayBuffer.isView(value)) return 8 + value.byteLength;
  let weight = 8;
  if (value instanceof Map) for (const [key, member] of value) weight += weightOf(key) + weightOf(member);
  else if (value instanceof Set) for (const member of value) weight += weightOf(member);
  else for (const member of Object.values(value)) weight += weightOf(member);
  return weight;
}
