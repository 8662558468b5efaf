import type { Engine } from '../detectors/engine.ts';
import { SnapshotVersionError } from '../detectors/snapshot.ts';
import type { Component } from '../runtime/component.ts';
import type { Clock } from '../runtime/clock.ts';
import { type IntegrityError, MovedError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Alert } from '../schemas/alert.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../schemas/event.ts';
import { canonicalJson } from '../evidence/canonical-json.ts';
import type { Batch, Claim, ConsumedRecord, Log, Topic } from '../streams/topic.ts';
import { traced } from '../runtime/tracing.ts';
import { supervise } from './supervise.ts';

export interface DetectStageOptions {
  readonly events: Topic;
  readonly alerts: Topic;
  readonly log: Pick<Log, 'claim'>;
  /** One engine for each partition, so that its state can move with the partition. */
  readonly createEngine: () => Engine;
  readonly snapshotIntervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly onIntegrity: (error: IntegrityError) => void;
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

/**
 * Runs the detectors over `custody.events` and appends their alerts to `custody.alerts`. A partition that is assigned
 * is claimed first, which ends every earlier owner's writes; then the last snapshot is restored, the events after it are
 * seen again, and alerts that are in the topic already are left out: an alert is appended once under its id, whoever
 * crashed or slept. A partition that comes back unclaimed by others goes on with the state in memory.
 */
export function createDetectStage(
  options: DetectStageOptions,
): Component & { stats(): Record<string, number> } {
  const abort = new AbortController();
  const partitions = new Map<number, PartitionDetector>();
  let running: Promise<void> | undefined;

  async function assigned(partition: number): Promise<bigint | undefined> {
    const known = partitions.get(partition);
    if (known !== undefined && (await known.isCurrent())) return known.next;
    partitions.delete(partition);
    await known?.release();
    const detector = await PartitionDetector.restore(partition, options);
    partitions.set(partition, detector);
    return detector.next;
  }

  async function dropped(partition: number): Promise<void> {
    const detector = partitions.get(partition);
    partitions.delete(partition);
    await detector?.close();
  }

  return {
    name: 'detect',
    start() {
      running = supervise({
        name: 'detect',
        signal: abort.signal,
        logger: options.logger,
        onIntegrity: options.onIntegrity,
        run: () =>
          options.events.consume({
            group: 'detect',
            startOffset: assigned,
            lost: dropped,
            maxBatchRecords: 1000,
            signal: abort.signal,
            handle: async (batch) => {
              const detector = partitions.get(batch.partition);
              if (detector === undefined) throw new Error(`partition ${batch.partition} was not assigned`);
              const attributes = { 'messaging.batch.message_count': batch.records.length };
              await traced('custody.detect.batch', attributes, () => detector.handle(batch));
            },
          }),
      });
      return Promise.resolve();
    },
    async stop() {
      abort.abort();
      await running;
      for (const detector of partitions.values()) await detector.close();
      partitions.clear();
    },
    stats() {
      const total: Record<string, number> = {};
      for (const detector of partitions.values()) {
        for (const [key, value] of Object.entries(detector.stats())) total[key] = (total[key] ?? 0) + value;
      }
      return total;
    },
  };
}

class PartitionDetector {
  next: bigint | undefined;
  readonly #partition: number;
  readonly #options: DetectStageOptions;
  readonly #claim: Claim;
  readonly #engine: Engine;
  /** A batch or a snapshot broke off: memory and log may differ, so the state must be restored. */
  #broken = false;
  /** Alerts appended after the snapshot by the run that crashed. */
  readonly #published: Set<string>;
  #snapshotAtMs: number;

  private constructor(
    partition: number,
    options: DetectStageOptions,
    claim: Claim,
    engine: Engine,
    next: bigint | undefined,
    published: Set<string>,
  ) {
    this.#partition = partition;
    this.#options = options;
    this.#claim = claim;
    this.#engine = engine;
    this.#published = published;
    this.#snapshotAtMs = options.clock.nowMs();
    this.next = next;
  }

