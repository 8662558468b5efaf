import type { Attributes, AttributeValue } from '../otlp/model.ts';
import type { Dialect, NameRule } from './dialect.ts';
import { agentgateway } from './dialects/agentgateway.ts';
import { audit } from './dialects/audit.ts';
import { claudeCode } from './dialects/claude-code.ts';
import { codex } from './dialects/codex.ts';
import { contextforge } from './dialects/contextforge.ts';
import { custody } from './dialects/custody.ts';
import { docker } from './dialects/docker.ts';
import { fastmcp } from './dialects/fastmcp.ts';
import { geminiCli } from './dialects/gemini-cli.ts';
import { langfuse } from './dialects/langfuse.ts';
import { openinference } from './dialects/openinference.ts';
import { openllmetry } from './dialects/openllmetry.ts';
import { otelSemconv } from './dialects/otel-semconv.ts';
import { sentry } from './dialects/sentry.ts';
import { F, FIELD_COUNT, type Field } from './fields.ts';

/** Most telling first: a record that several recognise is in the first one's dialect. */
const DIALECTS: readonly Dialect[] = [
  claudeCode,
  geminiCli,
  codex,
  fastmcp,
  sentry,
  contextforge,
  agentgateway,
  docker,
  langfuse,
  openinference,
  openllmetry,
  custody,
  otelSemconv,
  audit,
];
/** Order in which other dialects' names are understood after the record's own. */
const FALLBACK: readonly Dialect[] = [
  otelSemconv,
  custody,
  ...DIALECTS.filter((d) => d !== otelSemconv && d !== custody),
];

/** Stands for a record no dialect recognises: every shared name is still read. */
const UNRECOGNISED: Dialect = { id: 'generic', recognise: {}, fields: {} };
const ALL: readonly Dialect[] = [...DIALECTS, UNRECOGNISED];
const UNRECOGNISED_INDEX = DIALECTS.length;

/** Where an attribute's value goes in one dialect: the lowest rank among the present ones wins. */
interface Target {
  readonly field: number;
  readonly rank: number;
}

interface AttributeRule {
  /** Index of the dialect whose presence this attribute tells, or -1. */
  readonly tells: number;
  /** By dialect index. */
  readonly targets: readonly (Target | undefined)[];
}

export interface CompiledNames {
  readonly exact: ReadonlyMap<string, NameRule>;
  readonly affix: readonly NameRule[];
}

interface Tables {
  readonly rules: ReadonlyMap<string, AttributeRule>;
  readonly names: ReadonlyMap<string, number>;
  readonly namePrefixes: readonly (readonly [string, number])[];
  readonly scopes: readonly (readonly [string, number])[];
  readonly services: ReadonlyMap<string, number>;
  readonly nameRules: readonly CompiledNames[];
}

/** Fields an event tells only a part of: the attribute stays, redacted, beside what is read from it. */
const ALSO_KEPT: ReadonlySet<number> = new Set([F.url, F.httpMethod, F.status]);
const FALLBACK_RANK = 1000;
let compiled: Tables | undefined;

/** A record's values by canonical field, and what no table knows. */
export interface ReadFields {
  readonly dialect: Dialect;
  readonly names: CompiledNames;
  /** By the numbers in `F`; absent and empty values are undefined. */
  readonly values: readonly (AttributeValue | undefined)[];
  /** Attributes without a place, in the order received. */
  readonly unknown: readonly (readonly [string, AttributeValue])[];
  /** Payloads that lost to another attribute with the same meaning, and are not kept. */
  readonly duplicatePayloads: number;
}

export interface Recognisable {
  readonly name: string | undefined;
  readonly scopeName: string | undefined;
  readonly service: string | undefined;
  readonly attributes: Attributes;
  /** Read in this dialect whatever the record looks like. */
  readonly dialectId?: string;
}

/** Sorts a record's attributes (attacker-controlled) into canonical fields by the tables; one lookup per attribute. */
export function readFields(record: Recognisable): ReadFields {
  const tables = (compiled ??= compile());
  const rules: (AttributeRule | undefined)[] = [];
  let index = recogniseByName(record, tables);
  const forced = record.dialectId === undefined ? -1 : ALL.findIndex(({ id }) => id === record.dialectId);
  for (const key of record.attributes.keys()) {
    const rule = tables.rules.get(key);
    rules.push(rule);
    if (rule !== undefined && rule.tells < index) index = rule.tells;
  }
  if (forced !== -1) index = forced;
  return sortValues(record.attributes, rules, index, tables);
}

