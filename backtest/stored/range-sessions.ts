import { clampTimeMs } from '../../detectors/engine/event-time.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import type { StoredRange } from './stored-query.ts';

/** Notes which of the wanted sessions are in the range: only these can be found or missed. */
export interface RangeSessions {
  readonly event: (event: CustodyEvent, appendTimeMs: number) => void;
  /** An alert of the range: the engine may know a session by another name than its event. */
  readonly alert: (alert: Alert) => void;
  readonly found: ReadonlySet<string>;
}

export function createRangeSessions(
  wanted: ReadonlySet<string>,
  { fromMs, tenant }: Pick<StoredRange, 'fromMs' | 'tenant'>,
): RangeSessions {
  const found = new Set<string>();
  const take = (session: string | undefined) => {
    if (session !== undefined && wanted.has(session)) found.add(session);
  };
  return {
    found,
    event: ({ session, time_unix_nano: time, tenant: whose }, appendTimeMs) => {
      if (wanted.size === 0 || session === undefined || (tenant ?? whose) !== whose) return;
      if (clampTimeMs(time, appendTimeMs) >= fromMs) take(session.key);
    },
    alert: ({ session_key: session }) => take(session),
  };
}
