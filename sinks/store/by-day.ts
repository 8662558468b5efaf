import type { SealedEntry } from '../../evidence/entry-builder.ts';

/** Splits entries in log order into runs of one day; days never decrease, so the oldest comes first. */
export function byDay(entries: readonly SealedEntry[]): SealedEntry[][] {
  const runs: SealedEntry[][] = [];
  for (const entry of entries) {
    const run = runs.at(-1);
    if (run?.[0]?.day === entry.day) run.push(entry);
    else runs.push([entry]);
  }
  return runs;
}
