import type { AnchorEntry, AnchorEntryOf } from './entry.ts';

/** An entry of the anchor log with its place. */
export interface PlacedAnchorEntry {
  readonly seq: bigint;
  readonly entry: AnchorEntry;
}

/** A legal hold: of its days nothing may be removed. */
export interface Hold {
  readonly id: string;
  /** Whose evidence it is for; `undefined` = everybody's. It keeps whole days all the same (docs/spec/log.md, "Retention"). */
  readonly tenant: string | undefined;
  /** First day, `YYYY-MM-DD`; `undefined` = from the beginning. */
  readonly fromDay: string | undefined;
  /** Last day, `YYYY-MM-DD`; `undefined` = without end. */
  readonly toDay: string | undefined;
  readonly operator: string;
  readonly reason: string;
  readonly timeMs: number;
  readonly anchorSeq: bigint;
  /** Whether it covers a day after `after` (`undefined` = from the beginning) up to `upTo`. */
  overlaps(after: string | undefined, upTo: string): boolean;
}

export interface HoldBook {
  /** Entries in anchor log order; those of other types are passed over. */
  add(placed: PlacedAnchorEntry): void;
  /** Holds that were set and not released, oldest first. */
  readonly inForce: readonly Hold[];
}

/** Follows the holds of an anchor log. Days compare as text: they have one form. */
export function createHoldBook(): HoldBook {
  const holds = new Map<string, Hold>();
  return {
    add({ seq, entry }) {
      // A second hold of one id would be a way to shorten the first.
      if (entry.type === 'hold' && !holds.has(entry.hold_id)) holds.set(entry.hold_id, holdOf(entry, seq));
      if (entry.type === 'hold_released') holds.delete(entry.hold_id);
    },
    get inForce() {
      return [...holds.values()];
    },
  };
}

/** The hold that an act sets. */
export function holdOf(
  act: Omit<AnchorEntryOf<'hold'>, 'schema' | 'time_ms'> & { readonly time_ms?: number },
  anchorSeq: bigint,
): Hold {
  const { from_day: fromDay, to_day: toDay } = act;
  return {
    id: act.hold_id,
    tenant: act.tenant,
    fromDay,
    toDay,
    operator: act.operator,
    reason: act.reason,
    timeMs: act.time_ms ?? 0,
    anchorSeq,
    overlaps: (after, upTo) =>
      (fromDay === undefined || fromDay <= upTo) &&
      (toDay === undefined || after === undefined || toDay > after),
  };
}
