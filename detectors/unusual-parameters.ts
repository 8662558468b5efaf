import type { DetectConfig } from '../schemas/config.ts';
import { isConsequential, type CallFacts, type DetectEvent, type Detector, type Raise } from './detector.ts';
import type { ArgumentType } from '../schemas/event/payload.ts';
import { itemHash } from './learning/item-hash.ts';
import { p99Bytes } from './learning/size-sketch.ts';
import {
  isFull,
  learnParameters,
  showKey,
  shownOf,
  showValue,
  typeBit,
  typesIn,
  type ParametersSession,
  type ToolHabits,
} from './parameter-habits.ts';
import { describeKey, describeRandom, describeSize, describeType } from './unusual-parameters-words.ts';

type Config = DetectConfig['unusual_parameters'];

interface ParametersTenant {
  readonly tools: Map<number, ToolHabits>;
  /** Names of arguments that a tool's schema declares, by tool hash. */
  readonly declared: Map<number, readonly number[]>;
}

const maxDeclared = 1024;
/** Enough values of one path to know what they are like. */
const minValues = 50;
const withoutSchema = 4;
/** Of an argument's values, in percent: an argument that has random runs now and then has them again. */
const randomHabit = 1;

/** An argument a tool was never called with, or one that is not what it always was: far larger, of another type, random. */
export function unusualParameters(config: Config): Detector<ParametersTenant, ParametersSession> {
  return {
    id: 'unusual-parameters',
    version: 2,
    kinds: ['tool_call', 'tool_list'],
    newTenantState: () => ({ tools: new Map(), declared: new Map() }),
    newSessionState: () => new Map(),

    step(detected, { tenant, session }, raise) {
      const { event, call, fresh } = detected;
      if (event.kind === 'tool_list') noteDeclared(tenant, detected);
      if (call === undefined || call.continuation) return;
      const shown = shownOf(session, call.toolHash);
      if (fresh.call && shown !== undefined) shown.calls += 1;
      const known = tenant.tools.get(call.toolHash);
      const { keys, types } = event.arguments ?? {};
      if (keys !== undefined && shown?.lastKeysIndex !== call.index) {
        judgeKeys(config, tenant, call, keys, raise);
        if (known !== undefined && types !== undefined)
          judgeTypes(config, known, call, { keys, types }, raise);
        if (shown !== undefined) {
          shown.lastKeysIndex = call.index;
          keys.forEach((key, at) => showKey(shown, itemHash(key), types?.[at]));
        }
      }
      if (!fresh.values) return;
      for (const value of call.values) {
        const path = itemHash(value.path);
        if (known !== undefined) judgeValue(config, known, call, path, value, raise);
        // Collectors that tell no types do not look for random characters either.
        const isRandom = types === undefined ? undefined : hasRandom(value.randomChars, config);
        if (shown !== undefined) showValue(shown, path, value.sizeBytes, isRandom);
      }
    },

    learn: ({ tenant, session }) => learnParameters(tenant.tools, session),

    status({ tools }) {
      let seen = 0;
      for (const { calls } of tools.values()) seen = Math.max(seen, calls);
      return { learning: seen < config.learning_calls, seen };
    },
  };
}

/** What servers say their tools take is no behaviour: it counts at once. */
function noteDeclared({ declared }: ParametersTenant, { event }: DetectEvent): void {
  const server = event.server?.name;
  for (const [name, tool] of Object.entries(event.listed_tools ?? {})) {
    if (tool.properties === undefined) continue;
    const hash = itemHash(server === undefined ? name : `${server}/${name}`);
    declared.delete(hash);
    declared.set(hash, tool.properties.map(itemHash));
    if (declared.size <= maxDeclared) continue;
    const oldest = declared.keys().next().value;
    if (oldest !== undefined) declared.delete(oldest);
  }
}

