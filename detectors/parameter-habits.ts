import type { CustodyEvent } from '../schemas/event.ts';
import { evictOne } from './counters/kept-entry.ts';
import { addSize, newSizeSketch, sizeBucket, type SizeSketch } from './learning/size-sketch.ts';

export type ArgumentType = NonNullable<NonNullable<CustodyEvent['arguments']>['types']>[number];

/** How a tool is called, from closed sessions without an open alert. */
export interface ToolHabits {
  sessions: number;
  calls: number;
  /** By the hash of an argument's name. */
  readonly keys: Map<number, KeyHabits>;
  /** By path hash. */
  readonly values: Map<number, ValueHabits>;
}

interface KeyHabits {
  /** Calls that had the argument. */
  calls: number;
  /** Calls whose types are known. */
  typed: number;
  /** What it read as, as a sum of `typeBit`. */
  types: number;
}

interface ValueHabits {
  readonly sizes: SizeSketch;
  /** Values, and those that had runs that look random; both fade. */
  count: number;
  random: number;
}

/** What calls of one tool showed in a session. */
export interface ShownParameters {
  calls: number;
  lastKeysIndex: number;
  readonly keys: number[];
  /** A `typeBit` for each of `keys`. */
  readonly types: number[];
  readonly values: { readonly path: number; readonly bucket: number; readonly isRandom: boolean }[];
}

/** By tool hash. */
export type ParametersSession = Map<number, ShownParameters>;

const maxTools = 512;
const maxKeys = 64;
const maxPaths = 32;
const maxToolsPerSession = 64;
const maxShown = 256;
const valueMemory = 1024;

const bits: Readonly<Record<ArgumentType, number>> = {
  text: 1,
  number: 2,
  boolean: 4,
  null: 8,
  array: 16,
  object: 32,
};

export function typeBit(type: ArgumentType): number {
  return bits[type];
}

/** Types by name, in a sum of `typeBit`. */
export function typesIn(sum: number): ArgumentType[] {
  return (Object.keys(bits) as ArgumentType[]).filter((type) => (sum & bits[type]) !== 0);
}

/** Full tables forget, so nothing counts as never seen there. */
export function isFull({ keys }: ToolHabits): boolean {
  return keys.size >= maxKeys;
}

/** `undefined`: too many tools in this session. */
export function shownOf(session: ParametersSession, tool: number): ShownParameters | undefined {
  const known = session.get(tool);
  if (known !== undefined || session.size >= maxToolsPerSession) return known;
  const fresh: ShownParameters = { calls: 0, lastKeysIndex: -1, keys: [], types: [], values: [] };
  session.set(tool, fresh);
  return fresh;
}

export function showKey({ keys, types }: ShownParameters, key: number, type: ArgumentType | undefined): void {
  if (keys.length >= maxShown) return;
  keys.push(key);
  types.push(type === undefined ? 0 : typeBit(type));
}

export function showValue(
  { values }: ShownParameters,
  path: number,
  sizeBytes: number,
  isRandom: boolean,
): void {
  if (values.length < maxShown) values.push({ path, bucket: sizeBucket(sizeBytes), isRandom });
}

export function learnParameters(tools: Map<number, ToolHabits>, session: ParametersSession): void {
  for (const [tool, shown] of session) {
    const known = tools.get(tool) ?? newToolHabits();
    tools.delete(tool);
    if (tools.size >= maxTools) evictOne(tools, ({ sessions }) => sessions > 1);
    tools.set(tool, known);
    known.sessions += 1;
    known.calls += shown.calls;
    shown.keys.forEach((key, at) => learnKey(known.keys, key, shown.types[at] ?? 0));
    for (const { path, bucket, isRandom } of shown.values) learnValue(known.values, path, bucket, isRandom);
  }
}

const newToolHabits = (): ToolHabits => ({ sessions: 0, calls: 0, keys: new Map(), values: new Map() });

function learnKey(keys: ToolHabits['keys'], key: number, type: number): void {
  let habits = keys.get(key);
  if (habits === undefined) {
    if (keys.size >= maxKeys) return;
    habits = { calls: 0, typed: 0, types: 0 };
    keys.set(key, habits);
  }
  habits.calls += 1;
  if (type === 0) return;
  habits.typed += 1;
  habits.types |= type;
}

function learnValue(values: ToolHabits['values'], path: number, bucket: number, isRandom: boolean): void {
  let habits = values.get(path);
  if (habits === undefined) {
    if (values.size >= maxPaths) return;
    habits = { sizes: newSizeSketch(), count: 0, random: 0 };
    values.set(path, habits);
  }
  addSize(habits.sizes, bucket);
  habits.count += 1;
  if (isRandom) habits.random += 1;
  if (habits.count < valueMemory) return;
  habits.count >>= 1;
  habits.random >>= 1;
}
