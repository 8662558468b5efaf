/**
 * Fingerprints of words that a session has met, each with the call it was first seen in. Open addressing over one typed
 * array: 8 bytes a place, of which at most three in four are taken. Full, it takes no more: what a session saw first stays known.
 */
export interface TokenTable {
  size: number;
  readonly maxTokens: number;
  /** Pairs of token and call index + 1; 0 marks an empty place. */
  slots: Int32Array;
}

const smallestLength = 64;
/** Of every table that holds nothing yet: most sessions never fill one, and a typed array lives outside the heap. */
const noSlots = new Int32Array(0);

/** `maxTokens`: three quarters of a power of two make the best use of the places. */
export function newTokenTable(maxTokens: number): TokenTable {
  return { size: 0, maxTokens, slots: noSlots };
}

/** Index of the call the token was first seen in; -1 when it never was. */
export function findToken({ slots, size }: TokenTable, token: number): number {
  if (size === 0) return -1;
  return (slots[placeOf(slots, token) + 1] ?? 0) - 1;
}

export function addToken(table: TokenTable, token: number, callIndex: number): void {
  if (table.size * 8 >= table.slots.length * 3 && !grow(table)) return;
  const place = placeOf(table.slots, token);
  if (table.slots[place + 1] !== 0) return;
  table.slots[place] = token;
  table.slots[place + 1] = callIndex + 1;
  table.size += 1;
}

function grow(table: TokenTable): boolean {
  if (table.size >= table.maxTokens) return false;
  const before = table.slots;
  table.slots = new Int32Array(Math.max(smallestLength, before.length * 2));
  for (let place = 0; place < before.length; place += 2) {
    const call = before[place + 1] ?? 0;
    if (call === 0) continue;
    const token = before[place] ?? 0;
    const to = placeOf(table.slots, token);
    table.slots[to] = token;
    table.slots[to + 1] = call;
  }
  return true;
}

/** Where the token is, or where it would go. Tokens are keyed hashes, so their low bits are as good as any. */
function placeOf(slots: Int32Array, token: number): number {
  const mask = slots.length / 2 - 1;
  let place = (token ^ (token >>> 15)) & mask;
  while (slots[place * 2 + 1] !== 0 && slots[place * 2] !== token) place = (place + 1) & mask;
  return place * 2;
}
