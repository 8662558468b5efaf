import { createHash } from 'node:crypto';
import { z } from 'zod';
import { decisionOf } from '../../collectors/normalize/outcome.ts';
import { redactText } from '../../collectors/normalize/redact.ts';
import { eventSchema, type CustodyEvent } from '../../schemas/event.ts';
import { isObject, type JsonObject } from '../../schemas/json-object.ts';
import { flatMembers, spellingOf, type FlatMember, type FlatMembers } from './flat-members.ts';
import { SPELLINGS } from './spelling-table.ts';

/** Parts of events by dotted place, each valid there. */
export interface SpelledFacts {
  readonly facts: ReadonlyMap<string, unknown>;
  /** The record without what was read from it. */
  readonly rest: JsonObject;
}

/** Members of an event that records may state as they are; the others are a recording's own to make. */
const CANONICAL =
  'trace actor client server tool tool_definitions listed_tools mcp arguments result scope policy network supply_chain change health cost pii destination_origins intent'.split(
    ' ',
  );
/** Read by the collectors' own tables too, which need them to tell what a record is about. */
const ALSO_LEFT = new Set('trace actor client server tool mcp scope policy'.split(' '));
interface Target {
  readonly place: string;
  readonly rank: number;
}
const SPELLED = new Map<string, Target[]>();
for (const [row, [place, spellings]] of SPELLINGS.entries())
  for (const [order, spelling] of spellings.split(' ').entries())
    SPELLED.set(spelling, [...(SPELLED.get(spelling) ?? []), { place, rank: row * 100 + order }]);
const schemas = new Map<string, z.ZodType | undefined>();

/** Facts of a record (attacker-controlled) that have a place in an event, in our own names or in others'. */
export function spelledFacts(record: JsonObject): SpelledFacts {
  const members = flatMembers(record);
  const facts = new Map<string, unknown>();
  const read = new Set<string>();
  takeCanonical(record, facts, read);
  takeSpelled(members, facts, read);
  complete(record, facts);
  return { facts, rest: inOneSpelling(without(record, read)) };
}

/** Top-level names as the collectors' tables spell them; what is inside payloads stays as it is. */
function inOneSpelling(record: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => {
      const spelling = spellingOf([name]);
      return [spelling in record || !/[A-Z]/.test(name) ? name : spelling, value];
    }),
  );
}

function takeCanonical(record: JsonObject, facts: Map<string, unknown>, read: Set<string>): void {
  for (const name of CANONICAL) {
    const member = record[name];
    if (!isObject(member) && !Array.isArray(member)) continue;
    takePart(name, member, facts, read, [name]);
  }
}

/** The whole member where it is valid, else its members one by one. */
function takePart(
  place: string,
  value: unknown,
  facts: Map<string, unknown>,
  read: Set<string>,
  path: readonly string[],
): void {
  const schema = schemaAt(place);
  if (schema === undefined) return;
  if (schema instanceof z.ZodObject && isObject(value)) {
    for (const [key, part] of Object.entries(value))
      takePart(`${place}.${key}`, part, facts, read, [...path, key]);
    return;
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) return;
  facts.set(place, redacted(parsed.data));
  if (!ALSO_LEFT.has(path[0] ?? '')) read.add(JSON.stringify(path));
}

function takeSpelled(members: FlatMembers, facts: Map<string, unknown>, read: Set<string>): void {
  const found: (Target & { readonly member: FlatMember })[] = [];
  for (const [spelling, member] of members)
    for (const target of SPELLED.get(spelling) ?? []) found.push({ ...target, member });
  found.sort((a, b) => a.rank - b.rank);
  for (const { place, member } of found) {
    if (facts.has(place) || read.has(JSON.stringify(member.path))) continue;
    const value = valueFor(place, member);
    if (value === undefined) continue;
    facts.set(place, value);
    read.add(JSON.stringify(member.path));
  }
}

/** What a part of an event cannot be without, from what else the record says. */
function complete(record: JsonObject, facts: Map<string, unknown>): void {
  const has = (part: string) => [...facts.keys()].some((place) => place.startsWith(`${part}.`));
  const named = (...names: readonly string[]) =>
    names.map((name) => record[name]).find((value) => typeof value === 'string' && value !== '') ?? 'unknown';
  if (has('health') && !facts.has('health.component'))
    facts.set('health.component', redacted(named('component', 'server', 'service', 'tool')));
  if (!has('change')) return;
  if (!facts.has('change.item')) facts.set('change.item', redacted(named('item', 'tool', 'server', 'name')));
  if (!facts.has('change.item_type'))
    facts.set('change.item_type', 'tool' in record ? 'tool' : 'server' in record ? 'server' : 'config');
}

