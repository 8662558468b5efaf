import { UNDECIDABLE, type Finding } from '../../evidence/finding.ts';
import { engineCode } from './clickhouse-error.ts';

/** What a verification says, ready for JSON; 64-bit values are decimal strings. */
export interface VerifyReport {
  readonly verdict: 'valid' | 'invalid' | 'undecidable';
  readonly entries: number;
  readonly logs: number;
  /** The first findings; `findings_total` counts all. */
  readonly findings: readonly ReportedFinding[];
  readonly findings_total: number;
  /** Identical copies of an entry: they say nothing against it. */
  readonly duplicates: number;
  readonly verified_up_to: readonly VerifiedLog[];
  /** What notary and anchors say; `null` when the deployment has no checkpoints. */
  readonly signed: SignedReport | null;
  /** Rows later than the recorded heads, compared with the records of the log instead. */
  readonly beyond_heads: number;
  /** Checks that could not be made, and why. */
  readonly checks_not_done: readonly string[];
  readonly took_ms: number;
}

/** How far one log was verified. */
export interface VerifiedLog {
  readonly log: string;
  /** Last entry. */
  readonly seq: string;
  readonly leaf: string;
  /** Entries under the newest signed checkpoint. */
  readonly signed_size: string;
  /** Entries under a checkpoint that an anchor outside of the store holds too. */
  readonly anchored_size: string;
  /** Size up to which the recomputed root is the signed one; 0 when only a part of the log was read. */
  readonly root_size: string;
  /** Entries after the newest checkpoint: the window in which only the records of the log vouch for them. */
  readonly unsigned: string;
}

export interface SignedReport {
  /** Where the keys come from: a policy from outside, the deployment itself, or only the log. */
  readonly key_source: 'pinned' | 'local' | 'none';
  readonly keys: readonly string[];
  readonly anchor_log_size: string;
  readonly signed_size: string;
  readonly signed_at_ms: number | null;
  readonly anchored_size: string;
  readonly witnessed_size: string | null;
  /** The anchors that answered, with the size each holds. */
  readonly anchors: readonly { readonly id: string; readonly size: string }[];
  /** Two signed checkpoints of one size with different trees: proof against whoever signed them. */
  readonly split_views: readonly { readonly size: string; readonly notes: readonly [string, string] }[];
}

export type ReportedFinding = Omit<Finding, 'seq'> & { readonly seq: string | null };

const FINDINGS_MAX = 100;
/** Text in findings comes from the store and may be hostile. */
const TEXT_MAX_LENGTH = 400;

/** Engine codes that say the stored bytes themselves are damaged. */
const DAMAGE: ReadonlySet<number> = new Set([33, 38, 40, 79, 117, 226, 228, 246, 271, 432, 740]);

export interface FindingLog {
  add(finding: Finding): void;
  /** A statement failed: READ_ERROR, which is against the store when its bytes are damaged. */
  readFailure(place: string, error: unknown): void;
  readonly total: number;
  readonly first: readonly ReportedFinding[];
  verdict(): VerifyReport['verdict'];
}

/** Collects findings in bounded memory. */
export function createFindingLog(): FindingLog {
  const first: ReportedFinding[] = [];
  let total = 0;
  let against = 0;

  function keep({ cause, log, seq, column, detail }: Finding): void {
    total += 1;
    if (first.length >= FINDINGS_MAX) return;
    const text = (value: string) => value.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?').slice(0, TEXT_MAX_LENGTH);
    first.push({
      cause,
      log: text(log),
      seq: seq === null ? null : String(seq),
      column,
      detail: text(detail),
    });
  }
  return {
    first,
    get total() {
      return total;
    },
    add(finding) {
      if (!UNDECIDABLE.has(finding.cause)) against += 1;
      keep(finding);
    },
    readFailure(place, error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      if (DAMAGE.has(engineCode(cause) ?? engineCode(error) ?? 0)) against += 1;
      const words = cause instanceof Error ? cause.message : String(cause);
      keep({ cause: 'READ_ERROR', log: place, seq: null, column: null, detail: words });
    },
    verdict() {
      if (against > 0) return 'invalid';
      return total > 0 ? 'undecidable' : 'valid';
    },
  };
}

/** Checks that could not be made, and why. */
export interface Checklist {
  readonly notDone: readonly string[];
  skip(reason: string): void;
  /** Does `action`; when it fails, notes that `check` was not done and gives `otherwise`. */
  attempt<T>(check: string, action: () => Promise<T>, otherwise: T): Promise<T>;
}

/** Starts an empty checklist. */
export function createChecklist(): Checklist {
  const notDone = new Set<string>();
  return {
    get notDone() {
      return [...notDone];
    },
    skip(reason) {
      notDone.add(reason);
    },
    async attempt(check, action, otherwise) {
      try {
        return await action();
      } catch (error) {
        notDone.add(`${check}: ${error instanceof Error ? error.message.slice(0, 200) : 'failed'}`);
        return otherwise;
      }
    },
  };
}
