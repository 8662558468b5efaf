import type { DetectConfig } from '../schemas/config.ts';
import { aboutSystem } from './about-system.ts';
import type { Amounts } from './budget.ts';
import { keptEntry } from './counters/kept-entry.ts';
import { addSliding, newSlidingSum, type SlidingSum } from './counters/sliding-sum.ts';
import type { DetectEvent, Finding, Raise } from './detector.ts';
import { references } from './references.ts';
import type { Budget } from './registry/registry.ts';
import { bytesText, shown } from './wording.ts';

interface Use {
  readonly sum: SlidingSum;
  /** What was told of it since it was last below the warning. */
  told: 'nothing' | 'warning' | 'breach';
}

/** Use of each budget by whom it is for. */
export type BudgetCounters = Map<string, Use>;

const maxCounters = 1024;
const noServer = undefined;

export function newBudgetCounters(): BudgetCounters {
  return new Map();
}

/** Adds to the budgets of the registry that the event falls under. */
export function judgeBudgets(
  config: DetectConfig['budget'],
  detected: DetectEvent,
  counters: BudgetCounters,
  amounts: Amounts,
  raise: Raise,
): void {
  const { event, call, registry } = detected;
  if (registry === undefined) return;
  const server = event.server?.name ?? call?.server ?? noServer;
  const tool = call?.tool ?? event.tool?.name;
  for (const budget of registry.budgets(event.actor?.id, server, tool)) {
    const amount = amountOf(budget.measure, amounts);
    for (const holder of holdersOf(budget, detected)) {
      if (amount === 0) continue;
      const use = keptEntry(counters, `${budget.id}\n${holder}`, maxCounters, newUse);
      const used = addSliding(use.sum, amount, detected.timeMs, budget.windowMs);
      const limit = budget.measure === 'usd' ? Math.round(budget.limit * 1e6) : budget.limit;
      const level =
        used > limit ? 'breach' : used * 100 >= limit * config.warn_percent ? 'warning' : 'nothing';
      const isNews = rank[level] > rank[use.told];
      use.told = level === 'nothing' ? 'nothing' : isNews ? level : use.told;
      if (isNews && level !== 'nothing') raise(describeUse(detected, budget, holder, level, used, limit));
    }
  }
}

const rank = { nothing: 0, warning: 1, breach: 2 } as const;

function newUse(): Use {
  return { sum: newSlidingSum(), told: 'nothing' };
}

function amountOf(measure: Budget['measure'], amounts: Amounts): number {
  switch (measure) {
    case 'calls':
      return amounts.calls;
    case 'tokens':
      return amounts.tokens;
    case 'usd':
      return amounts.microUsd;
    case 'argument_bytes':
      return amounts.argumentBytes;
    case 'result_bytes':
      return amounts.resultBytes;
    case 'items':
      return amounts.items;
  }
}

/** Each of these has the whole budget for itself. */
function holdersOf({ per }: Budget, { event, call, actorKey, session }: DetectEvent): readonly string[] {
  switch (per) {
    case 'agent':
      return [actorKey];
    case 'tool': {
      const tool = call?.toolKey ?? '';
      return tool === '' ? [] : [tool];
    }
    case 'session':
      return [session.key];
    case 'tenant':
      return ['all'];
    case 'destination':
      return call?.destinations ?? event.destinations ?? [];
  }
}

function describeUse(
  { event, call }: DetectEvent,
  budget: Budget,
  holder: string,
  level: 'warning' | 'breach',
  used: number,
  limit: number,
): Finding {
  const whose = budget.per === 'tenant' ? 'the tenant' : `${budget.per} ${shown(holder, 120)}`;
  const window = windowWords(budget.windowMs);
  const observed = `${whose} used ${amountWords(budget.measure, used)} of budget ${shown(budget.id)} within ${window}`;
  const normal = `at most ${amountWords(budget.measure, limit)} within ${window}`;
  const isBreach = level === 'breach';
  // The call that fills a common budget is no worse than those before it.
  const isOwn = budget.per === 'agent' || budget.per === 'session';
  return {
    title: isBreach ? 'Budget exceeded' : 'Budget nearly used up',
    severity: isBreach ? 'medium' : 'low',
    score: used / (used + Math.max(1, limit)),
    reason: `${observed}; allowed is ${normal}.`,
    observed,
    normal,
    distance: `${Math.round((100 * used) / Math.max(1, limit))} % of the budget`,
    dedupKey: `${level} ${budget.id} ${holder}`,
    ...(isOwn ? {} : { about: aboutSystem(call?.server ?? event.server?.name, call?.tool) }),
    references: references.budget,
  };
}

function amountWords(measure: Budget['measure'], amount: number): string {
  switch (measure) {
    case 'usd':
      return `${(amount / 1e6).toFixed(2)} USD`;
    case 'argument_bytes':
    case 'result_bytes':
      return bytesText(amount);
    default:
      return `${amount} ${measure}`;
  }
}

function windowWords(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
