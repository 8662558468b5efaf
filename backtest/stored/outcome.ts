import type { Alert } from '../../schemas/alert.ts';
import { grouped } from '../../detectors/grouped.ts';
import { isPaging } from '../evaluate/play-recording.ts';
import { aligned } from '../evaluate/quality-text.ts';
import type { AlertQuality } from './alert-labels.ts';
import type { PlayedStore } from './play-store.ts';
import type { StoredAlert } from './stored-alerts.ts';

/** What a backtest found. */
export interface Outcome {
  readonly from: string;
  readonly to: string;
  readonly events: number;
  readonly alerts: number;
  readonly paging_alerts: number;
  /** Alerts that did not fire then. */
  readonly added: readonly Alert[];
  /** Alerts that fired then and would not now, though their events were played. */
  readonly gone: readonly StoredAlert[];
  /** Alerts that fired on events that were not played: whether they would now is not known. */
  readonly not_played: readonly StoredAlert[];
  readonly days: readonly DayVolume[];
  readonly quality: AlertQuality | undefined;
  /** Where it was asked for, slowest first; `rule/<id>` is a part of the detector `rules`. */
  readonly times: readonly { readonly detector: string; readonly ms: number }[];
}

/** Alerts of a detector on a UTC day. */
export interface DayVolume {
  readonly day: string;
  readonly detector: string;
  readonly alerts: number;
  readonly paging_alerts: number;
}

export function outcomeOf(
  range: { readonly fromMs: number; readonly toMs: number },
  played: PlayedStore,
  fired: ReadonlyMap<string, StoredAlert>,
  quality: AlertQuality | undefined,
  unplayed: ReadonlySet<string> = new Set(),
): Outcome {
  const missing = missingOf(played, fired);
  return {
    from: new Date(range.fromMs).toISOString(),
    to: new Date(range.toMs).toISOString(),
    events: played.events,
    alerts: played.alerts.length,
    paging_alerts: played.alerts.filter(isPaging).length,
    added: played.alerts.filter(({ alert_id: id }) => !fired.has(id)),
    gone: missing.filter(({ alert_id: id }) => !unplayed.has(id)),
    not_played: missing.filter(({ alert_id: id }) => unplayed.has(id)),
    days: dayVolumes(played.alerts),
    quality,
    times: Object.entries(played.times)
      .map(([detector, ms]) => ({ detector, ms: Number(ms.toFixed(1)) }))
      .sort((a, b) => b.ms - a.ms),
  };
}

/** Alerts that fired and were not raised again. */
export function missingOf(
  { alerts }: Pick<PlayedStore, 'alerts'>,
  fired: ReadonlyMap<string, StoredAlert>,
): StoredAlert[] {
  const ids = new Set(alerts.map(({ alert_id: id }) => id));
  return [...fired.values()].filter(({ alert_id: id }) => !ids.has(id));
}

export const dayOf = (alert: Alert): string =>
  new Date(Number(alert.time_unix_nano.slice(0, -6))).toISOString().slice(0, 10);

function dayVolumes(alerts: readonly Alert[]): DayVolume[] {
  return [...grouped(alerts, (alert) => `${dayOf(alert)}\n${alert.detector.id}`)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, those]) => {
      const [day = '', detector = ''] = key.split('\n');
      return { day, detector, alerts: those.length, paging_alerts: those.filter(isPaging).length };
    });
}

/** The outcome for a terminal, without the alerts themselves. */
export function outcomeText(outcome: Outcome): string {
  const { quality, times, not_played: unplayed } = outcome;
  const unknown = unplayed.length === 0 ? '' : `, ${unplayed.length} fired on events that were not played`;
  const detectors = [...grouped(outcome.days, ({ detector }) => detector)].sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const days = new Set(outcome.days.map(({ day }) => day)).size;
  const sum = (volumes: readonly DayVolume[], of: (volume: DayVolume) => number) =>
    volumes.reduce((total, volume) => total + of(volume), 0);
  const volume =
    detectors.length === 0
      ? ''
      : aligned([
          ['detector', 'alerts', 'paging', 'a day', 'most in a day'],
          ...detectors.map(([detector, volumes]) => [
            detector,
            String(sum(volumes, ({ alerts }) => alerts)),
            String(sum(volumes, ({ paging_alerts: paging }) => paging)),
            (sum(volumes, ({ alerts }) => alerts) / Math.max(1, days)).toFixed(1),
            String(volumes.reduce((most, { alerts }) => Math.max(most, alerts), 0)),
          ]),
        ]);
  return [
    `${outcome.alerts} alerts, ${outcome.paging_alerts} that page; ${outcome.added.length} new, ${outcome.gone.length} gone${unknown}\n`,
    volume,
    quality === undefined ? '' : qualityLine(quality),
    slowest(
      'detectors',
      times.filter(({ detector }) => !isRule(detector)),
    ),
    slowest(
      'rules',
      times.filter(({ detector }) => isRule(detector)),
    ),
  ].join('');
}

const SLOWEST_SHOWN = 10;
const isRule = (detector: string) => detector.startsWith('rule/');

function slowest(what: string, times: Outcome['times']): string {
  if (times.length === 0) return '';
  return aligned([
    [`slowest ${what}`, 'ms'],
    ...times.slice(0, SLOWEST_SHOWN).map(({ detector, ms }) => [detector, ms.toFixed(1)]),
  ]);
}

function qualityLine(quality: AlertQuality): string {
  const share = (value: number | undefined) => (value === undefined ? 'unknown' : value.toFixed(3));
  return (
    `precision ${share(quality.precision)} (${quality.right} right, ${quality.wrong} wrong, ${quality.unknown} without a label), ` +
    `recall ${share(quality.recall)} (${quality.sessions_found} of ${quality.sessions_wrong} sessions), ` +
    `fine sessions alerted ${quality.sessions_fine_alerted} of ${quality.sessions_fine}\n`
  );
}
