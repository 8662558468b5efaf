import type { DetectConfig } from '../schemas/config.ts';
import { judgeBudgets, newBudgetCounters, type BudgetCounters } from './budget-limits.ts';
import { judgeSpending, learnSpending, type DaySpending, type SpendingHabits } from './budget-spending.ts';
import { keptEntry } from './counters/kept-entry.ts';
import type { DetectEvent, Detector } from './detector.ts';

/** What one event adds, by measure; whole numbers, money in millionths. */
export interface Amounts {
  readonly calls: number;
  readonly tokens: number;
  readonly microUsd: number;
  readonly argumentBytes: number;
  readonly resultBytes: number;
  readonly items: number;
}

interface BudgetTenant {
  readonly counters: BudgetCounters;
  readonly spending: SpendingHabits;
}

export interface BudgetSession {
  /** Spending by actor and day, for learning. */
  days: Map<string, DaySpending> | undefined;
  /** Per call what its observers told so far: each tells it again. */
  told: Map<number, { tokens: number; microUsd: number; items: number }> | undefined;
}

const maxTold = 16;

/** A budget of the registry is used up, or an agent spends far more in a day than it ever did. */
export function budget(config: DetectConfig['budget']): Detector<BudgetTenant, BudgetSession> {
  return {
    id: 'budget',
    version: 1,
    // Plans and sessions sum up what their model calls have told already.
    kinds: ['tool_call', 'model', 'api_call'],
    newTenantState: () => ({
      counters: newBudgetCounters(),
      spending: { today: new Map(), history: new Map() },
    }),
    // Made when needed: most sessions tell no costs.
    newSessionState: () => ({ days: undefined, told: undefined }),

    step(detected, { tenant, session }, raise) {
      const amounts = amountsOf(detected, session);
      judgeBudgets(config, detected, tenant.counters, amounts, raise);
      if (amounts.tokens > 0 || amounts.microUsd > 0)
        judgeSpending(config, detected, tenant.spending, session, amounts, raise);
    },

    learn({ tenant, session }) {
      if (session.days !== undefined) learnSpending(tenant.spending, session.days);
    },

    status: ({ spending }) => {
      let most = 0;
      for (const { days } of spending.history.values()) most = Math.max(most, days.length);
      return { learning: spending.history.size > 0 && most < config.learning_days, seen: most };
    },
  };
}

function amountsOf({ event, call, fresh }: DetectEvent, session: BudgetSession): Amounts {
  const tokens = (event.cost?.input_tokens ?? 0) + (event.cost?.output_tokens ?? 0);
  const microUsd = Math.round(Math.min(event.cost?.usd ?? 0, 1e9) * 1e6);
  const items = event.item_count ?? 0;
  const isTold = event.cost !== undefined || event.item_count !== undefined;
  const counted =
    isTold && event.kind === 'tool_call' && call !== undefined ? toldOf(session, call.index) : undefined;
  const amounts = {
    calls: fresh.call ? 1 : 0,
    tokens: Math.max(0, tokens - (counted?.tokens ?? 0)),
    microUsd: Math.max(0, microUsd - (counted?.microUsd ?? 0)),
    argumentBytes: fresh.argumentsSize ? (call?.argumentsBytes ?? 0) : 0,
    resultBytes: fresh.resultSize ? (call?.resultBytes ?? 0) : 0,
    items: event.kind === 'tool_call' ? Math.max(0, items - (counted?.items ?? 0)) : 0,
  };
  if (counted !== undefined) {
    counted.tokens += amounts.tokens;
    counted.microUsd += amounts.microUsd;
    counted.items += amounts.items;
  }
  return amounts;
}

function toldOf(session: BudgetSession, index: number) {
  session.told ??= new Map();
  return keptEntry(session.told, index, maxTold, () => ({ tokens: 0, microUsd: 0, items: 0 }));
}
