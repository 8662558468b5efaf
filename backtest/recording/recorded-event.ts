import type { CustodyEvent } from '../../schemas/event.ts';

/** One event of a recording, with the place of what it was made from. */
export interface RecordedEvent {
  readonly event: CustodyEvent;
  /** As a log would have stamped it; never decreases within a recording. */
  readonly appendTimeMs: number;
  /** As the recording names it: what labels and scorer lines go by. */
  readonly session: string | undefined;
  /** Number of the call in its session as recorded; `undefined` where the recording does not number calls. */
  readonly seq: number | undefined;
}

/** What one line became, before it has a place in time. */
export interface ReadEvent {
  readonly event: CustodyEvent;
  readonly seq: number | undefined;
}

/** Text that is not empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
