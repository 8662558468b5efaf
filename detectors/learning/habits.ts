import { evictOne } from '../counters/kept-entry.ts';

/** How often something was so: of a tool's calls, and in how many benign sessions the tool was called at all. */
export interface Habit {
  sessions: number;
  calls: number;
  /** Calls with each form that was ever seen with the tool. */
  readonly hits: Map<string, number>;
}

/** By tool hash, least recently learned first; bounded. */
export type Habits = Map<number, Habit>;

/** What one session saw of one tool. */
export interface Observed {
  calls: number;
  /** By form, made with the first: most calls show none. */
  hits: Map<string, FormHits> | undefined;
}

interface FormHits {
  /** Last call counted: a call told twice is one call. */
  lastCall: number;
  count: number;
}

/** By tool hash; bounded. */
export type SessionHabits = Map<number, Observed>;

const maxTools = 1024;
const maxToolsPerSession = 64;
const maxForms = 32;
/** Halved here, so that what a tool did long ago weighs less. */
const window = 4096;

/** Counts a call of the tool; `forms` are what this observation of it shows. */
export function observeHabit(
  session: SessionHabits,
  tool: number,
  callIndex: number,
  isNewCall: boolean,
  forms: readonly string[],
): void {
  let seen = session.get(tool);
  if (seen === undefined) {
    if (session.size >= maxToolsPerSession) return;
    seen = { calls: 0, hits: undefined };
    session.set(tool, seen);
  }
  if (isNewCall || seen.calls === 0) seen.calls += 1;
  for (const form of forms) {
    const hits = (seen.hits ??= new Map<string, FormHits>());
    const known = hits.get(form);
    if (known === undefined) {
      if (hits.size < maxForms) hits.set(form, { lastCall: callIndex, count: 1 });
    } else if (known.lastCall !== callIndex) {
      known.lastCall = callIndex;
      known.count += 1;
    }
  }
}

/** Takes a benign session in. A tool seen by few sessions goes first when there are too many. */
export function learnHabits(habits: Habits, session: SessionHabits): void {
  for (const [tool, seen] of session) {
    const habit = habits.get(tool) ?? { sessions: 0, calls: 0, hits: new Map<string, number>() };
    habits.delete(tool);
    if (habits.size >= maxTools) evictOne(habits, ({ sessions }) => sessions > 1);
    habits.set(tool, habit);
    habit.sessions += 1;
    habit.calls += seen.calls;
    if (seen.hits !== undefined)
      for (const [form, { count }] of seen.hits) {
        const before = habit.hits.get(form);
        if (before !== undefined || habit.hits.size < maxForms) habit.hits.set(form, (before ?? 0) + count);
      }
    if (habit.calls > window) halve(habit);
  }
}

/** Whether the tool is known from enough sessions to say what is usual for it. */
export function isEstablished(habits: Habits, tool: number, sessions: number): boolean {
  return (habits.get(tool)?.sessions ?? 0) >= sessions;
}

/** Share of the tool's calls with the form, in percent. */
export function habitPercent(habits: Habits, tool: number, form: string): number {
  const habit = habits.get(tool);
  return habit === undefined || habit.calls === 0
    ? 0
    : Math.floor(((habit.hits.get(form) ?? 0) * 100) / habit.calls);
}

function halve(habit: Habit): void {
  habit.calls >>= 1;
  for (const [form, hits] of habit.hits) habit.hits.set(form, hits >> 1);
}
