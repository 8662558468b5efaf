import { InputError } from '../../runtime/errors.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { DetectConfig } from '../../schemas/config.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import type { PolicyDocument } from '../../schemas/policy-document.ts';
import { readControlRecords } from './control-records.ts';
import type { DetectorTimes } from './detector-times.ts';
import { pagesOf } from './pages.ts';
import { startPlayerThread, type PlayerThread } from './player-thread.ts';
import { addScores, newScoreSummary, type ScoreSummary } from './score-summary.ts';
import type { StoredQuery, StoredRange } from './stored-query.ts';
import { planUnits } from './units.ts';

export interface PlayStoreOptions {
  readonly query: StoredQuery;
  readonly range: StoredRange;
  readonly config: DetectConfig;
  /** Policy documents that count instead of what was in force, from the start. */
  readonly inForce: readonly CustodyEvent[];
  readonly threads: number;
  readonly profile: boolean;
  /** Sessions whose highest score is wanted, and whether they are in the range. */
  readonly sessions: ReadonlySet<string>;
  readonly onProgress: (done: number, total: number) => void;
}

export interface PlayedStore {
  /** By time, then by id. */
  readonly alerts: readonly Alert[];
  readonly events: number;
  readonly scores: ScoreSummary;
  /** Of the sessions that are wanted, those with an event in the range. */
  readonly sessions: ReadonlySet<string>;
  readonly times: DetectorTimes;
  /** Time the threads worked, together. */
  readonly busyMs: number;
}

const ALERTS_MAX = 500_000;

/**
 * Plays stored history through the engine that runs live, tenants beside each other on threads. Whatever the number of
 * threads, the alerts are the same. @throws InputError when there are more alerts than can be compared.
 */
export async function playStore(options: PlayStoreOptions): Promise<PlayedStore> {
  const { query, range, config, inForce, profile, sessions, onProgress } = options;
  const replaced = new Set(
    inForce.flatMap(({ policy_document: document }): PolicyDocument['type'][] =>
      document === undefined ? [] : [document.type],
    ),
  );
  const control = await readControlRecords(query, range, replaced);
  const units = await planUnits(query, range);
  const total = units.reduce((sum, { events }) => sum + events, 0);
  const alerts: Alert[] = [];
  const times: DetectorTimes = {};
  const scores = newScoreSummary();
  const found = new Set<string>();
  let events = 0;
  let busyMs = 0;

  async function work(thread: PlayerThread): Promise<void> {
    for (let unit = units.shift(); unit !== undefined; unit = units.shift()) {
      for await (const page of pagesOf(query, range, unit)) {
        await thread.page(page);
        if (alerts.length > ALERTS_MAX)
          throw new InputError(
            'input_too_large',
            `cannot compare alerts: there are more than ${ALERTS_MAX}; narrow the range`,
          );
      }
      thread.nextUnit();
    }
    const finished = await thread.finish();
    addScores(scores, finished.scores);
    for (const session of finished.sessions) found.add(session);
    for (const [id, ms] of Object.entries(finished.times)) times[id] = (times[id] ?? 0) + ms;
  }

  const threads = Array.from({ length: Math.min(options.threads, Math.max(1, units.length)) }, () =>
    startPlayerThread({ config, inForce, control, fromMs: range.fromMs, profile, sessions }, (done) => {
      events += done.events;
      busyMs += done.busyMs;
      for (const alert of done.alerts) alerts.push(alert);
      onProgress(events, total);
    }),
  );
  try {
    await Promise.all(threads.map(work));
  } finally {
    await Promise.all(threads.map((thread) => thread.stop()));
  }
  return { alerts: alerts.sort(byTime), events, scores, sessions: found, times, busyMs };
}

function byTime(a: Alert, b: Alert): number {
  if (a.time_unix_nano !== b.time_unix_nano)
    return BigInt(a.time_unix_nano) < BigInt(b.time_unix_nano) ? -1 : 1;
  return a.alert_id < b.alert_id ? -1 : 1;
}
