import { parentPort, workerData } from 'node:worker_threads';
import type { Alert } from '../../schemas/alert.ts';
import type { DetectConfig } from '../../schemas/config.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import type { ControlRecords } from './control-records.ts';
import { timing, type DetectorTimes } from './detector-times.ts';
import { createRangeSessions } from './range-sessions.ts';
import { newScoreSummary, scoreSummaryProbe, type ScoreSummary } from './score-summary.ts';
import { readRows } from './stored-row.ts';
import { createUnitPlayer } from './unit-player.ts';

/** What a worker is started with. */
export interface PlayWork {
  readonly config: DetectConfig;
  readonly inForce: readonly CustodyEvent[];
  readonly control: ControlRecords;
  readonly fromMs: number;
  readonly profile: boolean;
  /** Sessions whose highest score is wanted, and whether they were played. */
  readonly sessions: ReadonlySet<string>;
}

export type ToPlayer =
  | { readonly kind: 'page'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'next_unit' }
  | { readonly kind: 'finish' };

export type FromPlayer =
  | {
      readonly kind: 'page_done';
      readonly events: number;
      readonly alerts: readonly Alert[];
      readonly busyMs: number;
    }
  | {
      readonly kind: 'finished';
      readonly times: DetectorTimes;
      readonly scores: ScoreSummary;
      /** Of the sessions that are wanted, those of the range. */
      readonly sessions: ReadonlySet<string>;
    };

/** Plays pages as they come; a page that is done is told with the alerts it gave. */
function main(work: PlayWork, post: (message: FromPlayer) => void): (message: ToPlayer) => void {
  const { config, inForce, control, fromMs, profile, sessions } = work;
  const times: DetectorTimes = {};
  const scores = newScoreSummary();
  const onScore = scoreSummaryProbe(scores, sessions);
  const inRange = createRangeSessions(sessions, { fromMs, tenant: undefined });
  let alerts: Alert[] = [];
  const player = createUnitPlayer({
    ...{ config, inForce, control, fromMs },
    onAlert(alert) {
      alerts.push(alert);
      inRange.alert(alert);
    },
    onEvent: inRange.event,
    engine: { onScore, ...(profile ? timing(times) : {}) },
  });
  return (message) => {
    if (message.kind === 'finish') {
      post({ kind: 'finished', times, scores, sessions: inRange.found });
      return;
    }
    if (message.kind === 'next_unit') {
      player.next();
      return;
    }
    const startedMs = performance.now();
    let events = 0;
    for (const row of readRows(message.bytes)) {
      player.play(row);
      events += 1;
    }
    post({ kind: 'page_done', events, alerts, busyMs: performance.now() - startedMs });
    alerts = [];
  };
}

parentPort?.on(
  'message',
  main(workerData as PlayWork, (message) => parentPort?.postMessage(message)),
);
