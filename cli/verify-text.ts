import type { FindingCause } from '../evidence/finding.ts';
import type { VerifyReport } from '../sinks/store/verify-report.ts';

/** What each cause means, for a reader who knows no hash chain. */
const MEANINGS: Readonly<Record<FindingCause, string>> = {
  BODY_HASH: 'the stored content was changed',
  LEAF_HASH: 'the place of the entry or its hashes were changed',
  LINK: 'the entry does not follow from the one before it',
  GAP: 'entries are missing',
  HEAD_MISSING: 'the beginning of the log is missing',
  HEAD_MISMATCH: 'the log was rewritten: another entry was recorded here',
  TRUNCATED: 'the end of the log is missing',
  LOG_MISSING: 'the whole log is missing',
  ROLLBACK: 'one part of the data is older than another',
  FORK: 'two different entries claim one place',
  DUPLICATE: 'an identical copy of an entry',
  GENESIS: 'the first entry does not belong to this log',
  OFFSET_ORDER: 'the order of the records was changed',
  DAY: 'the entry lies in the wrong day',
  FIELD: 'a field has a value no entry can have',
  LOG_ID: 'the entry does not belong to this log',
  UNKNOWN_LOG: 'a log this pipeline never wrote',
  UNKNOWN_TAIL: 'entries were added that no record gave',
  ROW_ORDER: 'rows came out of order',
  REPAIR_DIFF: 'the record in the log says something else',
  RECORDS_LOST: 'records are in neither the ledger nor the log',
  DERIVED_MISMATCH: 'a search column does not say what the content says',
  SCHEMA_FINGERPRINT: 'the table was altered',
  HIDDEN_ROWS: 'rows were hidden by a deletion',
  ROW_POLICY: 'a policy hides rows from readers',
  COUNT_MISMATCH: 'the engine does not give every row it counts',
  ROOT_MISMATCH: 'the entries are not those the notary signed',
  CHECKPOINT_MISSING: 'a signed checkpoint is missing',
  NOTE_SIGNATURE: 'a checkpoint was changed, or another key signed it under a known name',
  UNKNOWN_KEY: 'no key that is known signed it',
  NO_PINNED_KEY: 'no key is known but the one the evidence names itself; give one with --trust',
  SPLIT_VIEW: 'two different histories of one size were signed',
  KEY_WINDOW: 'the key that signed does not count for this part of the log',
  ROTATION_INVALID: 'a change of keys was not signed by the old and the new key',
  ANCHOR_ENTRY: 'an entry of the anchor log has a form no notary writes',
  ANCHOR_TIME: 'the times of the notary contradict its order',
  ANCHOR_UNAVAILABLE: 'an anchor did not answer; leave anchors out with --no-anchors',
  WITNESS_QUORUM: 'too few witnesses have cosigned',
  UNAUTHORISED_PRUNE: 'entries were removed without an announcement, or against a legal hold',
  HEADS_UNAVAILABLE: 'nothing recorded to hold the store against',
  SETTINGS_NOT_PINNED: 'the engine does not take the settings of a safe read',
  READ_ERROR: 'the stored bytes could not be read',
};

/** The report for people: the verdict, counts, and one line per finding. */
export function describeReport(report: VerifyReport): string {
  const lines = [
    `${report.verdict}: ${report.entries} entries in ${report.logs} logs (${(report.took_ms / 1000).toFixed(1)} s)`,
  ];
  for (const { log, seq, cause, column, detail } of report.findings) {
    const place = seq === null ? log : `${log} entry ${seq}`;
    const where = column === null ? place : `${place} column ${column}`;
    lines.push(`${where}: ${cause}: ${MEANINGS[cause]} (${detail})`);
  }
  const unseen = report.findings_total - report.findings.length;
  if (unseen > 0) lines.push(`... and ${unseen} more findings`);
  lines.push(...describeSigned(report));
  if (report.duplicates > 0) lines.push(`${report.duplicates} identical copies of entries (harmless)`);
  for (const check of report.checks_not_done) lines.push(`not checked: ${check}`);
  return `${lines.join('\n')}\n`;
}

/** How far signatures and anchors reach. */
function describeSigned({ signed, verified_up_to: logs }: VerifyReport): string[] {
  if (signed === null) return ['no checkpoints: nothing is signed'];
  const at = signed.signed_at_ms === null ? '' : ` at ${new Date(signed.signed_at_ms).toISOString()}`;
  const sum = (value: (log: (typeof logs)[number]) => string) =>
    logs.reduce((total, log) => total + BigInt(value(log)), 0n);
  const source = {
    pinned: 'keys of the trust policy',
    local: "this deployment's own key",
    none: 'no known key',
  };
  const lines = [
    `signed up to size ${signed.signed_size} of the anchor log${at} (${source[signed.key_source]}); ${sum((log) => log.signed_size)} entries are signed, ${sum((log) => log.unsigned)} are not yet`,
  ];
  const anchors = signed.anchors.map(({ id, size }) => `${id} ${size}`).join(', ');
  if (anchors !== '')
    lines.push(
      `anchored up to size ${signed.anchored_size} (${anchors}); ${sum((log) => log.anchored_size)} entries are anchored`,
    );
  for (const { size } of signed.split_views)
    lines.push(`two signed checkpoints of size ${size} differ: --json has both, they prove it to anybody`);
  return lines;
}
