import { type ASTNode, Environment, type ParseResult } from '@marcbachmann/cel-js';
import { allowedFunctions, isCidr, macros, registerRuleFunctions } from './cel-functions.ts';
import { declareType, readMember, type Shape } from './cel-type.ts';
import { alertVariables, eventVariables } from './facts.ts';
import { quickParts, quickValue } from './quick.ts';
import { regexProblem } from './regex-cost.ts';

/** A condition of a rule that cannot be used; `at` counts characters from 0 in its text. */
export class ConditionError extends Error {
  readonly at: number | undefined;
  constructor(message: string, at?: number) {
    super(message);
    this.name = 'ConditionError';
    this.at = at;
  }
}

/**
 * A compiled CEL expression. A member that the event does not have is an error in CEL's sense: `&&` and `||` go on where the
 * other side decides, and a whole that comes to an error is false. `has(a.b.c)` is false when any part is absent.
 */
export interface Condition {
  readonly text: string;
  /** Of its value, as CEL names types: `string`, `list<string>`; `dyn` when only an event tells. */
  readonly type: string;
  holds(source: FactSource): boolean;
  /** Its value, `undefined` when something it needs is absent. */
  value(source: FactSource): unknown;
  /** The same by CEL alone. */
  slow(source: FactSource): unknown;
  readonly ast: ASTNode;
}

/** What the variables are made of. */
export interface FactSource {
  readonly raw: unknown;
  /** As CEL sees them; each is made when the first condition asks for it, and shared by all of one event. */
  readonly context: Record<string, unknown>;
}

/** The variables of a kind of conditions, and the compiler that checks conditions against them. */
export interface Vocabulary {
  readonly variables: Readonly<Record<string, Shape>>;
  compile(text: string, result?: 'bool' | 'any'): Condition;
  sourceOf(raw: unknown): FactSource;
}

const limits = {
  maxAstNodes: 800,
  maxDepth: 48,
  maxListElements: 256,
  maxMapEntries: 16,
  maxCallArguments: 4,
};
let events: Vocabulary | undefined;
let alerts: Vocabulary | undefined;

/** Of rules. */
export function eventVocabulary(): Vocabulary {
  events ??= vocabulary(eventVariables);
  return events;
}

/** Of suppressions. */
export function alertVocabulary(): Vocabulary {
  alerts ??= vocabulary(alertVariables);
  return alerts;
}

/** Where the variables find what they are made of. */
const source = Symbol('source');

/** Made for every event that any rule is about, so that most of it is not made. */
class LazyFacts implements FactSource {
  readonly raw: unknown;
  readonly prototype: object;
  made: Record<string, unknown> | undefined;
  constructor(raw: unknown, prototype: object) {
    this.raw = raw;
    this.prototype = prototype;
    this.made = undefined;
  }
  get context(): Record<string, unknown> {
    this.made ??= Object.create(this.prototype, { [source]: { value: this.raw } }) as Record<string, unknown>;
    return this.made;
  }
}

function vocabulary(variables: Readonly<Record<string, Shape>>): Vocabulary {
  const env = new Environment({ limits });
  registerRuleFunctions(env);
  const wraps = new Map<string, ((raw: unknown) => unknown) | undefined>();
  const prototype = {};
  for (const [name, shape] of Object.entries(variables)) {
    const type = declareType(env, `Facts_${name}`, shape);
    env.registerVariable(name, type.name);
    wraps.set(name, type.wrap);
    Object.defineProperty(prototype, name, {
      configurable: true,
      get(this: { readonly [source]: unknown }): unknown {
        const raw = readMember(this[source], name, shape);
        const made = raw === undefined || type.wrap === undefined ? raw : type.wrap(raw);
        Object.defineProperty(this, name, { value: made });
        return made;
      },
    });
  }
  return {
    variables,
    compile: (text, result = 'bool') => compile(env, variables, text, result),
    sourceOf: (raw) => new LazyFacts(raw, prototype),
  };
}

function compile(
  env: Environment,
  variables: Readonly<Record<string, Shape>>,
  text: string,
  result: 'bool' | 'any',
): Condition {
  const { ast } = parse(env, text);
  checkCalls(ast, 0);
  // What runs asks for each part of the path; what people read is their own text.
  const parsed = parse(env, withPathsOfHas(text, ast, variables));
  const checked = parsed.check();
  if (!checked.valid) throw asConditionError(checked.error);
  const type = checked.type ?? 'unknown';
  if (result === 'bool' && type !== 'bool') throw new ConditionError(`it is of type ${type}, not bool`);
  const slow = (facts: FactSource): unknown => {
    try {
      return parsed(facts.context);
    } catch {
      // Absent members, and hostile values such as an index out of bounds: never a crash (P10).
      return undefined;
    }
  };
  if (result === 'any') {
    const read = quickValue(ast, variables);
    const value = read === undefined ? slow : (facts: FactSource) => read(facts.raw, undefined);
    return { text, type, ast, value, slow, holds: (facts) => value(facts) === true };
  }
  const { tests, isWhole } = quickParts(ast, variables);
  const holds = (facts: FactSource): boolean => {
    for (const test of tests) if (test(facts.raw, undefined) !== true) return false;
    return isWhole || slow(facts) === true;
  };
  return { text, type, ast, holds, slow, value: slow };
}

