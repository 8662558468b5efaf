import type { Alert } from '../schemas/alert.ts';
import type { CaseEntry } from './case-data.ts';
import type { Staging } from './staging.ts';

interface Place {
  readonly log: string;
  readonly seq: string;
}

interface Fired {
  readonly alert: Alert;
  readonly entry: Place & { readonly append_time_ms: number; readonly body_sha256: string };
}

export interface AlertFiles {
  /** Events of these ids are evidence: told before the first entry. */
  expect(eventIds: Iterable<string>): void;
  push(entry: CaseEntry): void;
  /** Writes data/alerts; gives how many alerts there were beyond those written. */
  write(staging: Staging): Promise<number>;
}

/** Files of their own; all alerts are among the entries in any case. */
const ALERTS_MAX = 5000;
const EVENTS_MAX = 200_000;

/** One file for each alert as it was when it fired, with the place of its entry and of each event it rests on. */
export function createAlertFiles(): AlertFiles {
  const fired = new Map<string, Fired>();
  const places = new Map<string, Place | undefined>();
  let more = 0;
  return {
    expect(eventIds) {
      for (const id of eventIds) if (places.size < EVENTS_MAX) places.set(id, undefined);
    },
    push({ log, seq, appendTimeMs, bodySha, event, alert }) {
      const place = { log, seq: String(seq) };
      if (event !== undefined && places.has(event.event_id) && places.get(event.event_id) === undefined)
        places.set(event.event_id, place);
      if (alert === undefined || fired.has(alert.alert_id)) return;
      if (fired.size >= ALERTS_MAX) more += 1;
      else
        fired.set(alert.alert_id, {
          alert,
          entry: { ...place, append_time_ms: appendTimeMs, body_sha256: bodySha },
        });
    },
    async write(staging) {
      for (const [id, { alert, entry }] of fired) {
        const evidence = alert.evidence.map((event_id) => ({ event_id, ...places.get(event_id) }));
        const content = { schema: 'custody.bundle-alert/v1', entry, evidence, alert };
        await staging.write(`data/alerts/${id}.json`, `${JSON.stringify(content, undefined, 2)}\n`);
      }
      return more;
    },
  };
}
