import type { PrunedStart } from './anchor-log/pruned.ts';
import type { LogHead } from './entry-builder.ts';

/** What somebody recorded or signed of a log when this was its last entry. */
export interface ExpectedHead extends LogHead {
  /** Of a signed checkpoint: root of the tree that ends with the entry, lower-case hex. */
  readonly root?: string;
  /** Of a signed checkpoint: UTC day it was made, days since the epoch. */
  readonly signedDay?: number;
}

/** Whether a head was signed, or only recorded by whoever wrote the log. */
export const verbOf = (head: ExpectedHead | undefined): 'written' | 'signed' =>
  head?.root === undefined ? 'written' : 'signed';

/** Recorded heads with the entry before the first one that must be there. */
export function withStart(recorded: readonly ExpectedHead[], start: PrunedStart): ExpectedHead[] {
  const head: ExpectedHead = { seq: start.firstSeq - 1n, leaf: start.leaf };
  return [...recorded, head].sort((a, b) => (a.seq < b.seq ? -1 : a.seq > b.seq ? 1 : 0));
}
