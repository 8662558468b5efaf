/**
 * Requests of a tenant that agents were given before, as fingerprints of their words. Requests that share most of their
 * words are the same task: scheduled jobs and templates differ in a name or a date.
 */
export interface KnownIntent {
  readonly id: number;
  readonly tokens: ReadonlySet<number>;
  sessions: number;
  lastDay: number;
}

const maxIntents = 256;
const maxTokens = 64;
/** Shared words of all words of both, in percent. */
const sameTask = 70;

/** Words of a request, sorted, bounded: what `findIntent` and `addIntent` take. */
export function intentTokens(tokens: Iterable<number>): number[] {
  return [...new Set(tokens)].sort((a, b) => a - b).slice(0, maxTokens);
}

/** The known request that is most like this one, if it is the same task. */
export function findIntent(
  known: readonly KnownIntent[],
  tokens: readonly number[],
): KnownIntent | undefined {
  let best: KnownIntent | undefined;
  let bestShare = sameTask - 1;
  if (tokens.length === 0) return undefined;
  for (const intent of known) {
    let shared = 0;
    for (const token of tokens) if (intent.tokens.has(token)) shared += 1;
    const share = Math.floor((shared * 100) / (tokens.length + intent.tokens.size - shared));
    if (share > bestShare) [best, bestShare] = [intent, share];
  }
  return best;
}

/** Counts one more session for the request; the one least and longest ago seen goes when there are too many. */
export function addIntent(
  known: KnownIntent[],
  tokens: readonly number[],
  day: number,
): KnownIntent | undefined {
  if (tokens.length === 0) return undefined;
  let intent = findIntent(known, tokens);
  if (intent === undefined) {
    if (known.length >= maxIntents) known.splice(leastUsed(known), 1);
    intent = { id: hashOf(tokens), tokens: new Set(tokens), sessions: 0, lastDay: day };
    known.push(intent);
  }
  intent.sessions += 1;
  intent.lastDay = day;
  return intent;
}

function leastUsed(known: readonly KnownIntent[]): number {
  let least = 0;
  known.forEach((intent, index) => {
    const before = known[least];
    if (before !== undefined && (intent.sessions - before.sessions || intent.lastDay - before.lastDay) < 0)
      least = index;
  });
  return least;
}

/** Tokens are keyed hashes already: mixing them is enough. */
function hashOf(tokens: readonly number[]): number {
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (const token of tokens) {
    low = Math.imul(low ^ token, 0x01000193);
    high = Math.imul(high ^ (token >>> 7) ^ low, 0x85ebca6b);
  }
  return (high >>> 12) * 0x100000000 + (low >>> 0);
}
