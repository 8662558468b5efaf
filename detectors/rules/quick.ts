import type { ASTNode } from '@marcbachmann/cel-js';
import { readMember, type Shape } from './cel-type.ts';
import { cheapFirst } from './quick-order.ts';
import { changes, textTests } from './quick-text.ts';
import { comparisons, isScalar, isText, type Scalar } from './shape-kind.ts';

/**
 * A part of a condition as a plain function over raw facts, with CEL's own meaning: `undefined` is CEL's error, which an
 * absent member is. Most rules are decided by these for most events, without CEL and without conversion. `local` is the
 * variable of the macro around it.
 */
export type Quick = (raw: unknown, local: unknown) => unknown;

interface Typed {
  readonly run: Quick;
  readonly shape: Shape;
  readonly literal?: Scalar;
}

interface Scope {
  readonly variables: Readonly<Record<string, Shape>>;
  readonly local?: { readonly name: string; readonly shape: Shape };
}

const bool: Shape = { type: 'boolean' };
const text: Shape = { type: 'string' };
const integer: Shape = { type: 'integer' };

/** The parts joined by `&&` that can be decided quickly; `isWhole` when nothing is left for CEL. */
export function quickParts(
  root: ASTNode,
  variables: Readonly<Record<string, Shape>>,
): { readonly tests: readonly Quick[]; readonly isWhole: boolean } {
  const parts = cheapFirst(root);
  const tests = parts.flatMap((part) => {
    const typed = quick(part, { variables });
    return typed === undefined ? [] : [typed.run];
  });
  return { tests, isWhole: tests.length === parts.length };
}

/** A value that can be read quickly. */
export function quickValue(root: ASTNode, variables: Readonly<Record<string, Shape>>): Quick | undefined {
  const typed = quick(root, { variables });
  return typed === undefined || !isScalar(typed.shape) ? undefined : typed.run;
}

/** `undefined` for what is left to CEL. */
function quick(node: ASTNode, scope: Scope): Typed | undefined {
  switch (node.op) {
    case 'value':
      return literal(node.args);
    case 'id':
      return variable(node.args, scope);
    case '.':
      return member(quick(node.args[0], scope), node.args[1]);
    case '[]':
      return element(quick(node.args[0], scope), node.args[1]);
    case '&&':
    case '||':
      return logic(node.op, node.args, scope);
    case '!_':
      return negation(quick(node.args, scope));
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return comparison(node.op, quick(node.args[0], scope), quick(node.args[1], scope));
    case 'in':
      return membership(quick(node.args[0], scope), node.args[1], scope);
    case '+':
      return concatenation(quick(node.args[0], scope), quick(node.args[1], scope));
    case 'call':
      return called(node.args[0], node.args[1], scope);
    case 'rcall':
      return method(node.args[0], quick(node.args[1], scope), node.args[2], scope);
    default:
      return undefined;
  }
}

function literal(value: unknown): Typed | undefined {
  switch (typeof value) {
    case 'string':
      return { run: () => value, shape: text, literal: value };
    case 'boolean':
      return { run: () => value, shape: bool, literal: value };
    case 'number':
      return { run: () => value, shape: { type: 'number' }, literal: value };
    case 'bigint': {
      const number = Number(value);
      return Number.isSafeInteger(number)
        ? { run: () => number, shape: integer, literal: number }
        : undefined;
    }
    default:
      return undefined;
  }
}

function variable(name: string, { variables, local }: Scope): Typed | undefined {
  if (local?.name === name) return { run: (_, value) => value, shape: local.shape };
  const shape = Object.hasOwn(variables, name) ? variables[name] : undefined;
  return shape === undefined ? undefined : { run: rootReader(name, shape), shape };
}

function rootReader(name: string, shape: Shape): Quick {
  const { read } = shape;
  return read === undefined ? (raw) => readMember(raw, name, shape) : (raw) => read(raw as never);
}

function member(parent: Typed | undefined, name: string): Typed | undefined {
  const properties = parent?.shape.properties;
  const shape = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
  if (parent === undefined || shape === undefined) return undefined;
  const { run } = parent;
  const { read } = shape;
  if (read !== undefined)
    return {
      shape,
      run: (raw, local) => {
        const source = run(raw, local);
        return source === undefined ? undefined : read(source as never);
      },
    };
  return {
    shape,
    // The name is the schema's, never an event's.
    run: (raw, local) => (run(raw, local) as Record<string, unknown> | undefined)?.[name],
  };
}

function element(parent: Typed | undefined, index: ASTNode): Typed | undefined {
  const items = parent?.shape.items;
  if (parent === undefined || items === undefined || index.op !== 'value') return undefined;
  if (typeof index.args !== 'bigint') return undefined;
  const at = Number(index.args);
  const { run } = parent;
  return { shape: items, run: (raw, local) => (run(raw, local) as unknown[] | undefined)?.[at] };
}

function logic(op: '&&' | '||', parts: readonly ASTNode[], scope: Scope): Typed | undefined {
  const runs = parts.map((part) => quick(part, scope)?.run);
  const [left, right] = runs;
  if (left === undefined || right === undefined) return undefined;
  const decides = op === '||';
  return {
    shape: bool,
    run: (raw, local) => {
      const first = left(raw, local);
      if (first === decides) return decides;
      const second = right(raw, local);
      return second === decides || first !== undefined ? second : undefined;
    },
  };
}

