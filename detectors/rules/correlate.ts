import type { Correlation } from '../../schemas/rule.ts';
import type { CompiledRule } from './compile-rule.ts';
import type { FactSource } from './condition.ts';
import { dropFirst, type GroupState, type Hit } from './rule-state.ts';
import { valueText } from './template.ts';

/** Hits that together are a finding, oldest first; `undefined` when they are not yet. */
export type Correlated = readonly Hit[] | undefined;

type OfType<Type extends Correlation['type']> = Extract<Correlation, { type: Type }>;

/** `count` hits within the window, each call counted once. What was told is forgotten: the next needs as many again. */
export function countHits(
  group: GroupState,
  hit: Hit,
  rule: CompiledRule,
  limit: OfType<'threshold'>,
): Correlated {
  if (group.hits?.has(hit.item) === true) return undefined;
  return collect(group, hit.item, hit, rule, limit.count);
}

/** `count` different values within the window. */
export function countValues(
  group: GroupState,
  hit: Hit,
  rule: CompiledRule,
  limit: OfType<'value_count'>,
  facts: FactSource,
): Correlated {
  const value = rule.value?.value(facts);
  if (value === undefined) return undefined;
  const key = valueText(value);
  group.hits?.delete(key);
  return collect(group, key, hit, rule, limit.count);
}

function collect(group: GroupState, key: string, hit: Hit, rule: CompiledRule, count: number): Correlated {
  const hits = (group.hits ??= new Map<string, Hit>());
  hits.set(key, hit);
  // Below the count nothing is told, whatever is too old by then.
  if (hits.size < count) return undefined;
  for (const [old, { timeMs }] of hits) if (hit.timeMs - timeMs > rule.windowMs) hits.delete(old);
  if (hits.size < count) return undefined;
  // Late events may come after later ones: what is told lies within one window.
  const within = [...hits.values()].filter(({ timeMs }) => timeMs - hit.timeMs <= rule.windowMs);
  if (within.length >= count) {
    hits.clear();
    return within.sort((a, b) => a.timeMs - b.timeMs);
  }
  if (hits.size > count) dropFirst(hits);
  return undefined;
}

/**
 * Steps in order, each by another call, all within the window. For each step only the partial run that began last is
 * kept: whatever another one could still become, this one can.
 */
export function advanceSequence(
  group: GroupState,
  hit: Hit,
  matched: readonly number[],
  rule: CompiledRule,
): Correlated {
  const last = rule.steps.length - 1;
  for (const step of [...matched].sort((a, b) => b - a)) {
    if (step === 0) {
      group.steps[0] = [hit];
      continue;
    }
    const before = group.steps[step - 1];
    const begun = before?.[0];
    if (before === undefined || begun === undefined || hit.timeMs < (before.at(-1)?.timeMs ?? 0)) continue;
    if (hit.timeMs - begun.timeMs > rule.windowMs || before.some(({ item }) => item === hit.item)) continue;
    const run = [...before, hit];
    if (step === last) {
      group.steps.length = 0;
      return run;
    }
    const known = group.steps[step]?.[0];
    if (known === undefined || known.timeMs <= begun.timeMs) group.steps[step] = run;
  }
  return undefined;
}

/** Steps in any order within the window; one event may be several of them. */
export function collectSteps(
  group: GroupState,
  hit: Hit,
  matched: readonly number[],
  rule: CompiledRule,
): Correlated {
  for (const step of matched) group.steps[step] = [hit];
  const hits = rule.steps.map((_, step) => group.steps[step]?.[0]);
  const known = hits.filter((each): each is Hit => each !== undefined);
  if (known.length < rule.steps.length) return undefined;
  const times = known.map(({ timeMs }) => timeMs);
  if (Math.max(...times) - Math.min(...times) > rule.windowMs) return undefined;
  group.steps.length = 0;
  return known.sort((a, b) => a.timeMs - b.timeMs);
}