function sortValues(
  attributes: Attributes,
  rules: readonly (AttributeRule | undefined)[],
  index: number,
  tables: Tables,
): ReadFields {
  const dialect = ALL[index] ?? UNRECOGNISED;
  const values = new Array<AttributeValue | undefined>(FIELD_COUNT).fill(undefined);
  const ranks = new Array<number>(FIELD_COUNT).fill(0);
  const keys = new Array<string>(FIELD_COUNT).fill('');
  const unknown: [string, AttributeValue][] = [];
  let duplicatePayloads = 0;
  let spread: Map<string, AttributeValue> | undefined;
  let position = 0;
  for (const [key, value] of attributes) {
    const target = rules[position++]?.targets[index];
    if (value === '' || value === null) continue;
    if (target === undefined) {
      if (dialect.argumentPrefix !== undefined && key.startsWith(dialect.argumentPrefix))
        (spread ??= new Map()).set(key.slice(dialect.argumentPrefix.length), unquoted(value));
      else unknown.push([key, value]);
      continue;
    }
    const { field, rank } = target;
    if (ALSO_KEPT.has(field)) unknown.push([key, value]);
    const present = values[field];
    if (present === undefined || rank < (ranks[field] ?? 0)) {
      values[field] = value;
      ranks[field] = rank;
      const displaced = keys[field] ?? '';
      keys[field] = key;
      if (present === undefined || present === value || ALSO_KEPT.has(field)) continue;
      if (isPayload(field)) duplicatePayloads++;
      else if (field !== F.ignored) unknown.push([displaced, present]);
    } else if (isPayload(field)) duplicatePayloads++;
    else if (present !== value && field !== F.ignored && !ALSO_KEPT.has(field)) unknown.push([key, value]);
  }
  if (spread !== undefined) values[F.arguments] ??= spread;
  return {
    dialect,
    names: tables.nameRules[index] ?? { exact: new Map(), affix: [] },
    values,
    unknown,
    duplicatePayloads,
  };
}

/** A single argument written as JSON text, as the value it denotes where that is a scalar. */
function unquoted(value: AttributeValue): AttributeValue {
  if (typeof value !== 'string' || !/^(?:".*"|-?\d+(?:\.\d+)?|true|false)$/s.test(value)) return value;
  try {
    return JSON.parse(value) as string | number | boolean;
  } catch {
    return value;
  }
}

function isPayload(field: number): boolean {
  return field === F.arguments || field === F.result;
}

function recogniseByName(record: Recognisable, tables: Tables): number {
  let index = UNRECOGNISED_INDEX;
  const { name, scopeName, service } = record;
  if (name !== undefined) {
    index = tables.names.get(name) ?? index;
    for (const [prefix, dialect] of tables.namePrefixes)
      if (dialect < index && name.startsWith(prefix)) index = dialect;
  }
  if (scopeName !== undefined)
    for (const [prefix, dialect] of tables.scopes)
      if (dialect < index && scopeName.startsWith(prefix)) index = dialect;
  if (service !== undefined) index = Math.min(index, tables.services.get(service) ?? index);
  return index;
}

function compile(): Tables {
  const tells = new Map<string, number>();
  const targets = new Map<string, (Target | undefined)[]>();
  for (const [index, dialect] of ALL.entries()) {
    for (const name of dialect.recognise.attributes ?? []) if (!tells.has(name)) tells.set(name, index);
    place(targets, index, dialect.localFields ?? {}, 0);
    place(targets, index, dialect.fields, FALLBACK_RANK);
    for (const [order, other] of FALLBACK.entries())
      if (other !== dialect) place(targets, index, other.fields, FALLBACK_RANK * (order + 2));
  }
  const rules = new Map<string, AttributeRule>();
  for (const name of new Set([...tells.keys(), ...targets.keys()]))
    rules.set(name, { tells: tells.get(name) ?? UNRECOGNISED_INDEX, targets: targets.get(name) ?? [] });
  const pairs = (pick: (dialect: Dialect) => readonly string[] | undefined) =>
    ALL.flatMap((dialect, index) => (pick(dialect) ?? []).map((text) => [text, index] as const));
  return {
    rules,
    names: new Map(pairs(({ recognise }) => recognise.names)),
    namePrefixes: pairs(({ recognise }) => recognise.namePrefixes),
    scopes: pairs(({ recognise }) => recognise.scopes),
    services: new Map(pairs(({ recognise }) => recognise.services)),
    nameRules: ALL.map((dialect) => compileNames([dialect, custody, otelSemconv])),
  };
}

/** An attribute keeps the first place it is given in a dialect. */
function place(
  targets: Map<string, (Target | undefined)[]>,
  dialect: number,
  fields: Dialect['fields'],
  baseRank: number,
): void {
  for (const [field, names] of Object.entries(fields) as [Field, readonly string[]][])
    for (const [order, name] of names.entries()) {
      const byDialect = targets.get(name) ?? new Array<Target | undefined>(ALL.length).fill(undefined);
      targets.set(name, byDialect);
      byDialect[dialect] ??= { field: F[field], rank: baseRank + order };
    }
}

function compileNames(dialects: readonly Dialect[]): CompiledNames {
  const rules = dialects.flatMap((dialect) => dialect.names ?? []);
  const exact = new Map<string, NameRule>();
  for (const rule of rules) if (rule.match === undefined && !exact.has(rule.name)) exact.set(rule.name, rule);
  return { exact, affix: rules.filter((rule) => rule.match === 'prefix' || rule.match === 'suffix') };
}

/** The rule for this span or log name, and what of the name the rule leaves. */
export function findNameRule(
  name: string | undefined,
  names: CompiledNames,
): { readonly rule: NameRule; readonly rest: string } | undefined {
  if (name === undefined) return undefined;
  const exact = names.exact.get(name);
  if (exact !== undefined) return { rule: exact, rest: '' };
  for (const rule of names.affix) {
    if (rule.match === 'prefix' && name.startsWith(rule.name))
      return { rule, rest: name.slice(rule.name.length) };
    if (rule.match === 'suffix' && name.endsWith(rule.name))
      return { rule, rest: name.slice(0, name.length - rule.name.length) };
  }
  return undefined;
}
