import type { DetectConfig } from '../schemas/config.ts';
import type { Amounts, BudgetSession } from './budget.ts';
import { addDistinct, keptEntry, pushBounded } from './counters/kept-entry.ts';
import type { DetectEvent, Finding, Raise } from './detector.ts';
import { references } from './references.ts';
import { shown } from './wording.ts';

export interface DaySpending {
  readonly actor: string;
  readonly day: number;
  tokens: number;
  microUsd: number;
}

interface Today extends DaySpending {
  readonly eventIds: string[];
  isTold: boolean;
}

/** Days of one agent in good sessions, oldest first. */
interface History {
  readonly days: { readonly day: number; tokens: number; microUsd: number }[];
}

export interface SpendingHabits {
  /** What each agent has spent today, whoever it is: a counter. */
  readonly today: Map<string, Today>;
  readonly history: Map<string, History>;
}

const dayMs = 24 * 3_600_000;
const maxActors = 512;
const maxDays = 14;
const maxSessionDays = 32;
const maxEvidence = 4;

/** Compares the agent's day so far with its last days. */
export function judgeSpending(
  config: DetectConfig['budget'],
  { event, actorKey, timeMs }: DetectEvent,
  { today, history }: SpendingHabits,
  session: BudgetSession,
  amounts: Amounts,
  raise: Raise,
): void {
  const day = Math.floor(timeMs / dayMs);
  session.days ??= new Map();
  const here = keptEntry(session.days, `${day} ${actorKey}`, maxSessionDays, () => newDay(actorKey, day));
  here.tokens += amounts.tokens;
  here.microUsd += amounts.microUsd;

  let spent = keptEntry(today, actorKey, maxActors, () => newToday(actorKey, day));
  if (day > spent.day) {
    spent = newToday(actorKey, day);
    today.set(actorKey, spent);
  }
  spent.tokens += amounts.tokens;
  spent.microUsd += amounts.microUsd;
  addDistinct(spent.eventIds, event.event_id, maxEvidence);
  if (spent.isTold) return;
  const before = (history.get(actorKey)?.days ?? []).filter((past) => past.day < day);
  if (before.length < config.learning_days) return;
  const usualTokens = nearlyHighest(before.map(({ tokens }) => tokens));
  const usualUsd = nearlyHighest(before.map(({ microUsd }) => microUsd));
  const { anomaly_ratio: ratio } = config;
  const tooManyTokens = spent.tokens >= config.anomaly_tokens_min && spent.tokens > ratio * usualTokens;
  const tooMuchMoney =
    spent.microUsd >= Math.round(config.anomaly_usd_min * 1e6) && spent.microUsd > ratio * usualUsd;
  if (!tooManyTokens && !tooMuchMoney) return;
  spent.isTold = true;
  raise(
    tooManyTokens
      ? describe(
          spent,
          `${spent.tokens} tokens`,
          `${usualTokens} tokens`,
          spent.tokens,
          usualTokens,
          before.length,
        )
      : describe(
          spent,
          usdWords(spent.microUsd),
          usdWords(usualUsd),
          spent.microUsd,
          usualUsd,
          before.length,
        ),
  );
}

export function learnSpending({ history }: SpendingHabits, days: ReadonlyMap<string, DaySpending>): void {
  for (const { actor, day, tokens, microUsd } of days.values()) {
    const known = keptEntry(history, actor, maxActors, newHistory, (past) => past.days.length > 1).days;
    const same = known.find((past) => past.day === day);
    if (same !== undefined) {
      same.tokens += tokens;
      same.microUsd += microUsd;
      continue;
    }
    pushBounded(known, { day, tokens, microUsd }, maxDays + 1);
    known.sort((one, other) => one.day - other.day);
  }
}

/** The 95th percentile of at most fourteen days: the highest, and from ten days on the second highest. */
function nearlyHighest(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => other - one);
  return sorted[sorted.length >= 10 ? 1 : 0] ?? 0;
}

function newDay(actor: string, day: number): DaySpending {
  return { actor, day, tokens: 0, microUsd: 0 };
}

function newToday(actor: string, day: number): Today {
  return { ...newDay(actor, day), eventIds: [], isTold: false };
}

function newHistory(): History {
  return { days: [] };
}

function describe(
  { actor, day, eventIds }: Today,
  spentWords: string,
  usualWords: string,
  spent: number,
  usual: number,
  days: number,
): Finding {
  const observed = `${shown(actor)} spent ${spentWords} today`;
  const normal = `at most about ${usualWords} a day over its last ${days} days`;
  return {
    title: 'Agent spends far more than usual',
    severity: 'medium',
    score: spent / (spent + Math.max(1, 4 * usual)),
    reason: `${observed}; normal is ${normal}.`,
    observed,
    normal,
    distance: usual === 0 ? 'it never spent anything' : `${(spent / usual).toFixed(1)} times its usual day`,
    dedupKey: `spending ${day} ${actor}`,
    evidence: eventIds,
    references: references.budget,
  };
}

function usdWords(microUsd: number): string {
  return `${(microUsd / 1e6).toFixed(2)} USD`;
}
