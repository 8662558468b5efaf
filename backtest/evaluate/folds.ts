import { decodeTokens } from '../../schemas/token-set.ts';
import type { RecordedEvent } from '../recording/recorded-event.ts';
import { grouped } from '../../detectors/grouped.ts';
import { byLabel, isOfAny, sessionId } from './label-match.ts';
import type { SessionLabel } from './labels.ts';
import type { Played, Player, Scored } from './play-recording.ts';
import { qualityOf, type Quality } from './quality.ts';

/** What is held out: tasks nobody has learned from, or one goal of attackers at a time. */
export type FoldKind = 'task' | 'goal';

export interface Fold {
  readonly name: string;
  readonly labels: readonly SessionLabel[];
  readonly warmupSessions: number;
  readonly quality: Quality;
}

export interface Folds {
  readonly kind: FoldKind;
  readonly folds: readonly Fold[];
  /** Sessions of all folds judged together; for goals, benign sessions count once for each goal. */
  readonly scored: readonly Scored[];
}

export interface FoldInput {
  readonly labels: readonly SessionLabel[];
  readonly warmup: readonly RecordedEvent[];
  readonly stream: readonly RecordedEvent[];
  readonly newPlayer: () => Player;
}

const TASK_FOLDS = 5;

/**
 * Plays the stream in parts, each with an engine of its own. By task: a part of the tasks, and a warm-up without sessions of
 * these. By goal: the benign sessions and the attacks with one goal, so that no other attack was seen before.
 */
export async function playFolds(
  kind: FoldKind,
  input: FoldInput,
  onFold: (done: number, total: number) => void,
): Promise<Folds> {
  const plans = kind === 'task' ? taskPlans(input) : goalPlans(input);
  const folds: Fold[] = [];
  const scored: Scored[] = [];
  for (const [index, { name, labels, trainsOn }] of plans.entries()) {
    onFold(index, plans.length);
    const player = input.newPlayer();
    const warmup = await player.play(
      input.warmup.filter(
        ({ event, session }) => session === undefined || trainsOn(sessionId(event.tenant, session)),
      ),
      { benign: true },
    );
    const isTested = isOfAny(labels);
    const played: Played = await player.play(
      input.stream.filter(
        ({ event: { tenant }, session }) => session !== undefined && isTested({ session, tenant }),
      ),
    );
    folds.push({
      name,
      labels,
      warmupSessions: warmup.sessions.size,
      quality: qualityOf(labels, played.scored),
    });
    for (const line of played.scored) scored.push(line);
  }
  onFold(plans.length, plans.length);
  return { kind, folds, scored };
}

interface Plan {
  readonly name: string;
  readonly labels: readonly SessionLabel[];
  /** Given the `sessionId` of a warm-up session. */
  readonly trainsOn: (warmupSession: string) => boolean;
}

/** A task is the same in two sessions if the agent was asked the same words. */
function taskPlans({ labels, warmup, stream }: FoldInput): Plan[] {
  const askedOf = byLabel([...askedBy(stream).values()]);
  const tasksOf = new Map<string, Set<string>>();
  for (const label of labels) {
    for (const { words } of askedOf(label)) {
      const tasks = tasksOf.get(words) ?? new Set();
      tasksOf.set(words, tasks.add(taskOf(label)));
    }
  }
  const warmupAsked = askedBy(warmup);
  const tasks = [...new Set(labels.map(taskOf))].sort();
  return Array.from({ length: Math.min(TASK_FOLDS, tasks.length) }, (_, fold) => {
    const heldOut = new Set(tasks.filter((_task, index) => index % TASK_FOLDS === fold));
    return {
      name: `tasks ${fold + 1} of ${TASK_FOLDS} (${heldOut.size})`,
      labels: labels.filter((label) => heldOut.has(taskOf(label))),
      trainsOn: (session: string) =>
        [...(tasksOf.get(warmupAsked.get(session)?.words ?? '') ?? [])].every((task) => !heldOut.has(task)),
    };
  });
}

function goalPlans({ labels }: FoldInput): Plan[] {
  const benign = labels.filter(({ label }) => label === 'benign');
  const attacks = grouped(
    labels.filter(({ label }) => label !== 'benign'),
    ({ goal }) => goal ?? '/',
  );
  return [...attacks]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .filter(([, those]) => those.some(({ label }) => label === 'attack_succeeded'))
    .map(([goal, those]) => ({ name: goal, labels: [...benign, ...those], trainsOn: () => true }));
}

export const taskOf = ({ tenant, task }: SessionLabel): string => `${tenant}/${task ?? ''}`;

interface Asked {
  readonly tenant: string;
  readonly session: string;
  /** In one order. */
  readonly words: string;
}

/** The words each session's agent was asked with, by `sessionId`. */
function askedBy(records: readonly RecordedEvent[]): ReadonlyMap<string, Asked> {
  const asked = new Map<string, Asked>();
  for (const { session, event } of records) {
    if (session === undefined || event.intent === undefined) continue;
    const { tenant, intent } = event;
    const id = sessionId(tenant, session);
    if (asked.has(id)) continue;
    const words = [...decodeTokens(intent.tokens)].sort((a, b) => a - b).join();
    asked.set(id, { tenant, session, words });
  }
  return asked;
}

/** Mean and standard deviation of what the folds gave; folds without a value are left out. */
export function spreadOf(values: readonly number[]): { readonly mean: number; readonly deviation: number } {
  const known = values.filter((value) => Number.isFinite(value));
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / Math.max(1, known.length - 1)) };
}
