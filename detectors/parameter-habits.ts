import type { ArgumentType } from '../schemas/event/payload.ts';
import { evictOne } from './counters/kept-entry.ts';
import { addSize, newSizeSketch, sizeBucket, type SizeSketch } from './learning/size-sketch.ts';

/** How a tool is called, from closed sessions without an open alert. */
export interface ToolHabits {
  sessions: number;
  calls: number;
  /** By the hash of an argument's name. */
  readonly keys: Map<number, KeyHabits>;
  /** By path hash. */
  readonly values: Map<number, ValueHabits>;
}

// Tuples: a snapshot writes the names of members again for every object.

/** Calls that had the argument; of these those whose type was told, and their sessions; what it read as, as a sum of `typeBit`. */
type KeyHabits = [calls: number, typed: number, sessions: number, types: number];

/** Values that were looked at for runs that look random, those of them that had such runs, and their sessions. */
type RandomHabits = [looked: number, random: number, sessions: number];

interface ValueHabits {
  readonly sizes: SizeSketch;
  readonly random: RandomHabits;
}

/** What calls of one tool showed in a session. */
export interface ShownParameters {
  calls: number;
  lastKeysIndex: number;
  readonly keys: number[];
  /** A `typeBit` for each of `keys`. */
  readonly types: number[];
  readonly values: ShownValue[];
}

interface ShownValue {
  readonly path: number;
  readonly bucket: number;
  /** `undefined`: nobody looked. */
  readonly isRandom: boolean | undefined;
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
  isRandom: boolean | undefined,
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
    // Counts a session once for each of them.
    const taught = new Set<KeyHabits | RandomHabits>();
    shown.keys.forEach((key, at) => learnKey(known.keys, key, shown.types[at] ?? 0, taught));
    for (const value of shown.values) learnValue(known.values, value, taught);
  }
}

const newToolHabits = (): ToolHabits => ({ sessions: 0, calls: 0, keys: new Map(), values: new Map() });

function learnKey(
  keys: ToolHabits['keys'],
  key: number,
  type: number,
  taught: Set<KeyHabits | RandomHabits>,
): void {
  let habits = keys.get(key);
  if (habits === undefined) {
    if (keys.size >= maxKeys) return;
    habits = [0, 0, 0, 0];
    keys.set(key, habits);
  }
  habits[0] += 1;
  if (type === 0) return;
  habits[1] += 1;
  if (!taught.has(habits)) habits[2] += 1;
  taught.add(habits);
  habits[3] |= type;
}

function learnValue(
  values: ToolHabits['values'],
  { path, bucket, isRandom }: ShownValue,
  taught: Set<KeyHabits | RandomHabits>,
): void {
  let habits = values.get(path);
  if (habits === undefined) {
    if (values.size >= maxPaths) return;
    habits = { sizes: newSizeSketch(), random: [0, 0, 0] };
    values.set(path, habits);
  }
  addSize(habits.sizes, bucket);
  if (isRandom === undefined) return;
  const { random } = habits;
  random[0] += 1;
  if (isRandom) random[1] += 1;
  if (!taught.has(random)) random[2] += 1;
  taught.add(random);
  if (random[0] < valueMemory) return;
  random[0] >>= 1;
  random[1] >>= 1;
}
