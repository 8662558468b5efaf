import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Engine } from '../detectors/engine/contract.ts';
import { epochOf, visibleEpoch } from '../detectors/engine/shared-statistics.ts';
import type { StateChange } from '../detectors/engine/snapshot.ts';
import { canonicalJson } from '../evidence/canonical-json.ts';
import type { Clock } from '../runtime/clock.ts';
import { MovedError, TransientError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Alert } from '../schemas/alert.ts';
import {
  type Batch,
  type Claim,
  type ConsumedRecord,
  DeferredError,
  type Log,
  type Topic,
} from '../streams/topic.ts';
import { eventOf, idsAfter } from './detect-records.ts';
import { positionName, restoreState, statePrefix } from './detect-state.ts';
import { createPartitionPolicies, type PartitionPolicies } from './partition-policies.ts';
import type { PolicyDocuments } from './policy-documents.ts';
import type { SharedExchange } from './shared-exchange.ts';
import type { SnapshotPace } from './snapshot-pace.ts';
import type { Learning } from './status.ts';

export interface PartitionDetectorOptions {
  readonly events: Topic;
  readonly alerts: Topic;
  readonly log: Pick<Log, 'claim'>;
  readonly createEngine: () => Engine;
  readonly pace: SnapshotPace;
  /** Where partitions tell each other what tenants share; `undefined` = nothing is shared. */
  readonly shared?: { readonly exchange: SharedExchange; readonly epochMs: number } | undefined;
  /** What should be in force; `undefined` = nobody says. */
  readonly policies?: Pick<PolicyDocuments, 'wanted' | 'onLook'> | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Where a partition's snapshot stands: written in one transaction with the state it belongs to. */
interface Position {
  /** Offset of the first event the snapshot has not seen. */
  readonly next: string;
  /**
   * End of the alerts partition when the snapshot was taken: alerts after it may repeat on recovery. Alerts have the
   * key of their events, and both topics as many partitions, so a partition's alerts are in the partition of its number.
   */
  readonly alertsEnd: string;
}

/** Alerts that are in the topic already, of events that are seen again. */
interface EarlierAlerts {
  readonly ids: ReadonlySet<string>;
  /** Where in the alerts partition they begin: what a snapshot says as long as they count. */
  readonly from: string;
  /** End of the events when the partition was claimed: no earlier owner has seen more. */
  readonly seenAt: bigint;
}

/** Brokers' clocks may differ by this much when a quiet partition says that an epoch is over. */
const CLOCK_SKEW_MS = 10_000;

/** Pieces of a snapshot that are made without letting anything else run: some ten milliseconds. */
const PIECES_IN_A_ROW = 128;

/** The detectors of one partition, from the claim to its loss. */
export class PartitionDetector {
  /** Offset of the next event; everything before it has been seen and its alerts are in the topic. */
  next: bigint;
  readonly #partition: number;
  readonly #options: PartitionDetectorOptions;
  readonly #claim: Claim;
  readonly #engine: Engine;
  readonly #policies: PartitionPolicies;
  /** What an earlier owner appended after its last snapshot, until this one has seen all events that one can have seen. */
  #earlier: EarlierAlerts | undefined;
  /** A batch or a snapshot broke off: memory and log may differ, so the state must be restored. */
  #broken = false;
  #snapshotAtMs: number;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    partition: number,
    options: PartitionDetectorOptions,
    claim: Claim,
    start: { readonly engine: Engine; readonly next: bigint },
  ) {
    this.#partition = partition;
    this.#options = options;
    this.#claim = claim;
    this.#engine = start.engine;
    const { partitions } = options.events;
    this.#policies = createPartitionPolicies({ ...options, partition, partitions, claim });
    this.next = start.next;
    this.#snapshotAtMs = options.clock.nowMs();
  }

