import { isObject, type JsonObject } from '../../../schemas/json-object.ts';
import { fieldTest } from './field-test.ts';
import { SigmaError } from './sigma-error.ts';

/** The `detection` of a Sigma rule as one CEL condition. @throws SigmaError that names the place. */
export function detectionCondition(detection: unknown): string {
  if (!isObject(detection)) throw new SigmaError('detection', 'it must be a mapping');
  const { condition, timeframe, ...searches } = detection;
  if (timeframe !== undefined)
    throw new SigmaError('detection.timeframe', 'use a correlation rule with a timespan');
  const texts: readonly unknown[] = Array.isArray(condition) ? condition : [condition];
  if (texts.length === 0) throw new SigmaError('detection.condition', 'it is missing');
  const used = new Set<string>();
  const conditions = texts.map((text) => {
    if (typeof text !== 'string') throw new SigmaError('detection.condition', 'it must be text');
    return parseCondition(text, searches, used);
  });
  const unused = Object.keys(searches).find((name) => !used.has(name));
  if (unused !== undefined) throw new SigmaError(`detection.${unused}`, 'no condition uses it');
  return conditions.length === 1 ? (conditions[0] ?? '') : conditions.map((text) => `(${text})`).join(' || ');
}

/** A search: fields joined by and; a list of them by or. */
function searchCondition(name: string, search: unknown): string {
  const path = `detection.${name}`;
  if (Array.isArray(search)) {
    if (search.length === 0) throw new SigmaError(path, 'it is empty');
    return `(${search.map((each: unknown, index) => mapCondition(each, `${path}.${index}`)).join(' || ')})`;
  }
  return mapCondition(search, path);
}

function mapCondition(search: unknown, path: string): string {
  if (!isObject(search))
    throw new SigmaError(path, 'keywords without a field are not supported: an event is no text');
  const tests = Object.entries(search).map(([key, value]) => {
    if (key === '' || key.startsWith('|')) throw new SigmaError(`${path}.${key}`, 'there is no field');
    return fieldTest(key, value, `${path}.${key}`);
  });
  if (tests.length === 0) throw new SigmaError(path, 'it is empty');
  return tests.length === 1 ? (tests[0] ?? '') : `(${tests.join(' && ')})`;
}

interface Reader {
  readonly words: readonly string[];
  at: number;
  readonly searches: JsonObject;
  readonly used: Set<string>;
}

const conditionPath = 'detection.condition';
const depthMax = 32;

/** `selection and not 1 of filter_*`: not binds closest, then and, then or. */
function parseCondition(text: string, searches: JsonObject, used: Set<string>): string {
  if (text.includes('|'))
    throw new SigmaError(conditionPath, 'aggregations are deprecated: use a correlation rule');
  const words = text.match(/[()]|[^\s()]+/g) ?? [];
  const reader: Reader = { words, at: 0, searches, used };
  const cel = orOf(reader, 0);
  const rest = reader.words[reader.at];
  if (rest !== undefined) throw new SigmaError(conditionPath, `${rest.slice(0, 64)} is not expected here`);
  return cel;
}

function orOf(reader: Reader, depth: number): string {
  const parts = [andOf(reader, depth)];
  while (takes(reader, 'or')) parts.push(andOf(reader, depth));
  return parts.length === 1 ? (parts[0] ?? '') : `(${parts.join(' || ')})`;
}

function andOf(reader: Reader, depth: number): string {
  const parts = [notOf(reader, depth)];
  while (takes(reader, 'and')) parts.push(notOf(reader, depth));
  return parts.length === 1 ? (parts[0] ?? '') : `(${parts.join(' && ')})`;
}

function notOf(reader: Reader, depth: number): string {
  if (depth > depthMax) throw new SigmaError(conditionPath, 'it is nested too deeply');
  if (takes(reader, 'not')) return `!(${notOf(reader, depth + 1)})`;
  if (takes(reader, '(')) {
    const inside = orOf(reader, depth + 1);
    if (!takes(reader, ')')) throw new SigmaError(conditionPath, 'a parenthesis is not closed');
    return inside;
  }
  return nameOf(reader);
}

function nameOf(reader: Reader): string {
  const word = reader.words[reader.at];
  if (word === undefined) throw new SigmaError(conditionPath, 'it ends too early');
  reader.at += 1;
  if (reader.words[reader.at]?.toLowerCase() === 'of') return quantified(word, reader);
  return searchNamed(word, reader);
}

function quantified(word: string, reader: Reader): string {
  const quantifier = word.toLowerCase();
  if (quantifier !== '1' && quantifier !== 'any' && quantifier !== 'all')
    throw new SigmaError(conditionPath, `${word.slice(0, 64)} of: only 1 of, any of and all of are known`);
  reader.at += 1;
  const pattern = reader.words[reader.at];
  if (pattern === undefined) throw new SigmaError(conditionPath, `${word} of: the names are missing`);
  reader.at += 1;
  const names = Object.keys(reader.searches).filter((name) => isMeant(name, pattern));
  if (names.length === 0) throw new SigmaError(conditionPath, `no search is called ${pattern.slice(0, 64)}`);
  const parts = names.map((name) => searchNamed(name, reader));
  return parts.length === 1 ? (parts[0] ?? '') : `(${parts.join(quantifier === 'all' ? ' && ' : ' || ')})`;
}

/** `them` means all but those that begin with an underscore. */
function isMeant(name: string, pattern: string): boolean {
  if (pattern.toLowerCase() === 'them') return !name.startsWith('_');
  const [head = '', ...tails] = pattern.split('*');
  if (tails.length === 0) return name === pattern;
  if (!name.startsWith(head)) return false;
  let at = head.length;
  for (const [index, tail] of tails.entries()) {
    if (index === tails.length - 1) return name.length - tail.length >= at && name.endsWith(tail);
    const found = name.indexOf(tail, at);
    if (found < 0) return false;
    at = found + tail.length;
  }
  return true;
}

function searchNamed(name: string, { searches, used }: Reader): string {
  if (!Object.hasOwn(searches, name))
    throw new SigmaError(conditionPath, `there is no search ${name.slice(0, 64)}`);
  used.add(name);
  return searchCondition(name, searches[name]);
}

function takes(reader: Reader, word: string): boolean {
  if (reader.words[reader.at]?.toLowerCase() !== word) return false;
  reader.at += 1;
  return true;
}
