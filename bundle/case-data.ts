import type { CustodyAct } from '../evidence/custody-chain.ts';
import type { EntryKind } from '../evidence/entry.ts';
import type { Alert } from '../schemas/alert.ts';
import type { CustodyEvent } from '../schemas/event.ts';

/**
 * An entry as those who render the case see it. Everything in `event` and `alert` was sent by somebody else: hostile
 * text that must be escaped wherever it is shown.
 */
export interface CaseEntry {
  readonly log: string;
  readonly seq: bigint;
  readonly topic: string;
  /** Append time of the record: the log's clock, not the sender's. */
  readonly appendTimeMs: number;
  readonly kind: EntryKind;
  /** Lower-case hex. */
  readonly bodySha: string;
  /** Of kind `event` on `custody.events`, and of the schema of this version. */
  readonly event?: CustodyEvent;
  /** Of kind `event` on `custody.alerts`, and of the schema of this version. */
  readonly alert?: Alert;
}

/**
 * Renders one file of the case. It is given every entry once, by append time, then log id, then seq; a case may have a
 * million of them, so what a view keeps must be bounded by itself.
 */
export interface CaseView<Rendered> {
  push(entry: CaseEntry): void;
  /** Called once, after the last entry. */
  finish(facts: BundleFacts): Rendered;
}

/** `range`: whole windows of logs, nothing in between left out. `selection`: single entries, no claim about others. */
export type BundleMode = 'range' | 'selection';

/** What is known of a bundle when its report is written, just before it is sealed. */
export interface BundleFacts {
  readonly caseId: string;
  readonly question: string | undefined;
  readonly mode: BundleMode;
  /** The claim in words, as in case.json. */
  readonly claim: string;
  readonly deployment: string;
  readonly tenant: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** What the operator asked for, such as `{ alert: '…' }` or `{ session: '…' }`. */
  readonly filters: Readonly<Record<string, string>>;
  readonly createdMs: number;
  readonly operator: string;
  readonly reason: string;
  readonly tool: { readonly name: string; readonly version: string };
  readonly logs: readonly LogFacts[];
  readonly anchorLog: AnchorLogFacts;
  readonly anchors: readonly { readonly anchor: string; readonly type: string; readonly size: bigint }[];
  /** C2SP verifier keys, to be compared with those pinned elsewhere. */
  readonly keys: { readonly notary: readonly string[]; readonly bundle: string };
  /** Acts up to sealing. */
  readonly acts: readonly CustodyAct[];
  readonly receiptCount: number;
  /** Contradictions found while reading; empty unless the export was forced. */
  readonly findings: readonly CaseFinding[];
  /** What could have been in the bundle and is not, each with its reason, in words. */
  readonly leftOut: readonly string[];
}

export interface LogFacts {
  readonly log: string;
  /** Name of its files: `0001` and on. */
  readonly index: string;
  readonly mode: BundleMode;
  readonly fromSeq: bigint;
  /** Inclusive. */
  readonly toSeq: bigint;
  readonly entryCount: number;
  /** The checkpoint it is proven under. */
  readonly size: bigint;
  /** Lower-case hex. */
  readonly root: string;
  /** Place of the checkpoint's entry in the anchor log. */
  readonly anchorSeq: bigint;
  readonly checkpointMs: number;
}

export interface AnchorLogFacts {
  readonly origin: string;
  readonly size: bigint;
  /** Lower-case hex. */
  readonly root: string;
  readonly timeMs: number;
  /** Names of those who cosigned. */
  readonly cosigners: readonly string[];
}

export interface CaseFinding {
  readonly cause: string;
  readonly log: string;
  readonly seq: string | null;
  readonly detail: string;
}
