import type { Engine } from './contract.ts';
import { epochOf, inEpochOrder, visibleEpoch, type EpochChanges } from './shared-statistics.ts';

/** Tells the partitions replayed in one process what they share, with the outcome the live exchange has. */
export interface SharedReplay {
  /** Before each record. Records of all partitions must come epoch by epoch; within an epoch in any order. */
  enter(partition: number, engine: Engine, appendTimeMs: number): void;
}

export function createSharedReplay(epochMs: number): SharedReplay {
  const engines = new Map<number, Engine>();
  const told: EpochChanges[] = [];
  let current = -1;

  function closeEpochsBefore(epoch: number): void {
    for (const [partition, engine] of engines) {
      const own = engine.epoch();
      if (own === undefined || own >= epoch) continue;
      if (told.some((each) => each.partition === partition && each.epoch === own)) continue;
      told.push({ partition, epoch: own, changes: engine.epochChanges() });
    }
    current = epoch;
  }

  return {
    enter(partition, engine, appendTimeMs) {
      const epoch = epochOf(appendTimeMs, epochMs);
      engines.set(partition, engine);
      if (epoch > current) closeEpochsBefore(epoch);
      const before = engine.epoch();
      if (before !== undefined && epoch <= before) return;
      const after = before === undefined ? -1 : visibleEpoch(before);
      const visible = told.filter((each) => each.epoch > after && each.epoch <= visibleEpoch(epoch));
      engine.beginEpoch(epoch, inEpochOrder(visible));
    },
  };
}
