import type { DetectConfig } from '../schemas/config.ts';
import { evictOne } from './counters/kept-entry.ts';
import { isConsequential, type CallFacts, type DetectEvent, type Detector, type Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import { addSize, newSizeSketch, p99Bytes, sizeBucket, type SizeSketch } from './learning/size-sketch.ts';
import { describeKey, describeSize } from './unusual-parameters-words.ts';

interface ToolParameters {
  sessions: number;
  calls: number;
  /** How many calls had an argument, by its name's hash. */
  readonly keys: Map<number, number>;
  /** Sizes by path hash. */
  readonly sizes: Map<number, SizeSketch>;
}

interface ParametersTenant {
  readonly tools: Map<number, ToolParameters>;
  /** Names of arguments that a tool's schema declares, by tool hash. */
  readonly declared: Map<number, readonly number[]>;
}

/** What calls of one tool showed in a session. */
interface ShownParameters {
  calls: number;
  lastKeysIndex: number;
  readonly keys: number[];
  readonly sizes: { readonly path: number; readonly bucket: number }[];
}

type ParametersSession = Map<number, ShownParameters>;

const maxTools = 512;
const maxKeys = 64;
const maxPaths = 32;
const maxToolsPerSession = 64;
const maxShown = 256;
const maxDeclared = 1024;
/** Enough sizes of one path to know how large its values get. */
const minSizes = 50;
const withoutSchema = 4;

/** An argument a tool was never called with, or one far larger than ever. */
export function unusualParameters(
  config: DetectConfig['unusual_parameters'],
): Detector<ParametersTenant, ParametersSession> {
  return {
    id: 'unusual-parameters',
    version: 1,
    kinds: ['tool_call', 'tool_list'],
    newTenantState: () => ({ tools: new Map(), declared: new Map() }),
    newSessionState: () => new Map(),

    step(detected, { tenant, session }, raise) {
      const { event, call, fresh } = detected;
      if (event.kind === 'tool_list') noteDeclared(tenant, detected);
      if (call === undefined || call.continuation) return;
      const shownHere = shownOf(session, call.toolHash);
      if (fresh.call && shownHere !== undefined) shownHere.calls += 1;
      const keys = event.arguments?.keys;
      if (keys !== undefined && shownHere?.lastKeysIndex !== call.index) {
        judgeKeys(config, tenant, call, keys, raise);
        if (shownHere !== undefined) {
          shownHere.lastKeysIndex = call.index;
          for (const key of keys) if (shownHere.keys.length < maxShown) shownHere.keys.push(itemHash(key));
        }
      }
      if (fresh.values) judgeSizes(config, tenant, call, shownHere, raise);
    },

    learn: ({ tenant, session }) => learn(tenant, session),

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

function shownOf(session: ParametersSession, tool: number): ShownParameters | undefined {
  const known = session.get(tool);
  if (known !== undefined || session.size >= maxToolsPerSession) return known;
  const fresh: ShownParameters = { calls: 0, lastKeysIndex: -1, keys: [], sizes: [] };
  session.set(tool, fresh);
  return fresh;
}

/** Full tables forget, so nothing counts as never seen there. */
function judgeKeys(
  config: DetectConfig['unusual_parameters'],
  tenant: ParametersTenant,
  call: CallFacts,
  keys: readonly string[],
  raise: Raise,
): void {
  const known = tenant.tools.get(call.toolHash);
  if (known === undefined || known.calls < config.learning_calls || known.sessions < config.learning_sessions)
    return;
  if (known.keys.size >= maxKeys) return;
  const declared = tenant.declared.get(call.toolHash);
  const unseen = keys.filter((key) => !known.keys.has(itemHash(key)));
  if (unseen.length === 0) return;
  let rare = 0;
  for (const count of known.keys.values()) if (count * 20 < known.calls) rare += 1;
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

function judgeSizes(
  config: DetectConfig['unusual_parameters'],
  tenant: ParametersTenant,
  call: CallFacts,
  shownHere: ShownParameters | undefined,
  raise: Raise,
): void {
  const known = tenant.tools.get(call.toolHash);
  for (const { path, sizeBytes } of call.values) {
    const hash = itemHash(path);
    const sketch = known?.sizes.get(hash);
    const p99 = sketch === undefined ? undefined : p99Bytes(sketch, minSizes);
    if (
      known !== undefined &&
      p99 !== undefined &&
      known.sessions >= config.learning_sessions &&
      sizeBytes >= config.size_min_bytes &&
      sizeBytes > config.size_ratio * Math.max(1, p99)
    )
      raise(describeSize(call, path, sizeBytes, p99, consequential(call) ? 'medium' : 'low'));
    if (shownHere !== undefined && shownHere.sizes.length < maxShown)
      shownHere.sizes.push({ path: hash, bucket: sizeBucket(sizeBytes) });
  }
}

function consequential(call: CallFacts): boolean {
  return isConsequential(call.action) || call.traits.destructive || call.traits.privileged;
}

function learn({ tools }: ParametersTenant, session: ParametersSession): void {
  for (const [tool, seen] of session) {
    const known = tools.get(tool) ?? {
      sessions: 0,
      calls: 0,
      keys: new Map<number, number>(),
      sizes: new Map<number, SizeSketch>(),
    };
    tools.delete(tool);
    if (tools.size >= maxTools) evictOne(tools, ({ sessions }) => sessions > 1);
    tools.set(tool, known);
    known.sessions += 1;
    known.calls += seen.calls;
    for (const key of seen.keys) {
      const count = known.keys.get(key);
      if (count !== undefined || known.keys.size < maxKeys) known.keys.set(key, (count ?? 0) + 1);
    }
    for (const { path, bucket } of seen.sizes) {
      let sketch = known.sizes.get(path);
      if (sketch === undefined) {
        if (known.sizes.size >= maxPaths) continue;
        sketch = newSizeSketch();
        known.sizes.set(path, sketch);
      }
      addSize(sketch, bucket);
    }
  }
}