  static async restore(partition: number, options: DetectStageOptions): Promise<PartitionDetector> {
    const claim = await options.log.claim({ area: 'detect', topic: 'custody.events', partition });
    try {
      const bytes = await claim.state.read(positionName(partition));
      if (bytes === undefined) {
        const { start } = await options.events.bounds(partition);
        const published = await idsAfter(options.alerts, partition, undefined);
        return new PartitionDetector(partition, options, claim, options.createEngine(), start, published);
      }
      const position = JSON.parse(Buffer.from(bytes).toString()) as Position;
      const next = BigInt(position.next);
      const restored = await restoreEngine(partition, next, claim, options);
      const published = await idsAfter(options.alerts, partition, position.alertsEnd);
      return new PartitionDetector(partition, options, claim, restored, next, published);
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
    try {
      if (!this.#broken) await this.snapshot();
    } catch (error) {
      if (!(error instanceof MovedError)) throw error;
    } finally {
      await this.release();
    }
  }

  async handle(batch: Batch): Promise<void> {
    try {
      await this.#detect(batch);
    } catch (error) {
      this.#broken = true;
      throw error;
    }
  }

  async #detect(batch: Batch): Promise<void> {
    const alerts: Alert[] = [];
    for (const record of batch.records) {
      const event = eventOf(record);
      if (event === undefined) continue;
      alerts.push(...this.#engine.process({ event, appendTimeMs: record.appendTimeMs }));
    }
    this.#options.metrics.detected.inc(batch.records.length);
    await this.#publish(alerts.filter((alert) => !this.#published.has(alert.alert_id)));
    this.next = batch.nextOffset;
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#snapshotAtMs >= this.#options.snapshotIntervalMs) {
      this.#snapshotAtMs = nowMs;
      await this.snapshot();
    }
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

  async snapshot(): Promise<void> {
    if (this.next === undefined) return;
    const { end } = await this.#options.alerts.bounds(this.#partition);
    const position: Position = { next: String(this.next), alertsEnd: String(end) };
    const prefix = statePrefix(this.#partition);
    await this.#claim.state.write([
      ...this.#engine.snapshot().map(({ name, value }) => ({ name: prefix + name, value })),
      { name: positionName(this.#partition), value: Buffer.from(JSON.stringify(position)) },
    ]);
    this.#published.clear();
  }

  stats(): Record<string, number> {
    return { ...this.#engine.stats() };
  }
}

/**
 * The engine as the last snapshot left it. State of another version (a detector was changed, switched on or off) cannot
 * be read: it is learned again from the events the log still has, without repeating their alerts.
 */
async function restoreEngine(
  partition: number,
  next: bigint,
  { state }: Claim,
  options: DetectStageOptions,
): Promise<Engine> {
  const prefix = statePrefix(partition);
  const entries: { name: string; value: Uint8Array }[] = [];
  for await (const { name, value } of state.entries(prefix)) {
    entries.push({ name: name.slice(prefix.length), value });
  }
  const engine = options.createEngine();
  try {
    engine.restore(entries);
    return engine;
  } catch (error) {
    if (!(error instanceof SnapshotVersionError)) throw error;
    options.logger.warn(
      { partition, err: error },
      'detector state is of another version; learning it again from the log',
    );
  }
  await state.write(entries.map(({ name }) => ({ name: prefix + name, value: undefined })));
  const fresh = options.createEngine();
  const { start } = await options.events.bounds(partition);
  for await (const record of options.events.read(partition, start, next)) {
    const event = eventOf(record);
    if (event !== undefined) fresh.process({ event, appendTimeMs: record.appendTimeMs });
  }
  return fresh;
}

const positionName = (partition: number) => `detect-position/${partition}`;
const statePrefix = (partition: number) => `detect/${partition}/`;

/** The event in a record; `undefined` for bodies that are not events (the ledger keeps those as malformed). */
function eventOf(record: ConsumedRecord): CustodyEvent | undefined {
  try {
    const parsed = JSON.parse(
      Buffer.from(record.value.buffer, record.value.byteOffset, record.value.byteLength).toString(),
    ) as CustodyEvent;
    if ((parsed as { schema?: unknown } | null)?.schema !== EVENT_SCHEMA) return undefined;
    return parsed.tenant === record.key ? parsed : undefined;
  } catch {
    return undefined;
  }
}

async function idsAfter(alerts: Topic, partition: number, end: unknown): Promise<Set<string>> {
  const ids = new Set<string>();
  const { start } = await alerts.bounds(partition);
  const from = typeof end === 'string' ? BigInt(end) : start;
  for await (const { value } of alerts.read(partition, from > start ? from : start)) {
    ids.add((JSON.parse(Buffer.from(value).toString()) as Alert).alert_id);
  }
  return ids;
}