function negation(inside: Typed | undefined): Typed | undefined {
  if (inside === undefined) return undefined;
  const { run } = inside;
  return {
    shape: bool,
    run: (raw, local) => {
      const value = run(raw, local);
      return value === undefined ? undefined : value === false;
    },
  };
}

function comparison(op: string, left: Typed | undefined, right: Typed | undefined): Typed | undefined {
  const test = comparisons[op];
  if (left === undefined || right === undefined || test === undefined) return undefined;
  if (!isScalar(left.shape) || !isScalar(right.shape)) return undefined;
  // Against a literal, which most are.
  const wanted = right.literal;
  return wanted === undefined
    ? both(left, right, bool, test)
    : mapped(left, bool, (value) => test(value, wanted));
}

function concatenation(left: Typed | undefined, right: Typed | undefined): Typed | undefined {
  if (left === undefined || right === undefined || !isText(left.shape) || !isText(right.shape))
    return undefined;
  return both(left, right, text, (a, b) => `${a}${b}`);
}

function both(
  left: Typed,
  right: Typed,
  shape: Shape,
  join: (left: Scalar, right: Scalar) => unknown,
): Typed {
  return {
    shape,
    run: (raw, local) => {
      const a = left.run(raw, local);
      const b = a === undefined ? undefined : right.run(raw, local);
      return b === undefined ? undefined : join(a as Scalar, b as Scalar);
    },
  };
}

function membership(item: Typed | undefined, list: ASTNode, scope: Scope): Typed | undefined {
  if (item === undefined || !isScalar(item.shape)) return undefined;
  if (list.op === 'list') {
    const values = list.args.map((each) => literal(each.op === 'value' ? each.args : undefined)?.run(0, 0));
    const wanted = new Set(values);
    if (wanted.has(undefined)) return undefined;
    return mapped(item, bool, (value) => wanted.has(value));
  }
  const holder = quick(list, scope);
  if (holder === undefined) return undefined;
  if (holder.shape.items !== undefined && isScalar(holder.shape.items))
    return both(item, holder, bool, (value, values) => (values as unknown as Scalar[]).includes(value));
  if (typeof holder.shape.additionalProperties !== 'object') return undefined;
  return both(item, holder, bool, (value, map) => Object.hasOwn(map as unknown as object, value as string));
}

function mapped(subject: Typed, shape: Shape, change: (value: Scalar) => unknown): Typed {
  const { run } = subject;
  return {
    shape,
    run: (raw, local) => {
      const value = run(raw, local);
      return value === undefined ? undefined : change(value as Scalar);
    },
  };
}

function called(name: string, parameters: readonly ASTNode[], scope: Scope): Typed | undefined {
  const [only] = parameters;
  const subject = only === undefined ? undefined : quick(only, scope);
  if (subject === undefined) return undefined;
  if (name === 'has') return { shape: bool, run: (raw, local) => subject.run(raw, local) !== undefined };
  return name === 'size' ? sizeOf(subject) : undefined;
}

function sizeOf(subject: Typed): Typed | undefined {
  // The size of a text counts characters, not UTF-16 units: left to CEL.
  return subject.shape.items === undefined
    ? undefined
    : mapped(subject, integer, (list) => (list as unknown as unknown[]).length);
}

function method(
  name: string,
  subject: Typed | undefined,
  parameters: readonly ASTNode[],
  scope: Scope,
): Typed | undefined {
  if (subject === undefined) return undefined;
  const [first, predicate] = parameters;
  if (name === 'size' && first === undefined) return sizeOf(subject);
  if (name === 'exists' || name === 'all') return quantified(name, subject, first, predicate, scope);
  if (!isText(subject.shape)) return undefined;
  if (first === undefined) {
    const change = changes[name];
    return change === undefined ? undefined : mapped(subject, text, (value) => change(value as string));
  }
  const argument = first.op === 'value' && typeof first.args === 'string' ? first.args : undefined;
  const test = argument === undefined ? undefined : textTests[name]?.(argument);
  return test === undefined ? undefined : mapped(subject, bool, (value) => test(value as string));
}

/** `exists` is true when one element is, `all` is false when one is; otherwise an error of one is an error of the whole. */
function quantified(
  name: 'exists' | 'all',
  subject: Typed,
  nameNode: ASTNode | undefined,
  predicate: ASTNode | undefined,
  { variables }: Scope,
): Typed | undefined {
  if (nameNode?.op !== 'id' || predicate === undefined) return undefined;
  const { items, additionalProperties } = subject.shape;
  const shape = items ?? (typeof additionalProperties === 'object' ? text : undefined);
  if (shape === undefined) return undefined;
  const inside = quick(predicate, { variables, local: { name: nameNode.args, shape } });
  if (inside === undefined) return undefined;
  const decides = name === 'exists';
  return {
    shape: bool,
    run: (raw, local) => {
      const source = subject.run(raw, local);
      if (source === undefined) return undefined;
      const elements = items === undefined ? Object.keys(source as object) : (source as readonly unknown[]);
      let outcome: boolean | undefined = !decides;
      for (const each of elements) {
        const value = inside.run(raw, each);
        if (value === decides) return decides;
        if (value === undefined) outcome = undefined;
      }
      return outcome;
    },
  };
}
