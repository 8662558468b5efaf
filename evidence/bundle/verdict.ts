/** Closed set of reasons a bundle's verification names; docs/spec/bundle.md says what each means. */
export type BundleCause =
  | 'LAYOUT'
  | 'TOO_LARGE'
  | 'MANIFEST'
  | 'EXTRA_FILE'
  | 'MISSING_FILE'
  | 'SEAL'
  | 'NO_PINNED_KEY'
  | 'UNKNOWN_KEY'
  | 'CASE_MISMATCH'
  | 'EXPORTED_INVALID'
  | 'BODY_HASH'
  | 'LEAF_HASH'
  | 'LINK'
  | 'GAP'
  | 'LOG_ID'
  | 'COMPLETENESS'
  | 'INCLUSION'
  | 'ROOT_MISMATCH'
  | 'ANCHOR_ENTRY'
  | 'ANCHOR_INCLUSION'
  | 'NOTE_SIGNATURE'
  | 'KEY_WINDOW'
  | 'ROTATION_INVALID'
  | 'WITNESS_QUORUM'
  | 'TIMESTAMP'
  | 'CUSTODY_LINK'
  | 'CUSTODY_SIGNATURE'
  | 'CUSTODY_KEY';

/** Causes that say nothing against the bundle and keep it from being valid. */
const UNDECIDABLE: ReadonlySet<BundleCause> = new Set(['NO_PINNED_KEY', 'CUSTODY_KEY']);

/** One thing that was found, with its place. */
export interface BundleFinding {
  readonly cause: BundleCause;
  /** Name in the bundle. */
  readonly file: string | null;
  /** Log id. */
  readonly log: string | null;
  /** Decimal. */
  readonly seq: string | null;
  readonly detail: string;
}

export interface VerifiedLog {
  readonly log: string;
  readonly from_seq: string;
  /** Inclusive. */
  readonly to_seq: string;
  readonly entries: number;
  /** Of the checkpoint it was held against. */
  readonly size: string;
  /** When the notary says it made that checkpoint; `null` where its entry could not be read. */
  readonly checkpoint_ms: number | null;
  /** Append times of the first and the last entry. */
  readonly first_ms: number | null;
  readonly last_ms: number | null;
  /** Whether that checkpoint is in the anchor log under a note that counts. */
  readonly anchored: boolean;
}

export interface VerifiedTimestamp {
  readonly file: string;
  /** `not_pinned`: by nobody the trust policy names. `unsupported`: this program cannot check it; it counts for nothing. */
  readonly status: 'valid' | 'invalid' | 'not_pinned' | 'unsupported' | 'other_checkpoint';
  readonly authority: string | null;
  readonly time_ms: number | null;
}

/** What a verification says, the same from every program that verifies. */
export interface BundleVerdict {
  readonly verdict: 'valid' | 'invalid' | 'undecidable';
  readonly mode: 'range' | 'selection' | null;
  readonly case: string | null;
  /** What is proven, in words. */
  readonly claim: string;
  /** What no bundle ever proves. */
  readonly never_promised: readonly string[];
  /** The first 100. */
  readonly findings: readonly BundleFinding[];
  readonly findings_total: number;
  readonly entries: number;
  readonly logs: readonly VerifiedLog[];
  readonly time_bounds: TimeBounds;
  readonly witnesses: readonly { readonly name: string; readonly time_ms: number }[];
  readonly timestamps: readonly VerifiedTimestamp[];
  /** Where the keys came from: only those pinned outside of the bundle can make it valid. */
  readonly key_source: 'pinned' | 'bundle';
}

export interface TimeBounds {
  /** When the notary says it made the newest checkpoint that is used. */
  readonly stated_ms: number | null;
  /** By when everything was there, by the word of pinned witnesses or authorities. */
  readonly not_after_ms: number | null;
  readonly not_after_source: 'witness' | 'timestamp' | null;
}

export type BundlePlace = Partial<Pick<BundleFinding, 'file' | 'log'>> & { readonly seq?: bigint | null };

/** Takes findings while a bundle is verified. */
export interface BundleFindings {
  add(cause: BundleCause, place: BundlePlace, detail: string): void;
  readonly first: readonly BundleFinding[];
  readonly total: number;
  verdict(): BundleVerdict['verdict'];
}

const shown = (text: string | null): string | null => (text === null ? null : printable(text));

const KEPT = 100;
const TEXT_CHARS_MAX = 400;

/** Text that somebody chose, fit to be shown: short and without what moves a cursor or turns a line around. */
export const printable = (text: string): string =>
  text.slice(0, TEXT_CHARS_MAX).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');

export function collectFindings(): BundleFindings {
  const first: BundleFinding[] = [];
  let total = 0;
  let isInvalid = false;
  return {
    add(cause, { file = null, log = null, seq = null }, detail) {
      total += 1;
      if (!UNDECIDABLE.has(cause)) isInvalid = true;
      if (first.length < KEPT)
        first.push({
          cause,
          file: shown(file),
          log: shown(log),
          seq: seq === null ? null : String(seq),
          detail: printable(detail),
        });
    },
    first,
    get total() {
      return total;
    },
    verdict: () => (isInvalid ? 'invalid' : total > 0 ? 'undecidable' : 'valid'),
  };
}
