import type { Engine, EngineOptions } from '../../detectors/engine/contract.ts';
import { createEngine } from '../../detectors/engine/engine.ts';
import type { ScoreProbe } from '../../detectors/detector.ts';
import type { Alert, Severity } from '../../schemas/alert.ts';
import type { DetectConfig } from '../../schemas/config.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../../schemas/event.ts';
import { createAlertRarity, type AlertRarity } from './alert-rarity.ts';
import { sessionId } from './label-match.ts';
import type { RecordedEvent } from '../recording/recorded-event.ts';

/** A score a detector gave a call, or an alert it raised about it. */
export interface Scored {
  readonly tenant: string;
  readonly session: string;
  /** `null` when it is about a session as a whole, or about another one than the event that showed it. */
  readonly seq: number | null;
  readonly score: number;
  readonly detector: string;
  /** An alert was raised that pages. */
  readonly fired: boolean;
}

/** What playing records gave. */
export interface Played {
  readonly scored: readonly Scored[];
  readonly alerts: readonly PlayedAlert[];
  /** Their `sessionId`s. */
  readonly sessions: ReadonlySet<string>;
  readonly events: number;
  /** CPU time in the engine alone. */
  readonly busyMs: number;
}

export interface PlayedAlert {
  readonly session: string | undefined;
  readonly alert: Alert;
}

export interface Player {
  /**
   * Puts documents into force, then plays records in order; the engine goes on learning, and goes on between calls. Of
   * records known to be benign (a warm-up) every incident is dismissed when it is raised, as an analyst would.
   */
  play(
    records: AsyncIterable<RecordedEvent> | Iterable<RecordedEvent>,
    known?: { readonly benign: boolean },
  ): Promise<Played>;
}

const SCORING_DETECTOR = 'novel-chain';
/** A rule that never fired before ranks beside the strangest twentieth of sessions, not above it. */
const RULE_WEIGHT = 0.95;

const PAGING: Readonly<Record<Severity, boolean>> = {
  info: false,
  low: false,
  medium: true,
  high: true,
  critical: true,
};

/** Whether somebody is called: severity medium or more, and not on trial or silenced. */
export function isPaging(alert: Alert): boolean {
  return PAGING[alert.severity] && alert.mode === undefined;
}

/** An engine as it runs live, over recorded events. `inForce` are the policy documents that count from the start. */
export function createPlayer(
  config: DetectConfig,
  inForce: readonly CustodyEvent[],
  options: Omit<EngineOptions, 'onScore'> = {},
): Player {
  let onScore: ScoreProbe = () => undefined;
  const engine = createEngine(config, { ...options, onScore: (score) => onScore(score) });
  const rarity = createAlertRarity();
  let begun = false;

  return {
    async play(records, known) {
      const board = createScoreBoard(rarity);
      onScore = board.score;
      let events = 0;
      let busyMs = 0;
      for await (const record of records) {
        if (!begun) enforce(engine, inForce, record.appendTimeMs);
        begun = true;
        board.at(record);
        const started = process.cpuUsage();
        const alerts = engine.process(record);
        const { user, system } = process.cpuUsage(started);
        busyMs += (user + system) / 1000;
        for (const alert of alerts) board.alert(alert);
        if (known?.benign === true)
          for (const alert of alerts) engine.process({ ...record, event: dismissal(alert, record.event) });
        events += 1;
      }
      return { ...board.finish(), events, busyMs };
    },
  };
}

/** What the log holds when somebody says that an alert was a false alarm. */
function dismissal(
  alert: Alert,
  { observed_time_unix_nano, source, time_unix_nano }: CustodyEvent,
): CustodyEvent {
  return {
    schema: EVENT_SCHEMA,
    event_id: alert.alert_id,
    kind: 'incident',
    tenant: alert.tenant,
    time_unix_nano,
    observed_time_unix_nano,
    source,
    incident: {
      incident_id: alert.incident_id ?? alert.alert_id,
      disposition: 'false_positive',
      changed_by: 'warm-up',
    },
  };
}

function enforce(engine: Engine, inForce: readonly CustodyEvent[], appendTimeMs: number): void {
  for (const event of inForce) engine.process({ event, appendTimeMs });
}

/** Collects what detectors say about each call: the highest score of each detector. */
function createScoreBoard(rarity: AlertRarity) {
  const scored = new Map<string, { -readonly [K in keyof Scored]: Scored[K] }>();
  const alerts: PlayedAlert[] = [];
  const sessions = new Set<string>();
  let current: {
    readonly tenant: string;
    readonly key: string | undefined;
    readonly session: string | undefined;
    readonly seq: number | null;
  } = {
    tenant: '',
    key: undefined,
    session: undefined,
    seq: null,
  };

  function note(line: Scored): void {
    const key = `${line.tenant}\n${line.session}\n${line.seq ?? ''}\n${line.detector}`;
    const known = scored.get(key);
    if (known === undefined) scored.set(key, { ...line });
    else {
      known.score = Math.max(known.score, line.score);
      known.fired ||= line.fired;
    }
  }

  const isHere = (sessionKey: string | undefined) => sessionKey === current.key;

  return {
    at({ event, session, seq }: RecordedEvent) {
      current = { tenant: event.tenant, key: event.session?.key, session, seq: seq ?? null };
      if (session === undefined) return;
      sessions.add(sessionId(event.tenant, session));
      rarity.seen(event.tenant, session);
    },
    score: (({ sessionKey, callIndex, detector, score }) => {
      const here = isHere(sessionKey);
      const session = here ? (current.session ?? sessionKey) : sessionKey;
      const seq = here ? (current.seq ?? callIndex) : callIndex;
      // Only what the event is about is scored: a session of its tenant.
      note({ tenant: current.tenant, session, seq, score, detector, fired: false });
    }) satisfies ScoreProbe,
    alert(alert: Alert) {
      const here = alert.tenant === current.tenant && isHere(alert.session_key);
      const session = here ? current.session : alert.session_key;
      alerts.push({ session, alert });
      if (session === undefined || !isPaging(alert)) return;
      // The detector that scores every call has said how strange this one is.
      const score =
        alert.detector.id === SCORING_DETECTOR ? alert.score : rarity.of(alert, session) * RULE_WEIGHT;
      const seq = here ? current.seq : null;
      note({ tenant: alert.tenant, session, seq, score, detector: alert.detector.id, fired: true });
    },
    finish: () => ({ scored: [...scored.values()], alerts, sessions }),
  };
}
