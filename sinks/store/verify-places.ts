import type { LogHead } from '../../evidence/entry-builder.ts';
import { parseLogId } from '../../evidence/log-id.ts';
import type { RawEntry } from '../../evidence/raw-entry.ts';
import { sourceKey } from './verify-heads.ts';
import { placeKey, type StoredPlace } from './verify-records.ts';

/** Last stored entry of each log before the oldest retained record, from where a rebuild goes on. */
export interface Before {
  readonly heads: Map<string, LogHead>;
  day: number;
}

/** What of the stored rows the comparison with the records needs. */
export interface Places {
  note(row: RawEntry): void;
  /** Rows later than the recorded heads, by place; the first `TAIL_MAX_ROWS` places. */
  readonly tail: Map<string, StoredPlace[]>;
  readonly beyondHeads: number;
  /** Every place beyond the heads is in `tail`. */
  readonly tailWhole: boolean;
  /** By `sourceKey`; filled for a rebuild only. */
  readonly before: ReadonlyMap<string, Before>;
  /** Whether a signed checkpoint covers the place: then it needs no record. */
  isSigned(log: string, seq: bigint): boolean;
}

export interface PlacesOptions {
  /** Recorded heads. */
  readonly expected: ReadonlyMap<string, LogHead>;
  /** Entries of each log that are under a signed checkpoint. */
  readonly signedSizes?: ReadonlyMap<string, bigint>;
  /** Oldest retained record by `sourceKey`. */
  readonly starts: ReadonlyMap<string, bigint>;
  readonly rebuild: boolean;
}

export const TAIL_MAX_ROWS = 200_000;
/** Different rows remembered at one place of the tail. */
const PLACE_MAX_ROWS = 16;

/** Takes notes of rows in bounded memory. */
export function createPlaces({ expected, signedSizes, starts, rebuild }: PlacesOptions): Places {
  const tail = new Map<string, StoredPlace[]>();
  const before = new Map<string, Before>();
  let beyondHeads = 0;
  let tailWhole = true;

  function noteBeyond({ log, seq, leaf }: RawEntry): void {
    beyondHeads += 1;
    const key = placeKey(log, seq);
    const noted = tail.get(key) ?? [];
    if (noted.length === 0 && tail.size >= TAIL_MAX_ROWS) tailWhole = false;
    else if (noted.length < PLACE_MAX_ROWS) tail.set(key, [...noted, { log, seq, leaf }]);
  }
  function noteBefore(row: RawEntry): void {
    const name = parseLogId(row.log);
    if (name === undefined) return;
    const key = sourceKey(name);
    if (row.offset >= (starts.get(key) ?? 0n)) return;
    const at = before.get(key) ?? { heads: new Map<string, LogHead>(), day: -1 };
    at.heads.set(row.log, { seq: row.seq, leaf: row.leaf });
    at.day = Math.max(at.day, row.day);
    before.set(key, at);
  }
  const isSigned = (log: string, seq: bigint) => seq < (signedSizes?.get(log) ?? 0n);
  return {
    tail,
    before,
    isSigned,
    get beyondHeads() {
      return beyondHeads;
    },
    get tailWhole() {
      return tailWhole;
    },
    note(row) {
      const head = expected.get(row.log);
      const isKnown = head !== undefined && row.seq <= head.seq;
      if (!isKnown && !isSigned(row.log, row.seq)) noteBeyond(row);
      if (rebuild) noteBefore(row);
    },
  };
}
