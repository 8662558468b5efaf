import type { Assurance, ReceiptKind } from '../../schemas/receipt.ts';

/** Closed set of reasons a receipt's verification names; `docs/spec/receipt.md` says what each means. */
export type ReceiptCause =
  | 'BAD_ENVELOPE'
  | 'SIGNATURE'
  | 'UNKNOWN_KEY'
  | 'STATEMENT'
  | 'ISSUER'
  | 'SUBJECT_MISMATCH'
  | 'STALE'
  | 'DUP_RECEIPT_ID'
  | 'BAD_PROOF'
  | 'ENTRY_PLACE'
  | 'BODY_HASH'
  | 'INCLUSION'
  | 'NOTE_SIGNATURE'
  | 'ANCHOR_ENTRY'
  | 'LEAF_HASH'
  | 'ANCHOR_INCLUSION'
  | 'KEY_WINDOW'
  | 'ROTATION_INVALID'
  | 'TIME_BOUNDS'
  | UndecidableCause;

/** Causes after which nothing can be said either way. */
export type UndecidableCause = 'NO_PINNED_KEY' | 'NO_PROOF' | 'QUORUM';

/** What is checked, in this order. */
export const CHECKS = [
  'envelope',
  'issuer_signature',
  'statement',
  'issuer',
  'subject',
  'freshness',
  'entry',
  'body',
  'inclusion',
  'log_checkpoint',
  'anchor_entry',
  'anchor_inclusion',
  'anchor_checkpoint',
  'witnesses',
  'time_bounds',
] as const;

export type CheckName = (typeof CHECKS)[number];

export interface Check {
  readonly check: CheckName;
  /** `undecided`: what it needs is not there; `not_done`: something before it failed, or nothing asked for it. */
  readonly result: 'passed' | 'failed' | 'undecided' | 'not_done';
  readonly detail: string;
}

/** What a verification says of one receipt; JSON as `custody receipt verify --json` prints it. */
export interface ReceiptVerdict {
  readonly verdict: 'valid' | 'invalid' | 'undecidable';
  readonly cause: ReceiptCause | null;
  /** What is shown when the verdict is `valid`, in words. */
  readonly claim: string;
  readonly checks: readonly Check[];
  /** Where the issuer's key came from; never from the receipt. */
  readonly key_source: 'pinned' | 'none';
  readonly time_bounds: TimeBounds;
  readonly assurance: Assurance | null;
  readonly not_proven: readonly string[];
  readonly receipt: ReceiptSummary | null;
}

/** When the entry came to be in the log, milliseconds since the epoch; never by the issuer's own word. */
export interface TimeBounds {
  readonly not_before_ms: number | null;
  readonly not_after_ms: number | null;
  /** Whose clock the upper bound is. */
  readonly not_after_by: 'witnesses' | 'notary' | null;
}

export interface ReceiptSummary {
  readonly kind: ReceiptKind;
  readonly receipt_id: string;
  readonly issuer: string;
  readonly tenant: string;
  readonly decision?: string;
  readonly executed?: boolean;
  readonly category?: string;
}

export interface CheckList {
  pass(check: CheckName, detail?: string): void;
  /** The first failure is the verdict's cause. */
  fail(check: CheckName, cause: Exclude<ReceiptCause, UndecidableCause>, detail: string): void;
  lack(check: CheckName, cause: UndecidableCause, detail: string): void;
  readonly verdict: ReceiptVerdict['verdict'];
  readonly cause: ReceiptCause | null;
  readonly all: readonly Check[];
}

export function createCheckList(): CheckList {
  const done = new Map<CheckName, Check>();
  let failed: ReceiptCause | undefined;
  let lacking: ReceiptCause | undefined;
  return {
    pass: (check, detail = '') => void done.set(check, { check, result: 'passed', detail }),
    fail(check, cause, detail) {
      failed ??= cause;
      done.set(check, { check, result: 'failed', detail: `${cause}: ${detail}` });
    },
    lack(check, cause, detail) {
      lacking ??= cause;
      done.set(check, { check, result: 'undecided', detail: `${cause}: ${detail}` });
    },
    get verdict() {
      if (failed !== undefined) return 'invalid';
      return lacking === undefined ? 'valid' : 'undecidable';
    },
    get cause() {
      return failed ?? lacking ?? null;
    },
    get all() {
      return CHECKS.map((check) => done.get(check) ?? { check, result: 'not_done' as const, detail: '' });
    },
  };
}
