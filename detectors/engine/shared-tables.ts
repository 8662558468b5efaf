import type { Detector } from '../detector.ts';
import {
  applyShared,
  type EpochChanges,
  newSharedStatistics,
  type SharedChange,
  type SharedStatistics,
} from './shared-statistics.ts';
import { changesName, encodeState, sharedName, type StateChange } from './snapshot.ts';

/** What tenants share, a table for each detector that shares anything, in one partition. */
export interface SharedTables {
  /** `undefined` where the detector shares nothing. */
  of(detector: Detector | undefined): SharedStatistics | undefined;
  changes(): Readonly<Record<string, readonly SharedChange[]>>;
  /** Forgets the partition's own changes and applies those of all partitions in the order given. */
  apply(visible: readonly EpochChanges[]): void;
  /** The pieces to store; the tables themselves only if they changed since the last call. */
  snapshot(version: string): StateChange[];
  restore(find: (name: string) => unknown): void;
}

export function createSharedTables(detectors: readonly Detector[], enabled: boolean): SharedTables {
  const sharing = enabled ? detectors.filter(({ sharesItems }) => sharesItems === true) : [];
  const tables = new Map(sharing.map((detector) => [detector, newSharedStatistics()]));
  let changed = false;

  return {
    of: (detector) => (detector === undefined ? undefined : tables.get(detector)),

    changes: () =>
      Object.fromEntries(
        [...tables]
          .filter(([, { changes }]) => changes.size > 0)
          .map(([{ id }, { changes }]) => [id, [...changes.values()]]),
      ),

    apply(visible) {
      for (const [{ id }, table] of tables) {
        table.changes.clear();
        for (const { changes } of visible) applyShared(table, changes[id] ?? []);
      }
      changed ||= visible.length > 0;
    },

    snapshot(version) {
      const pieces: StateChange[] = [];
      for (const [{ id }, { changes, tenantsByItem }] of tables) {
        pieces.push({ name: changesName(id), value: encodeState(version, changes) });
        if (changed) pieces.push({ name: sharedName(id), value: encodeState(version, tenantsByItem) });
      }
      changed = false;
      return pieces;
    },

    restore(find) {
      for (const [detector, { changes, tenantsByItem }] of tables) {
        tables.set(detector, {
          tenantsByItem: (find(sharedName(detector.id)) ?? tenantsByItem) as typeof tenantsByItem,
          changes: (find(changesName(detector.id)) ?? changes) as typeof changes,
        });
      }
    },
  };
}
