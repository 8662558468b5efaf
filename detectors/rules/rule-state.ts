import { keptEntry } from '../counters/kept-entry.ts';
import type { FindingSubject } from '../detector.ts';

/** Plain data, bounded: what the rules of one tenant remember. Keyed by rule and version, so that a change of one rule resets only that rule. */
export interface RulesState {
  /** By `CompiledRule.key`. */
  readonly rules: Map<string, RuleState>;
  /** Of the rule set the state was last cleared for. */
  stamp: string;
  /** Latest event time of the tenant. */
  streamMs: number;
}

export interface RuleState {
  /** Matches not yet told, by group; least recently touched first. */
  readonly groups: Map<string, GroupState>;
  /** What was told and when, so that it is not told again at once; oldest first. */
  readonly told: Map<string, number>;
  readonly budget: { day: number; spent: number };
  /** When the next thing that is waited for is overdue; Infinity when nothing is. */
  dueMs: number;
}

/** An event that matched. */
export interface Hit {
  readonly timeMs: number;
  /** Triggering event. */
  readonly eventId: string;
  /** Call or event: several observations of one call count once. */
  readonly item: string;
}

export interface GroupState {
  /** threshold: latest hits. value_count: the latest hit of each value, by value. Others have none. */
  hits: Map<string, Hit> | undefined;
  /** sequence: for each step, the hits up to it of the latest begun partial run; unordered: the latest hit. */
  readonly steps: (readonly Hit[] | undefined)[];
  /** absence: what waits. */
  readonly waiting: (Hit & { readonly about: FindingSubject; readonly reason: readonly string[] })[];
}

/** Groups of one rule and tenant; the least recently touched goes first. */
export const groupsMax = 512;
const toldMax = 512;
const waitingMax = 32;

export function newRuleState(): RuleState {
  return { groups: new Map(), told: new Map(), budget: { day: -1, spent: 0 }, dueMs: Infinity };
}

/** The group, made when new. When there are too many, the least recently touched goes. */
export function touchGroup({ groups }: RuleState, key: string): GroupState {
  return keptEntry(groups, key, groupsMax, newGroup);
}

function newGroup(): GroupState {
  return { hits: undefined, steps: [], waiting: [] };
}

/** Whether the matter is new or was last told long enough ago; then it counts as told now. */
export function isDue(state: RuleState, key: string, timeMs: number, repeatMs: number): boolean {
  const before = state.told.get(key);
  if (before !== undefined && timeMs - before < repeatMs) return false;
  state.told.delete(key);
  state.told.set(key, timeMs);
  if (state.told.size > toldMax) dropFirst(state.told);
  return true;
}

export function addWaiting(group: GroupState, waiting: GroupState['waiting'][number]): void {
  if (group.waiting.some(({ item }) => item === waiting.item)) return;
  group.waiting.push(waiting);
  if (group.waiting.length > waitingMax) group.waiting.shift();
}

export function dropFirst(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}
