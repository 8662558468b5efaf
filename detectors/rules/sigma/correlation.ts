import { durationMs } from '../../../schemas/rule.ts';
import { isObject, type JsonObject } from '../../../schemas/json-object.ts';
import { sigmaField } from './fields.ts';
import { type SigmaRule } from './import-rule.ts';
import { SigmaError } from './sigma-error.ts';

/** The parts of a rule of ours that a Sigma correlation makes. */
export interface CorrelationParts {
  readonly match?: { readonly kinds: readonly string[]; readonly condition: string };
  readonly group_by: readonly string[];
  readonly correlation: Readonly<Record<string, unknown>>;
}

/** @throws SigmaError that names what is not supported. */
export function readCorrelation(
  correlation: unknown,
  ruleNamed: (name: string) => SigmaRule | undefined,
): CorrelationParts {
  if (!isObject(correlation)) throw new SigmaError('correlation', 'it must be a mapping');
  const { type, rules, 'group-by': groupBy, timespan, condition, ...others } = correlation;
  const other = Object.keys(others).find((key) => key !== 'generate');
  if (other !== undefined) throw new SigmaError(`correlation.${other}`, 'it is not supported');
  const uses = namesOf(rules, 'correlation.rules');
  const parts = uses.map((name) => {
    const rule = ruleNamed(name);
    if (rule === undefined)
      throw new SigmaError('correlation.rules', `there is no rule ${name.slice(0, 128)} in these files`);
    return rule;
  });
  const shared = {
    group_by: groupBy === undefined ? [] : namesOf(groupBy, 'correlation.group-by').map(groupCel),
  };
  const within = withinOf(timespan);
  switch (type) {
    case 'event_count': {
      const { count, field } = countOf(condition);
      if (field !== undefined)
        throw new SigmaError('correlation.condition.field', 'event_count counts no field');
      return { ...shared, match: anyOf(parts), correlation: { type: 'threshold', count, within } };
    }
    case 'value_count': {
      const { count, field } = countOf(condition);
      if (typeof field !== 'string')
        throw new SigmaError('correlation.condition.field', 'it must be one field');
      const { cel: value } = scalarField(field, 'correlation.condition.field');
      return { ...shared, match: anyOf(parts), correlation: { type: 'value_count', value, count, within } };
    }
    case 'temporal':
    case 'temporal_ordered':
      return {
        ...shared,
        correlation: sequenceOf(parts, uses, within, type === 'temporal_ordered', condition),
      };
    default:
      throw new SigmaError(
        'correlation.type',
        'only event_count, value_count, temporal and temporal_ordered are known',
      );
  }
}

function sequenceOf(
  parts: readonly SigmaRule[],
  uses: readonly string[],
  within: string,
  ordered: boolean,
  condition: unknown,
): Readonly<Record<string, unknown>> {
  if (condition !== undefined && !meansAll(condition, uses, ordered))
    throw new SigmaError('correlation.condition', 'a temporal correlation needs all of its rules');
  if (parts.length < 2 || parts.length > 8)
    throw new SigmaError('correlation.rules', 'a temporal correlation has 2 to 8 rules');
  const steps = parts.map(({ kinds, condition: step }, index) => ({
    name: (uses[index] ?? '').slice(0, 64),
    kinds,
    condition: step,
  }));
  return { type: 'sequence', ordered, within, steps };
}

/** Conditions that say what is so without one: as many kinds of events as there are rules, or their names joined by and. */
function meansAll(condition: unknown, uses: readonly string[], ordered: boolean): boolean {
  if (typeof condition === 'string') {
    const names = condition.trim().split(/\s+and\s+/i);
    const said = ordered ? names : [...names].sort();
    const used = ordered ? uses : [...uses].sort();
    return said.length === used.length && said.every((name, index) => name === used[index]);
  }
  if (!isObject(condition) || Object.keys(condition).length !== 1) return false;
  const { gte, eq, gt } = condition;
  return gte === uses.length || eq === uses.length || gt === uses.length - 1;
}

/** An event that any of the rules is about. */
function anyOf(parts: readonly SigmaRule[]): { kinds: readonly string[]; condition: string } {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return { kinds: only.kinds, condition: only.condition };
  const kinds = [...new Set(parts.flatMap((part) => part.kinds))];
  const conditions = parts.map((part) => {
    const own = part.kinds.map((kind) => `"${kind}"`).join(', ');
    return part.kinds.length === kinds.length
      ? `(${part.condition})`
      : `(event.kind in [${own}] && ${part.condition})`;
  });
  return { kinds, condition: conditions.join(' || ') };
}

function countOf(condition: unknown): { readonly count: number; readonly field: unknown } {
  if (!isObject(condition)) throw new SigmaError('correlation.condition', 'it must be a mapping');
  const { field, ...operators } = condition;
  const entries = Object.entries(operators);
  const [operator, value] = entries[0] ?? [];
  if (entries.length !== 1 || (operator !== 'gte' && operator !== 'gt'))
    throw new SigmaError(
      'correlation.condition',
      'only one of gte and gt is supported: what never ends is never told',
    );
  if (typeof value !== 'number' || !Number.isSafeInteger(value))
    throw new SigmaError(`correlation.condition.${operator}`, 'it must be a whole number');
  const count = operator === 'gte' ? value : value + 1;
  if (count < 2 || count > 1000)
    throw new SigmaError(`correlation.condition.${operator}`, 'a count is from 2 to 1000');
  return { count, field };
}

function withinOf(timespan: unknown): string {
  const [, count = '', unit = ''] =
    (typeof timespan === 'string' && /^([1-9]\d{0,6})([smhdw])$/.exec(timespan)) || [];
  const text = unit === 'w' ? `${Number(count) * 7}d` : `${count}${unit}`;
  if (count === '' || durationMs(text) > durationMs('7d'))
    throw new SigmaError('correlation.timespan', 'it must be such as 30s, 5m, 2h or 7d, and at most 7d');
  return text;
}

function groupCel(name: string, index: number): string {
  return scalarField(name, `correlation.group-by.${index}`).cel;
}

function scalarField(name: string, path: string): { readonly cel: string } {
  const field = sigmaField(name, path);
  if (field.type === 'list' || field.type === 'keys')
    throw new SigmaError(path, `the field ${name} has several values`);
  return field;
}

function namesOf(value: unknown, path: string): string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.map((each) => {
    if (typeof each !== 'string' || each === '') throw new SigmaError(path, 'it must be a list of names');
    return each;
  });
}

/** Whether the rules that a correlation uses raise alerts of their own besides; said beside the correlation, or in it. */
export function generates(document: JsonObject): boolean {
  const { correlation, generate: beside } = document;
  const inside = isObject(correlation) ? correlation['generate'] : undefined;
  return [isYes(beside, 'generate'), isYes(inside, 'correlation.generate')].includes(true);
}

function isYes(value: unknown, path: string): boolean {
  if (value !== undefined && typeof value !== 'boolean')
    throw new SigmaError(path, 'it must be true or false');
  return value === true;
}