function parse(env: Environment, text: string): ParseResult {
  try {
    return env.parse(text);
  } catch (error) {
    throw asConditionError(error);
  }
}

function asConditionError(error: unknown): ConditionError {
  const { summary, message, range } = error as {
    summary?: string;
    message: string;
    range?: { start: number };
  };
  const words = (summary ?? message)
    .replaceAll('Facts_', '')
    .replace(/^No such key: /, 'there is no member ');
  return new ConditionError(words, range?.start);
}

/** Children of a node that are nodes. */
export function childrenOf(node: ASTNode): ASTNode[] {
  return nodesIn(node.args);
}

function nodesIn(value: unknown): ASTNode[] {
  if (Array.isArray(value)) return value.flatMap(nodesIn);
  return typeof value === 'object' && value !== null && 'op' in value ? [value as ASTNode] : [];
}

/** Refuses what is not bounded: unknown functions, macros inside macros, patterns that are made at run time or explode. */
function checkCalls(node: ASTNode, depth: number): void {
  let inside = depth;
  if (node.op === 'call' || node.op === 'rcall') {
    const name = node.args[0];
    if (!allowedFunctions.has(name))
      throw new ConditionError(`there is no function ${name}() for conditions`, node.start);
    if (node.op === 'rcall' && macros.has(name)) {
      // What is iterated is evaluated once; only what comes after it runs for each element.
      checkCalls(node.args[1], depth);
      if (depth > 0) throw new ConditionError(`${name}() cannot be inside another macro`, node.start);
      for (const argument of node.args[2]) checkCalls(argument, depth + 1);
      return;
    }
    if (node.op === 'rcall') checkPattern(name, node.args[2][0], node.start);
    inside = depth;
  }
  for (const child of childrenOf(node)) checkCalls(child, inside);
}

function checkPattern(name: string, argument: ASTNode | undefined, at: number): void {
  if (name !== 'matches' && name !== 'glob' && name !== 'inCidr') return;
  if (argument?.op !== 'value' || typeof argument.args !== 'string')
    throw new ConditionError(`${name}() takes a literal string`, at);
  if (name === 'inCidr' && !isCidr(argument.args))
    throw new ConditionError(`inCidr() takes a block such as 10.0.0.0/8`, argument.start);
  const problem = name === 'matches' ? regexProblem(argument.args) : undefined;
  if (problem !== undefined)
    throw new ConditionError(`the regular expression cannot be used: ${problem}`, argument.start);
}

/** `has(a.b.c)` becomes `(has(a.b) && has(a.b.c))`, and its path is checked, which the library does not do. */
function withPathsOfHas(text: string, root: ASTNode, variables: Readonly<Record<string, Shape>>): string {
  const found: ASTNode[] = [];
  const collect = (node: ASTNode): void => {
    if (node.op === 'call' && node.args[0] === 'has') found.push(node);
    else childrenOf(node).forEach(collect);
  };
  collect(root);
  let rewritten = text;
  for (const node of found.sort((a, b) => b.start - a.start)) {
    const path = pathOf(nodesIn(node.args)[0]);
    if (path === undefined)
      throw new ConditionError('has() takes a member such as event.tool.name', node.start);
    checkPath(path, variables, node.start);
    const parts = path.slice(1).map((_, index) => `has(${path.slice(0, index + 2).join('.')})`);
    rewritten = `${rewritten.slice(0, node.start)}(${parts.join(' && ')})${rewritten.slice(node.end)}`;
  }
  return rewritten;
}

/** `event.tool.name` as its words; `undefined` for anything that is no such path. */
export function pathOf(node: ASTNode | undefined): string[] | undefined {
  if (node?.op === 'id') return [node.args];
  if (node?.op !== '.') return undefined;
  return pathOf(node.args[0])?.concat(node.args[1]);
}

function checkPath(path: readonly string[], variables: Readonly<Record<string, Shape>>, at: number): void {
  const [root = '', ...members] = path;
  if (members.length === 0) throw new ConditionError('has() takes a member such as event.tool.name', at);
  let shape = variables[root];
  // A variable of a macro; its type is the checker's business.
  if (shape === undefined) return;
  for (const member of members) {
    const next: Shape | boolean | undefined = shape.properties?.[member] ?? shape.additionalProperties;
    if (typeof next !== 'object') throw new ConditionError(`there is no member ${path.join('.')}`, at);
    shape = next;
  }
}
