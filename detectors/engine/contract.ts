import type { Alert } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import type { Detector, ScoreProbe } from '../detector.ts';
import type { AroundRule } from '../rules/rules-detector.ts';
import type { EpochChanges, SharedChange } from './shared-statistics.ts';
import type { StateChange } from './snapshot.ts';

export interface EngineOptions {
  /** Instead of the built-in ones and the rules in force, for tests. */
  readonly detectors?: readonly Detector[];
  /** Put around each detector, to measure it from outside. */
  readonly wrap?: (detector: Detector) => Detector;
  /** Put around the work for each rule, likewise. */
  readonly aroundRule?: AroundRule;
  /** The same finding again in a session is silent for this long. */
  readonly repeatAfterMs?: number;
  /** Hears every score a detector gives, alert or not; for evaluation. */
  readonly onScore?: ScoreProbe;
}

export interface DetectRecord {
  readonly event: CustodyEvent;
  /** The log's append time of the record. */
  readonly appendTimeMs: number;
}

/**
 * Runs detectors over the events of one partition in log order. Synchronous and deterministic: the alerts are a
 * function of the records since the log began, or since the snapshot that was restored.
 */
export interface Engine {
  /** Alerts in the order of the detectors. */
  process(record: DetectRecord): Alert[];
  /**
   * What changed since the last call, as named pieces for one atomic write together with the log position. Pieces are
   * made as they are asked for: take all of them before the next event. If the write fails, throw the engine away and
   * restore a new one.
   */
  snapshot(): Iterable<StateChange>;
  /** Puts all pieces back into a new engine. Throws SnapshotVersionError, with nothing restored. */
  restore(entries: readonly { readonly name: string; readonly value: Uint8Array }[]): void;
  stats(): EngineStats;
  /** Epoch of the records being processed; `undefined` before the first, and where nothing is shared. */
  epoch(): number | undefined;
  /** What this partition's tenants changed in the current epoch so far. */
  epochChanges(): Readonly<Record<string, readonly SharedChange[]>>;
  /**
   * Goes on to a later epoch: its own changes of the current one are forgotten (they were told to all partitions), those
   * of all partitions that became visible are applied in the order given. Every earlier epoch must have been applied.
   */
  beginEpoch(epoch: number, visible: readonly EpochChanges[]): void;
  /** Digests of the policy documents in force, by type. */
  policyDigests(): Readonly<Record<string, string>>;
  /** How many tenants each detector is still learning, as `learning/<detector id>`. */
  learningTenants(): Record<string, number>;
  /** How far the detectors have learned what is normal for the tenant, by detector id. */
  learning(tenant: string): Record<string, { readonly learning: boolean; readonly seen: number }>;
}

export type EngineStats = Record<
  | 'tenants'
  | 'sessions'
  | 'learningTenants'
  | 'quarantinedSessions'
  | 'events'
  | 'calls'
  | 'mergedObservations'
  | 'duplicateEvents'
  | 'clampedTimes'
  | 'evictedSessions'
  | 'evictedTenants'
  | 'repeatedAlerts'
  | 'heldSessions'
  | 'unjudgedSessions',
  number
>;
