import type { DetectRecord } from '../../detectors/engine/contract.ts';
import { hex } from '../detectors/sessions.ts';

/** A number below `below` that depends on nothing but the text: no seed, the same everywhere. */
function drawn(text: string, below: number): number {
  return Number.parseInt(hex(text).slice(0, 8), 16) % below;
}

const sessionOf = ({ event }: DetectRecord) => `${event.tenant}\n${event.session?.key ?? event.event_id}`;

/**
 * The log that results when each record arrives up to so much later than it happened. The records of one session keep their
 * order; records of a tenant that happened within that time may swap places. `draw` tells one shuffle from another; 0 is the
 * log in which everything takes equally long.
 */
export function arrivedLate(
  records: readonly DetectRecord[],
  latenessMs: number,
  draw: number,
): DetectRecord[] {
  const earliestMs = new Map<string, number>();
  return records
    .map(({ event }, place) => {
      const happenedMs = Number(event.time_unix_nano.slice(0, -6));
      const session = sessionOf({ event, appendTimeMs: 0 });
      const lateMs = draw === 0 ? latenessMs : drawn(`${draw} ${event.event_id} ${place}`, latenessMs);
      const appendTimeMs = Math.max(happenedMs + lateMs, earliestMs.get(session) ?? 0);
      earliestMs.set(session, appendTimeMs);
      return { event, appendTimeMs, place };
    })
    .sort((a, b) => a.appendTimeMs - b.appendTimeMs || a.place - b.place)
    .map(({ event, appendTimeMs }) => ({ event, appendTimeMs }));
}

/** Each tenant's records as they are, the tenants woven into each other in another way. */
export function wovenOtherwise(records: readonly DetectRecord[], draw: number): DetectRecord[] {
  const byTenant = new Map<string, DetectRecord[]>();
  for (const record of records) {
    const own = byTenant.get(record.event.tenant) ?? [];
    own.push(record);
    byTenant.set(record.event.tenant, own);
  }
  const queues = [...byTenant.values()].map((own) => ({ own, next: 0 }));
  const woven: DetectRecord[] = [];
  for (let round = 0; woven.length < records.length; round += 1) {
    const left = queues.filter(({ own, next }) => next < own.length);
    const queue = left[drawn(`${draw} ${round}`, left.length)];
    if (queue === undefined) break;
    for (
      let taken = 1 + drawn(`${draw} ${round} run`, 7);
      taken > 0 && queue.next < queue.own.length;
      taken -= 1
    ) {
      const record = queue.own[queue.next];
      queue.next += 1;
      if (record !== undefined) woven.push(record);
    }
  }
  return woven;
}