  /** Claims the partition and restores what the last owner's snapshot holds; from the log where it holds nothing. */
  static async restore(partition: number, options: PartitionDetectorOptions): Promise<PartitionDetector> {
    const claim = await options.log.claim({ area: 'detect', topic: 'custody.events', partition });
    try {
      const bytes = await claim.state.read(positionName(partition));
      const position =
        bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString()) as Position);
      const { start } = await options.events.bounds(partition);
      const next = position === undefined ? start : BigInt(position.next);
      const engine = options.createEngine();
      const isRestored =
        position === undefined || (await restoreState(engine, partition, claim, options.logger));
      const detector = new PartitionDetector(partition, options, claim, {
        engine,
        next: isRestored ? next : start,
      });
      if (!isRestored) await detector.#relearn(next);
      const { end } = await options.events.bounds(partition);
      const from = position?.alertsEnd ?? '0';
      detector.#earlier = { ids: await idsAfter(options.alerts, partition, from), from, seenAt: end };
      return detector;
    } catch (error) {
      await claim.release();
      throw error;
    }
  }

  /** Nobody else has had the partition since, and nothing broke off. */
  async isCurrent(): Promise<boolean> {
    return !this.#broken && (await this.#claim.isHeld());
  }

  async release(): Promise<void> {
    await this.#claim.release();
  }

  /** Keeps what was learned, if the partition is still ours, and lets go of it. */
  async close(): Promise<void> {
    await this.#inTurn(async () => {
      try {
        if (!this.#broken) await this.#snapshot();
      } catch (error) {
        if (!(error instanceof MovedError)) throw error;
      } finally {
        await this.release();
      }
    });
  }

  /** Sees a batch, or what is new in one that was put off in the middle. */
  async handle(batch: Batch): Promise<void> {
    await this.#inTurn(async () => {
      try {
        await this.#detect(batch);
      } catch (error) {
        if (!(error instanceof DeferredError)) this.#broken = true;
        throw error;
      }
    });
    await this.enforce();
  }

  /** Brings into force what should be, once everything is seen that an earlier owner can have brought into force. */
  async enforce(): Promise<void> {
    const { policies, logger } = this.#options;
    if (policies === undefined) return;
    await this.#inTurn(async () => {
      if (this.#broken || (this.#earlier !== undefined && this.next < this.#earlier.seenAt)) return;
      try {
        await this.#policies.enforce(policies.wanted(), this.#engine.policyDigests());
      } catch (error) {
        if (!(error instanceof TransientError)) throw error;
        logger.warn({ partition: this.#partition, err: error }, 'policy document not yet in force');
      }
    });
  }

  /** For a partition without events: says that the epochs up to now are over, so that nobody waits for it. */
  async idle(): Promise<void> {
    const { shared } = this.#options;
    if (shared === undefined || this.#broken) return;
    await this.#inTurn(async () => {
      const nowMs = this.#options.clock.nowMs();
      const { end } = await this.#options.events.bounds(this.#partition);
      if (end !== this.next) return;
      await this.#tell(epochOf(nowMs - CLOCK_SKEW_MS, shared.epochMs) - 1);
    });
  }

  stats(): Record<string, number> {
    return { ...this.#engine.stats(), ...this.#engine.learningTenants() };
  }

  learning(tenant: string): Learning {
    return this.#engine.learning(tenant);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #detect(batch: Batch): Promise<void> {
    const alerts: Alert[] = [];
    let seenCount = 0;
    let wait: { readonly until: Promise<void> } | undefined;
    for (const record of batch.records) {
      if (record.offset < this.next) continue;
      wait = await this.#enterEpochOf(record);
      if (wait !== undefined) break;
      alerts.push(...this.#process(record));
      this.next = record.offset + 1n;
      seenCount += 1;
    }
    await this.#publish(alerts.filter((alert) => this.#earlier?.ids.has(alert.alert_id) !== true));
    this.#options.metrics.detected.inc(seenCount);
    if (wait !== undefined) throw new DeferredError(wait.until);
    this.next = batch.nextOffset;
    const { clock, pace } = this.#options;
    const nowMs = clock.nowMs();
    if (await pace.take(this.#snapshotAtMs, () => this.#snapshot())) this.#snapshotAtMs = nowMs;
  }

  #process(record: ConsumedRecord): Alert[] {
    const event = eventOf(record);
    return event === undefined ? [] : this.#engine.process({ event, appendTimeMs: record.appendTimeMs });
  }

  /** The state is of another version: the events that the log still has teach it again; their alerts are out already. */
  async #relearn(until: bigint): Promise<void> {
    for await (const record of this.#options.events.read(this.#partition, this.next, until)) {
      for (;;) {
        const wait = await this.#enterEpochOf(record);
        if (wait === undefined) break;
        await wait.until;
      }
      this.#process(record);
    }
    this.next = until;
  }

  /** Goes on to the record's epoch; gives what to wait for while other partitions have not told what it may see. */
  async #enterEpochOf({
    appendTimeMs,
  }: ConsumedRecord): Promise<{ readonly until: Promise<void> } | undefined> {
    const { shared } = this.#options;
    if (shared === undefined) return undefined;
    const epoch = epochOf(appendTimeMs, shared.epochMs);
    const before = this.#engine.epoch();
    if (before !== undefined && epoch <= before) return undefined;
    await this.#tell(epoch - 1);
    const visible = visibleEpoch(epoch);
    const after = before === undefined ? -1 : visibleEpoch(before);
    const heard = await shared.exchange.hear(after, visible);
    if (!heard.complete) return heard;
    this.#engine.beginEpoch(epoch, heard.changes);
    return undefined;
  }

  async #tell(through: number): Promise<void> {
    const epoch = this.#engine.epoch() ?? through;
    if (epoch > through) return;
    const changes = this.#engine.epochChanges();
    await this.#options.shared?.exchange.tell(
      this.#claim,
      { partition: this.#partition, epoch, changes },
      through,
    );
  }

  async #publish(alerts: readonly Alert[]): Promise<void> {
    if (alerts.length === 0) return;
    await this.#claim.append(
      'custody.alerts',
      alerts.map((alert) => ({ key: alert.tenant, value: Buffer.from(canonicalJson(alert)) })),
    );
    for (const alert of alerts)
      this.#options.metrics.alerts.inc({ detector: alert.detector.id, severity: alert.severity });
  }

  async #snapshot(): Promise<void> {
    if (this.#earlier !== undefined && this.next >= this.#earlier.seenAt) this.#earlier = undefined;
    const { end } = await this.#options.alerts.bounds(this.#partition);
    const position: Position = { next: String(this.next), alertsEnd: this.#earlier?.from ?? String(end) };
    const prefix = statePrefix(this.#partition);
    const changes: StateChange[] = [];
    for (const { name, value } of this.#engine.snapshot()) {
      changes.push({ name: prefix + name, value });
      // Ten thousand sessions take seconds: heartbeats and the other partitions have their turn in between.
      if (changes.length % PIECES_IN_A_ROW === 0) await nextTurn();
    }
    changes.push({ name: positionName(this.#partition), value: Buffer.from(JSON.stringify(position)) });
    await this.#claim.state.write(changes);
  }
}
