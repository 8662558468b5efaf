/** Closed set of reasons a verification names; `docs/spec/log.md` says what each means. */
export type FindingCause =
  | 'BODY_HASH'
  | 'LEAF_HASH'
  | 'LINK'
  | 'GAP'
  | 'HEAD_MISSING'
  | 'HEAD_MISMATCH'
  | 'TRUNCATED'
  | 'LOG_MISSING'
  | 'ROLLBACK'
  | 'FORK'
  | 'DUPLICATE'
  | 'GENESIS'
  | 'OFFSET_ORDER'
  | 'DAY'
  | 'FIELD'
  | 'LOG_ID'
  | 'UNKNOWN_LOG'
  | 'UNKNOWN_TAIL'
  | 'ROW_ORDER'
  | 'REPAIR_DIFF'
  | 'RECORDS_LOST'
  | 'DERIVED_MISMATCH'
  | 'SCHEMA_FINGERPRINT'
  | 'HIDDEN_ROWS'
  | 'ROW_POLICY'
  | 'COUNT_MISMATCH'
  | 'ROOT_MISMATCH'
  | 'CHECKPOINT_MISSING'
  | 'NOTE_SIGNATURE'
  | 'UNKNOWN_KEY'
  | 'NO_PINNED_KEY'
  | 'SPLIT_VIEW'
  | 'KEY_WINDOW'
  | 'ROTATION_INVALID'
  | 'ANCHOR_ENTRY'
  | 'ANCHOR_TIME'
  | 'ANCHOR_UNAVAILABLE'
  | 'WITNESS_QUORUM'
  | 'UNAUTHORISED_PRUNE'
  | 'HEADS_UNAVAILABLE'
  | 'SETTINGS_NOT_PINNED'
  | 'READ_ERROR';

/** One thing a verification found, with its place. */
export interface Finding {
  readonly cause: FindingCause;
  /** Log id, that of the anchor log included; a topic partition, a table or an anchor where no log is meant. */
  readonly log: string;
  readonly seq: bigint | null;
  readonly column: string | null;
  readonly detail: string;
}

/** Causes that say nothing against the evidence. */
export const BENIGN: ReadonlySet<FindingCause> = new Set(['DUPLICATE']);

/** Causes after which nothing can be said either way. */
export const UNDECIDABLE: ReadonlySet<FindingCause> = new Set([
  'HEADS_UNAVAILABLE',
  'NO_PINNED_KEY',
  'ANCHOR_UNAVAILABLE',
  'WITNESS_QUORUM',
  'SETTINGS_NOT_PINNED',
  'READ_ERROR',
]);
