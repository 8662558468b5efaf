import { isCidr } from '../cel-functions.ts';
import { type SigmaField, sigmaField } from './fields.ts';
import { globOf, literalOf, parsePattern, type PatternPart } from './pattern.ts';
import { regexOf } from './regex.ts';
import { celString, SigmaError } from './sigma-error.ts';

const operators = [
  'contains',
  'startswith',
  'endswith',
  're',
  'cidr',
  'exists',
  'lt',
  'lte',
  'gt',
  'gte',
] as const;
type Operator = (typeof operators)[number];
const comparisons: Readonly<Partial<Record<Operator, string>>> = { lt: '<', lte: '<=', gt: '>', gte: '>=' };

interface Modifiers {
  readonly operator: Operator | undefined;
  readonly all: boolean;
  readonly cased: boolean;
  readonly ignoreCase: boolean;
  readonly base64: boolean;
  readonly neq: boolean;
}

/** `field|modifier: values` as CEL; false where the field is absent, as in Sigma. */
export function fieldTest(key: string, value: unknown, path: string): string {
  const [name = '', ...names] = key.split('|');
  const modifiers = modifiersOf(names, path);
  const field = sigmaField(name, path);
  if (modifiers.operator === 'exists') {
    if (names.length > 1) throw new SigmaError(path, 'exists goes with no other modifier');
    if (typeof value !== 'boolean') throw new SigmaError(path, 'exists takes true or false');
    return value ? field.present : `!${field.present}`;
  }
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) throw new SigmaError(path, 'there is no value');
  if (modifiers.all && values.length < 2) throw new SigmaError(path, 'all needs a list of values');
  const isNull = values.includes(null);
  if (isNull && modifiers.operator !== undefined) throw new SigmaError(path, 'null takes no modifier');
  const tests = valueTests(
    field,
    values.filter((each) => each !== null),
    modifiers,
    path,
  );
  const present = tests === '' ? '' : `(${field.present} && ${tests})`;
  const absent = isNull ? `!${field.present}` : '';
  const joined = [absent, present].filter((test) => test !== '').join(modifiers.all ? ' && ' : ' || ');
  const whole = isNull && tests !== '' ? `(${joined})` : joined;
  return modifiers.neq ? `!${whole}` : whole;
}

/** Tests of the values of a field that is there, joined by or, or by and. */
function valueTests(
  field: SigmaField,
  values: readonly unknown[],
  modifiers: Modifiers,
  path: string,
): string {
  const join = (tests: readonly string[]) =>
    tests.length < 2 ? (tests[0] ?? '') : `(${tests.join(modifiers.all ? ' && ' : ' || ')})`;
  const test = (subject: string, type: SigmaField['type'], value: unknown) =>
    scalarTest(subject, type, value, modifiers, path);
  if (values.length === 0) return '';
  switch (field.type) {
    case 'list':
    case 'keys': {
      const element = (value: unknown) => test('x', 'string', value);
      if (modifiers.all) return join(values.map((value) => `${field.cel}.exists(x, ${element(value)})`));
      return `${field.cel}.exists(x, ${join(values.map(element))})`;
    }
    case 'any':
      return join(values.map((value) => attributeTest(field.cel, value, modifiers, path)));
    default:
      return join(values.map((value) => test(field.cel, field.type, value)));
  }
}

/** An attribute may be text, a number or a boolean; Sigma compares all of them as text, and as numbers what looks like one. */
function attributeTest(cel: string, value: unknown, modifiers: Modifiers, path: string): string {
  const text = `string(${cel})`;
  if (modifiers.operator === undefined || comparisons[modifiers.operator] === undefined)
    return scalarTest(text, 'string', value, modifiers, path);
  const number = scalarTest(`double(${text})`, 'number', value, modifiers, path);
  return `(${text}.matches("^-?[0-9]{1,15}(?:[.][0-9]{1,15})?$") && ${number})`;
}

