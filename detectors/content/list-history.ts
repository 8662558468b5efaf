/** The tools one viewer was last shown by one server. */
interface Listing {
  /** Name hashes of the latest list, its pages joined. */
  current: number[];
  lastMs: number;
  /** Tools that the latest list lacked, with the number of lists in a row. */
  readonly missing: Map<number, number>;
}

/** By server and viewer, least recently listed first; bounded. */
export type ListHistory = Map<string, Listing>;

export interface ListChanges {
  /** This viewer had a list of this server before. */
  readonly known: boolean;
  readonly added: readonly number[];
  /** Lacking in this list for the first time: may have been renamed. */
  readonly missing: readonly number[];
  /** Lacking in two lists in a row. */
  readonly removed: readonly number[];
}

const maxListings = 256;
const maxTools = 256;
/** Pages of one list follow each other this fast. */
const pageWithinMs = 60_000;
const nothing: ListChanges = { known: false, added: [], missing: [], removed: [] };

/** Takes in a list and says what it changes for this viewer. The next page of a list changes nothing. */
export function noteList(
  history: ListHistory,
  key: string,
  tools: readonly number[],
  timeMs: number,
): ListChanges {
  const shown = tools.slice(0, maxTools);
  const before = history.get(key);
  history.delete(key);
  if (before === undefined) {
    history.set(key, { current: shown, lastMs: timeMs, missing: new Map() });
    dropOldest(history);
    return nothing;
  }
  history.set(key, before);
  const inCurrent = new Set(before.current);
  const isPage =
    timeMs - before.lastMs < pageWithinMs && shown.length > 0 && !shown.some((tool) => inCurrent.has(tool));
  before.lastMs = timeMs;
  if (isPage) {
    const added = shown.filter((tool) => !before.missing.has(tool));
    for (const tool of shown) before.missing.delete(tool);
    before.current = [...before.current, ...shown].slice(0, maxTools);
    // The first list of a viewer has pages too: what they hold was always there.
    return { ...nothing, known: false, added };
  }
  return nextList(before, shown, inCurrent);
}

function nextList(before: Listing, shown: number[], inCurrent: ReadonlySet<number>): ListChanges {
  const inShown = new Set(shown);
  const added = shown.filter((tool) => !inCurrent.has(tool) && !before.missing.has(tool));
  const missing: number[] = [];
  const removed: number[] = [];
  for (const tool of shown) before.missing.delete(tool);
  for (const [tool, times] of before.missing) {
    if (times >= 1) {
      removed.push(tool);
      before.missing.delete(tool);
    }
  }
  for (const tool of before.current) {
    if (inShown.has(tool)) continue;
    missing.push(tool);
    before.missing.set(tool, 1);
  }
  before.current = shown;
  return { known: true, added, missing, removed };
}

function dropOldest(history: ListHistory): void {
  if (history.size <= maxListings) return;
  const oldest = history.keys().next().value;
  if (oldest !== undefined) history.delete(oldest);
}
