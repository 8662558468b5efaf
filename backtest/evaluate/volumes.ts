import { grouped } from '../../detectors/grouped.ts';
import { isOfAny, sessionId } from './label-match.ts';
import type { Labels } from './labels.ts';
import { isPaging, type Played, type PlayedAlert } from './play-recording.ts';
import { aligned } from './quality-text.ts';

/** How much was played, and how much of it alerted. */
export interface Volumes {
  readonly warmup_sessions: number;
  readonly sessions: number;
  readonly events: number;
  readonly microseconds_per_event: number;
  readonly alerts: number;
  readonly paging_alerts: number;
  readonly sessions_paged: number;
  readonly detectors: readonly DetectorVolume[];
}

export interface DetectorVolume {
  readonly detector: string;
  readonly alerts: number;
  readonly sessions_alerted: number;
  readonly sessions_paged: number;
  /** Where labels say which sessions are benign. */
  readonly benign_sessions_alerted: number | undefined;
  readonly benign_sessions_paged: number | undefined;
}

export function volumesOf(played: Played, warmup: Played | undefined, labels: Labels | undefined): Volumes {
  const benign = benignOf(labels);
  const sessionsOf = (alerts: readonly PlayedAlert[]) =>
    new Set(
      alerts.map(({ session, alert }) =>
        session === undefined ? undefined : sessionId(alert.tenant, session),
      ),
    );
  const countBenign = (alerts: readonly PlayedAlert[]) =>
    benign === undefined ? undefined : sessionsOf(alerts.filter(benign)).size;
  const paging = played.alerts.filter(({ alert }) => isPaging(alert));
  const byDetector = grouped(played.alerts, ({ alert }) => alert.detector.id);
  return {
    warmup_sessions: warmup?.sessions.size ?? 0,
    sessions: played.sessions.size,
    events: played.events,
    microseconds_per_event: Number(((played.busyMs * 1000) / Math.max(1, played.events)).toFixed(1)),
    alerts: played.alerts.length,
    paging_alerts: paging.length,
    sessions_paged: sessionsOf(paging).size,
    detectors: [...byDetector]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([detector, alerts]) => {
        const paged = alerts.filter(({ alert }) => isPaging(alert));
        return {
          detector,
          alerts: alerts.length,
          sessions_alerted: sessionsOf(alerts).size,
          sessions_paged: sessionsOf(paged).size,
          benign_sessions_alerted: countBenign(alerts),
          benign_sessions_paged: countBenign(paged),
        };
      }),
  };
}

/** Whether an alert is about a session that labels call benign. */
function benignOf(labels: Labels | undefined): ((alert: PlayedAlert) => boolean) | undefined {
  if (labels === undefined) return undefined;
  const isBenign = isOfAny(
    labels.kind === 'sessions'
      ? labels.labels.filter(({ label }) => label === 'benign')
      : labels.labels.filter(({ shouldAlert }) => !shouldAlert),
  );
  return ({ session, alert: { tenant } }) => session !== undefined && isBenign({ session, tenant });
}

export function volumesText(volumes: Volumes): string {
  const share = (part: number) =>
    volumes.sessions === 0 ? '' : ` (${((100 * part) / volumes.sessions).toFixed(1)} %)`;
  const summary =
    `played ${volumes.sessions} sessions, ${volumes.events} events, ${volumes.microseconds_per_event} µs each; ` +
    `${volumes.alerts} alerts, ${volumes.paging_alerts} that page, in ${volumes.sessions_paged} sessions${share(volumes.sessions_paged)}\n`;
  if (volumes.detectors.length === 0) return summary;
  return (
    summary +
    aligned([
      ['detector', 'alerts', 'sessions', 'paged', 'benign', 'benign paged'],
      ...volumes.detectors.map((each) => [
        each.detector,
        String(each.alerts),
        String(each.sessions_alerted),
        String(each.sessions_paged),
        String(each.benign_sessions_alerted ?? '-'),
        String(each.benign_sessions_paged ?? '-'),
      ]),
    ])
  );
}