const SIGNATURES: Readonly<Record<string, string>> = {
  true: 'verified',
  valid: 'verified',
  ok: 'verified',
  signed: 'verified',
  false: 'unsigned',
  none: 'unsigned',
  missing: 'unsigned',
  absent: 'unsigned',
  invalid: 'bad',
  failed: 'bad',
  mismatch: 'bad',
};
const HEALTH: Readonly<Record<string, string>> = {
  healthy: 'ok',
  up: 'ok',
  pass: 'ok',
  true: 'ok',
  unhealthy: 'failing',
  fail: 'failing',
  failed: 'failing',
  error: 'failing',
  warn: 'degraded',
  false: 'down',
  dead: 'down',
};
const TRANSPORTS: Readonly<Record<string, string>> = {
  pipe: 'stdio',
  local: 'stdio',
  https: 'http',
  streamable_http: 'http',
};

/** A spelled value in the form its place has; `undefined` when it is none. */
function valueFor(place: string, { value, path }: FlatMember): unknown {
  const schema = schemaAt(place);
  if (schema === undefined) return undefined;
  for (const candidate of formsOf(place, value, spellingOf(path))) {
    const parsed = schema.safeParse(candidate);
    if (parsed.success) return redacted(parsed.data);
  }
  return undefined;
}

function* formsOf(place: string, value: unknown, spelling: string): Generator {
  const word = typeof value === 'string' || typeof value === 'boolean' ? String(value).toLowerCase() : '';
  if (place === 'policy.decision') {
    const decision = typeof value === 'string' || typeof value === 'boolean' ? decisionOf(value) : undefined;
    if (decision !== 'unknown') yield decision;
    return;
  }
  if (place === 'supply_chain.signature' && Object.hasOwn(SIGNATURES, word)) yield SIGNATURES[word];
  if (place === 'health.status' && Object.hasOwn(HEALTH, word)) yield HEALTH[word];
  if (place === 'mcp.transport' && Object.hasOwn(TRANSPORTS, word)) yield TRANSPORTS[word];
  if (place === 'mcp.transport') yield word;
  if (place === 'tool.definition_digest' && typeof value === 'string' && !/^[0-9a-f]{64}$/.test(value))
    yield createHash('sha256').update(value).digest('hex');
  if (Array.isArray(value) && place.endsWith('count')) yield value.length;
  if (place === 'scope.grants' && typeof value === 'string')
    yield value.split(/[\s,]+/).filter((grant) => grant !== '');
  yield value;
  if (typeof value === 'string' && /^\d{1,15}(?:\.\d+)?$/.test(value)) yield Number(value);
  if (typeof value === 'number') {
    if (place === 'scope.age_sec' && spelling.endsWith('_days')) yield value * 86_400;
    yield Math.trunc(value);
    yield String(value);
  }
  if (typeof value === 'boolean') yield String(value);
}

/** Free text of a record is believed no more than what comes over the network. */
function redacted(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value).text.slice(0, Math.max(value.length, 64));
  return value;
}

/** Schema of a place in an event, without `optional`. */
function schemaAt(place: string): z.ZodType | undefined {
  if (schemas.has(place)) return schemas.get(place);
  let schema: z.ZodType | undefined = eventSchema;
  for (const part of place.split('.')) {
    schema =
      schema instanceof z.ZodObject && Object.hasOwn(schema.shape, part)
        ? (schema.shape as Record<string, z.ZodType>)[part]
        : undefined;
    while (schema instanceof z.ZodOptional) schema = schema.unwrap() as z.ZodType;
  }
  if (schemas.size < 4096) schemas.set(place, schema);
  return schema;
}

/** The record without the members at these paths. */
function without(record: JsonObject, paths: ReadonlySet<string>, above: readonly string[] = []): JsonObject {
  const kept: [string, unknown][] = [];
  for (const [key, value] of Object.entries(record)) {
    const path = [...above, key];
    if (paths.has(JSON.stringify(path))) continue;
    if (!isObject(value) || path.length >= 4) kept.push([key, value]);
    else {
      const inner = without(value, paths, path);
      if (Object.keys(inner).length > 0) kept.push([key, inner]);
    }
  }
  return Object.fromEntries(kept);
}

/** The event with the facts in their places. */
export function withFacts(event: CustodyEvent, facts: ReadonlyMap<string, unknown>): CustodyEvent {
  if (facts.size === 0) return event;
  const whole: Record<string, unknown> = { ...event };
  for (const [place, value] of facts) {
    let at = whole;
    const parts = place.split('.');
    for (const part of parts.slice(0, -1)) at = at[part] = { ...(isObject(at[part]) ? at[part] : {}) };
    at[parts.at(-1) ?? place] = value;
  }
  return whole as CustodyEvent;
}
