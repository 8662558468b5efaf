import type { RecordedEvent } from '../../backtest/recording/recorded-event.ts';
import { isPaging } from '../../backtest/evaluate/play-recording.ts';
import type { Engine } from '../../detectors/engine/contract.ts';
import { createEngine } from '../../detectors/engine/engine.ts';
import type { Alert } from '../../schemas/alert.ts';
import { detectConfig, omit } from '../detectors/sessions.ts';
import { dismissal } from './dismissal.ts';
import type { Recordings } from './recorded-sessions.ts';

/** What the detectors made of one session. */
export interface Judged {
  /** The highest score that novel-chain, the detector that learns most, gave a call. */
  score: number;
  /** novel-chain called somebody. */
  paged: boolean;
  /** Any detector or rule did. */
  pagedByAny: boolean;
}

/** What happens to alerts: nothing, or every incident is dismissed at once, so that every session is learned from. */
export type Analyst = 'silent' | 'dismisses all';

export interface JudgingOptions {
  /** State to go on from. */
  readonly state?: State;
  /** Sessions that nothing is learned from, whatever was seen of them. */
  readonly neverLearned?: ReadonlySet<string>;
}

export type State = readonly { readonly name: string; readonly value: Uint8Array }[];

/** An engine as it runs live, with a note of what it said of each session. */
export function judgingEngine({ state: restored, neverLearned }: JudgingOptions = {}) {
  const judged = new Map<string, Judged>();
  let session: string | undefined;
  const of = (name: string): Judged => {
    const known = judged.get(name) ?? { score: 0, paged: false, pagedByAny: false };
    judged.set(name, known);
    return known;
  };
  const engine: Engine = createEngine(detectConfig(), {
    // A recorded session is closed by its own last record: what is learned then is of `session`.
    wrap: (detector) => ({
      ...detector,
      learn(state) {
        if (session === undefined || neverLearned?.has(session) !== true) detector.learn?.(state);
      },
    }),
    onScore({ score }) {
      if (session === undefined) return;
      const known = of(session);
      known.score = Math.max(known.score, score);
    },
  });
  if (restored !== undefined) engine.restore(restored);

  function note(alert: Alert): void {
    if (session === undefined || !isPaging(alert)) return;
    of(session).pagedByAny = true;
    if (alert.detector.id === 'novel-chain') of(session).paged = true;
  }

  return {
    engine,
    judged,
    play: (records: readonly RecordedEvent[], analyst: Analyst): void => {
      for (const record of records) {
        session = record.session;
        if (session !== undefined) of(session);
        const alerts = engine.process(record);
        alerts.forEach(note);
        if (analyst === 'dismisses all') for (const alert of alerts) dismiss(engine, alert, record);
      }
    },
  };
}

/** What the log holds when somebody says that an alert was a false alarm. */
function dismiss(engine: Engine, alert: Alert, record: RecordedEvent): void {
  const { event, appendTimeMs } = record;
  const about = omit(event, 'session', 'tool', 'arguments', 'result', 'policy', 'phase', 'intent');
  engine.process({
    appendTimeMs,
    event: {
      ...about,
      ...dismissal(alert),
    },
  });
}

/** State of an engine after the documents came into force and the benign history was played, its alerts dismissed. */
export function stateAfterWarmup({ inForce, warmup }: Recordings): State {
  const { engine, play } = judgingEngine();
  const appendTimeMs = warmup[0]?.appendTimeMs ?? 0;
  for (const event of inForce) engine.process({ event, appendTimeMs });
  play(warmup, 'dismisses all');
  return [...engine.snapshot()].flatMap(({ name, value }) => (value === undefined ? [] : [{ name, value }]));
}
