import type { BundleMode } from './case-data.ts';

/** What the bundle claims, in words: part of case.json and of the report. */
export function claimOf(mode: BundleMode, findingCount: number): string {
  const claim =
    mode === 'range'
      ? 'Complete for each log named in logs.json: every entry from from_seq to to_seq is here, none left out, none changed, under a signed checkpoint. Nothing is claimed about entries outside these ranges or about logs not named.'
      : 'Single entries: each is unchanged and in its log under a signed checkpoint. No completeness is claimed: other entries of the same logs, of the same time and of the same session may exist and are not here.';
  return findingCount === 0
    ? claim
    : `NOT PROVEN: the export was made although the store contradicts its checkpoints; see findings. Otherwise it would claim: ${claim}`;
}
