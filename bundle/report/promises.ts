/** What a valid verdict means. Printed in every report: a reader must not have to look it up. */
export const PROMISED: readonly string[] = [
  'Any change to an entry in this bundle after its checkpoint was signed and anchored is detected, and the entry is named.',
  'In range mode: no entry of the stated range is missing, added or moved.',
  'The checkpoint was signed by the notary, a process apart from the one that writes entries, after it had read the stored bytes back.',
  'Where an anchor confirmed the checkpoint, nobody who controls the store and the notary key can change what came before it unseen.',
];

/** What no verdict means (design of record, §3). */
export const NOT_PROMISED: readonly string[] = [
  'That a source told the truth: an entry proves what was reported and when it was stored, not that it happened.',
  'That events which were never sent are known.',
  'That an allowed call was carried out: a decision is no proof of execution.',
  'Anything about entries before the first entry of a log, outside the stated ranges, or younger than the last checkpoint.',
  'Availability: deletion is detected, survival of deleted data is not promised.',
  'Confidentiality: whoever holds this bundle can read it.',
  'Anything against someone who holds the writer, the notary key, and every witness and anchor at once.',
];
