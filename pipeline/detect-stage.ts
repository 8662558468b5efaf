import type { Component } from '../runtime/component.ts';
import type { IntegrityError } from '../runtime/errors.ts';
import { supervise } from '../runtime/supervise.ts';
import { traced } from '../runtime/tracing.ts';
import { PartitionDetector, type PartitionDetectorOptions } from './partition-detector.ts';
import { createSnapshotPace } from './snapshot-pace.ts';
import type { Learning } from './status.ts';

export interface DetectStageOptions extends Omit<PartitionDetectorOptions, 'pace'> {
  /** Between two snapshots of a partition, at least. */
  readonly snapshotIntervalMs: number;
  /** Called for a partition, or a topic, that stopped because evidence contradicts itself. */
  readonly onIntegrity: (error: IntegrityError, place: string) => void;
}

const IDLE_CHECK_MS = 5_000;

/**
 * Runs the detectors over `custody.events` and appends their alerts to `custody.alerts`. A partition that is assigned
 * is claimed first, which ends every earlier owner's writes; then the last snapshot is restored, the events after it are
 * seen again, and alerts that are in the topic already are left out: an alert is appended once under its id, whoever
 * crashed or slept. A partition that comes back unclaimed by others goes on with the state in memory.
 */
export function createDetectStage(
  options: DetectStageOptions,
): Component & { stats(): Record<string, number>; learning(tenant: string): Learning } {
  const abort = new AbortController();
  const partitions = new Map<number, PartitionDetector>();
  const pace = createSnapshotPace(options.snapshotIntervalMs, options.clock);
  let running: Promise<void> | undefined;
  let idleTimer: NodeJS.Timeout | undefined;

  async function assigned(partition: number): Promise<bigint> {
    const known = partitions.get(partition);
    if (known !== undefined && (await known.isCurrent())) return known.next;
    partitions.delete(partition);
    await known?.release();
    const detector = await PartitionDetector.restore(partition, { ...options, pace });
    partitions.set(partition, detector);
    await detector.enforce();
    return detector.next;
  }

  async function dropped(partition: number): Promise<void> {
    const detector = partitions.get(partition);
    partitions.delete(partition);
    await detector?.close();
  }

  function tellIdle(): void {
    for (const [partition, detector] of partitions) {
      detector.idle().catch((error: unknown) => {
        options.logger.warn({ partition, err: error }, 'a quiet partition could not tell that it is quiet');
      });
    }
  }

  function enforceAll(): void {
    for (const [partition, detector] of partitions) {
      detector.enforce().catch((error: unknown) => {
        options.logger.error({ partition, err: error }, 'policy documents could not be brought into force');
      });
    }
  }

  return {
    name: 'detect',
    start() {
      options.policies?.onLook(enforceAll);
      if (options.shared !== undefined) idleTimer = setInterval(tellIdle, IDLE_CHECK_MS);
      running = supervise({
        about: { stage: 'detect' },
        onIntegrity: (error) => options.onIntegrity(error, options.events.name),
        signal: abort.signal,
        logger: options.logger,
        run: (progressed) =>
          options.events.consume({
            group: 'detect',
            startOffset: assigned,
            lost: dropped,
            refused: (partition, error) => options.onIntegrity(error, `${options.events.name}/${partition}`),
            maxBatchRecords: 1000,
            signal: abort.signal,
            handle: async (batch) => {
              const detector = partitions.get(batch.partition);
              if (detector === undefined) throw new Error(`partition ${batch.partition} was not assigned`);
              const attributes = { 'messaging.batch.message_count': batch.records.length };
              await traced('custody.detect.batch', attributes, () => detector.handle(batch));
              progressed();
            },
          }),
      });
      return Promise.resolve();
    },
    async stop() {
      clearInterval(idleTimer);
      abort.abort();
      await running;
      for (const detector of partitions.values()) await detector.close();
      partitions.clear();
    },
    learning(tenant) {
      // A tenant is in one partition.
      for (const detector of partitions.values()) {
        const learned = detector.learning(tenant);
        if (Object.keys(learned).length > 0) return learned;
      }
      return {};
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