function judgeKeys(
  config: Config,
  tenant: ParametersTenant,
  call: CallFacts,
  keys: readonly string[],
  raise: Raise,
): void {
  const known = tenant.tools.get(call.toolHash);
  if (known === undefined || known.calls < config.learning_calls || known.sessions < config.learning_sessions)
    return;
  if (isFull(known)) return;
  const declared = tenant.declared.get(call.toolHash);
  const unseen = keys.filter((key) => !known.keys.has(itemHash(key)));
  if (unseen.length === 0) return;
  let rare = 0;
  for (const [calls] of known.keys.values()) if (calls * 20 < known.calls) rare += 1;
  const undeclared =
    declared === undefined ? undefined : unseen.filter((key) => !declared.includes(itemHash(key)));
  // A tool with arguments that are hardly ever used has others; one its schema has is no news at all. Without a schema it
  // takes more calls to know that there are no others.
  const strange =
    undeclared === undefined
      ? rare === 0 && known.calls >= withoutSchema * config.learning_calls
      : undeclared.length > 0;
  raise(
    describeKey(call, unseen, {
      severity: strange && consequential(call) ? 'medium' : 'low',
      calls: known.calls,
      sessions: known.sessions,
      declared: undeclared === undefined ? undefined : undeclared.length === 0,
    }),
  );
}

/** A word where there was always a number, a structure where there was none. An argument that was text may be anything that is text. */
function judgeTypes(
  config: Config,
  known: ToolHabits,
  call: CallFacts,
  { keys, types: read }: { readonly keys: readonly string[]; readonly types: readonly ArgumentType[] },
  raise: Raise,
): void {
  keys.forEach((key, at) => {
    const habits = known.keys.get(itemHash(key));
    const type = read[at];
    if (habits === undefined || type === undefined || type === 'null') return;
    const [, typed, sessions, types] = habits;
    if ((types & typeBit(type)) !== 0 || typed < config.learning_calls || sessions < config.learning_sessions)
      return;
    const usual = typesIn(types);
    if (usual.includes('text') && !isStructure(type)) return;
    if (usual.every((one) => one === 'null')) return;
    const severity = !usual.some((one) => isSlip(one, type)) && consequential(call) ? 'medium' : 'low';
    raise(describeType(call, key, { type, usual, calls: typed, severity }));
  });
}

/** Agents write one element for a list of one and the other way round, an object as its JSON text, and 1 for true. */
function isSlip(usual: ArgumentType, type: ArgumentType): boolean {
  if (usual === 'array' || type === 'array') return true;
  if (usual === 'object') return type === 'text';
  return (usual === 'boolean' && type === 'number') || (usual === 'number' && type === 'boolean');
}

function isStructure(type: ArgumentType): boolean {
  return type === 'array' || type === 'object';
}

function judgeValue(
  config: Config,
  known: ToolHabits,
  call: CallFacts,
  pathHash: number,
  { path, sizeBytes, randomChars }: CallFacts['values'][number],
  raise: Raise,
): void {
  const habits = known.values.get(pathHash);
  if (habits === undefined || known.sessions < config.learning_sessions) return;
  const severity = consequential(call) ? 'medium' : 'low';
  const p99 = p99Bytes(habits.sizes, minValues);
  if (
    p99 !== undefined &&
    sizeBytes >= config.size_min_bytes &&
    sizeBytes > config.size_ratio * Math.max(1, p99)
  )
    raise(describeSize(call, path, sizeBytes, p99, severity));
  const [looked, random, sessions] = habits.random;
  if (randomChars < config.random_min_chars || sessions < config.learning_sessions || looked < minValues)
    return;
  if (random * 100 <= randomHabit * looked)
    raise(describeRandom(call, path, { randomChars, sizeBytes, looked, random, severity }));
}

function hasRandom(randomChars: number, config: Config): boolean {
  return randomChars >= config.random_min_chars / 4;
}

function consequential(call: CallFacts): boolean {
  return isConsequential(call.action) || call.traits.destructive || call.traits.privileged;
}