function modifiersOf(names: readonly string[], path: string): Modifiers {
  const found = names.filter((name): name is Operator => operators.some((operator) => operator === name));
  const others = names.filter((name) => !found.some((operator) => operator === name));
  const known = ['all', 'cased', 'i', 'base64', 'neq'];
  const unknown = others.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new SigmaError(path, `the modifier ${unknown} is not supported`);
  if (found.length > 1) throw new SigmaError(path, `the modifiers ${found.join(' and ')} exclude each other`);
  const [operator] = found;
  const has = (name: string) => others.includes(name);
  if (has('i') && operator !== 're') throw new SigmaError(path, 'the modifier i belongs to re');
  if (has('base64') && operator !== undefined && !['contains', 'startswith', 'endswith'].includes(operator))
    throw new SigmaError(path, `base64 does not go with ${operator}`);
  return {
    operator,
    all: has('all'),
    cased: has('cased'),
    ignoreCase: has('i'),
    base64: has('base64'),
    neq: has('neq'),
  };
}

function scalarTest(
  subject: string,
  type: SigmaField['type'],
  value: unknown,
  modifiers: Modifiers,
  path: string,
): string {
  const { operator } = modifiers;
  const comparison = operator && comparisons[operator];
  if (modifiers.base64 && type !== 'string') throw new SigmaError(path, 'base64 is for text');
  if (type === 'number') {
    const number = typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(number))
      throw new SigmaError(path, 'the field is a number, and this is none');
    if (operator !== undefined && comparison === undefined)
      throw new SigmaError(path, `${operator} is for text, and the field is a number`);
    return `${subject} ${comparison ?? '=='} ${number}`;
  }
  if (comparison !== undefined)
    throw new SigmaError(path, `${operator ?? ''} is for numbers, and the field is text`);
  if (type === 'bool') {
    const flag = String(value).toLowerCase();
    if ((flag !== 'true' && flag !== 'false') || operator !== undefined)
      throw new SigmaError(path, 'the field is true or false');
    return `${subject} == ${flag}`;
  }
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
    throw new SigmaError(path, 'a value is text, a number, true, false or null');
  return textTest(subject, String(value), modifiers, path);
}

function textTest(subject: string, value: string, modifiers: Modifiers, path: string): string {
  switch (modifiers.operator) {
    case 're':
      return `${subject}.matches(${celString(regexOf(value, modifiers.ignoreCase, path))})`;
    case 'cidr':
      if (!isCidr(value)) throw new SigmaError(path, 'cidr takes a block such as 10.0.0.0/8');
      return `${subject}.inCidr(${celString(value)})`;
    default:
      return patternTest(subject, value, modifiers, path);
  }
}

/** Text with wildcards, whole or in part; case is ignored unless `cased`. */
function patternTest(
  subject: string,
  value: string,
  { operator, cased, base64 }: Modifiers,
  path: string,
): string {
  const parts = base64 ? base64Of(value, path) : parsePattern(value);
  const literal = literalOf(parts);
  if (literal === undefined) {
    if (cased) throw new SigmaError(path, 'cased does not go with wildcards');
    const open = { wildcard: '*' } as const;
    const before = operator === 'contains' || operator === 'endswith' ? [open] : [];
    const after = operator === 'contains' || operator === 'startswith' ? [open] : [];
    return `${subject}.glob(${celString(globOf([...before, ...parts, ...after]))})`;
  }
  const text = celString(cased || base64 ? literal : literal.toLowerCase());
  const own = cased || base64 ? subject : `${subject}.lowerAscii()`;
  switch (operator) {
    case 'contains':
      return `${own}.contains(${text})`;
    case 'startswith':
      return `${own}.startsWith(${text})`;
    case 'endswith':
      return `${own}.endsWith(${text})`;
    default:
      return `${own} == ${text}`;
  }
}

function base64Of(value: string, path: string): readonly PatternPart[] {
  const literal = literalOf(parsePattern(value));
  if (literal === undefined) throw new SigmaError(path, 'base64 does not go with wildcards');
  return [{ literal: Buffer.from(literal, 'utf8').toString('base64') }];
}
