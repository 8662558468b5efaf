import type { ArgumentType } from '../schemas/event/payload.ts';
import type { CallFacts, Finding } from './detector.ts';

import { contentReferences } from './references-content.ts';
import { bytesText, shown } from './wording.ts';

const references = contentReferences['unusual-parameters'];

export interface KeyFacts {
  readonly severity: Finding['severity'];
  readonly calls: number;
  readonly sessions: number;
  /** Whether the tool's schema has them all; `undefined`: no schema was seen. */
  readonly declared: boolean | undefined;
}

/** Arguments a tool was never called with. */
export function describeKey(call: CallFacts, keys: readonly string[], facts: KeyFacts): Finding {
  const names = keys
    .slice(0, 5)
    .map((key) => shown(key, 40))
    .join(', ');
  const more = keys.length > 5 ? ` and ${keys.length - 5} more` : '';
  const observed = `${shown(call.toolKey)} was called with ${names}${more}${schemaText(facts.declared)}`;
  const normal = `none of ${facts.calls} calls in ${facts.sessions} sessions had ${keys.length === 1 ? 'this argument' : 'these arguments'}`;
  return {
    title: 'Argument never used before',
    severity: facts.severity,
    score: facts.calls / (facts.calls + 20),
    reason: `${observed}; ${normal}.`,
    observed,
    normal,
    distance: `0 of ${facts.calls} calls`,
    dedupKey: `keys ${call.toolKey} ${[...keys].sort().join(' ').slice(0, 300)}`,
    references,
  };
}

/** A value far larger than the tool's own values for that argument. */
export function describeSize(
  call: CallFacts,
  path: string,
  sizeBytes: number,
  p99: number,
  severity: Finding['severity'],
): Finding {
  const observed = `${shown(path, 128)} of ${shown(call.toolKey)} has ${bytesText(sizeBytes)}`;
  const normal = `at most ${bytesText(p99)} in 99 of 100 calls`;
  const ratio = sizeBytes / Math.max(1, p99);
  return {
    title: 'Argument far larger than usual',
    severity,
    score: ratio / (ratio + 8),
    reason: `${observed}; normal is ${normal}.`,
    observed,
    normal,
    distance: `${ratio.toFixed(1)} times the 99th percentile`,
    dedupKey: `size ${call.toolKey} ${path}`,
    references,
  };
}

export interface TypeFacts {
  readonly type: ArgumentType;
  /** What it read as so far. */
  readonly usual: readonly ArgumentType[];
  /** Calls that taught it. */
  readonly calls: number;
  readonly severity: Finding['severity'];
}

/** An argument that reads as something it never was. */
export function describeType(
  call: CallFacts,
  key: string,
  { type, usual, calls, severity }: TypeFacts,
): Finding {
  const observed = `${shown(key, 40)} of ${shown(call.toolKey)} is ${typeWords[type]}`;
  const normal = `${usual.map((one) => typeWords[one]).join(' or ')} in ${calls} calls`;
  return {
    title: 'Argument of another type than usual',
    severity,
    score: calls / (calls + 20),
    reason: `${observed}; normal is ${normal}.`,
    observed,
    normal,
    distance: `0 of ${calls} calls`,
    dedupKey: `type ${call.toolKey} ${key} ${type}`,
    references,
  };
}

const typeWords: Readonly<Record<ArgumentType, string>> = {
  text: 'text',
  number: 'a number',
  boolean: 'true or false',
  null: 'nothing',
  array: 'a list',
  object: 'an object',
};

export interface RandomFacts {
  readonly randomChars: number;
  readonly sizeBytes: number;
  /** Values that taught what is usual, and those of them that had such runs. */
  readonly looked: number;
  readonly random: number;
  readonly severity: Finding['severity'];
}

/** A value with much that looks like encoded or encrypted bytes, where there never is any. */
export function describeRandom(
  call: CallFacts,
  path: string,
  { randomChars, sizeBytes, looked, random, severity }: RandomFacts,
): Finding {
  const observed = `${randomChars} characters of ${shown(path, 128)} of ${shown(call.toolKey)} (${bytesText(sizeBytes)}) look encoded or random`;
  const normal = `${random} of ${looked} values had much of that`;
  return {
    title: 'Argument with encoded or random content',
    severity,
    score: randomChars / (randomChars + 256),
    reason: `${observed}; ${normal}.`,
    observed,
    normal,
    distance: `${randomChars} characters`,
    dedupKey: `random ${call.toolKey} ${path}`,
    references,
  };
}

function schemaText(declared: boolean | undefined): string {
  if (declared === undefined) return '';
  return declared ? ', which its schema allows' : ', which its schema does not have';
}
