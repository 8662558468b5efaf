import type { ASTNode } from '@marcbachmann/cel-js';
import type { DetectEvent } from '../detector.ts';
import type { CompiledMatch, CompiledRule } from './compile-rule.ts';
import { childrenOf, ConditionError, eventVocabulary, type FactSource } from './condition.ts';
import { valueText } from './template.ts';

/** A part of a condition and what it came to. */
export interface Part {
  readonly text: string;
  /** `absent`: something it needs is not there, so it decides nothing. */
  readonly value: string;
  readonly parts: readonly Part[];
}

/** One condition of a rule, seen for one event. */
export interface ExplainedCondition {
  /** `match`, `step download`, `until` */
  readonly name: string;
  readonly holds: boolean;
  /** The event is of a kind the condition is not about. */
  readonly otherKind: boolean;
  readonly whole: Part;
}

/** Every condition of the rule with the values of its parts. Slow: for people who ask. */
export function explainRule(rule: CompiledRule, detected: DetectEvent): ExplainedCondition[] {
  const facts = eventVocabulary().sourceOf(detected);
  const named: (readonly [string, CompiledMatch | undefined])[] = [
    ['match', rule.match],
    ...rule.steps.map((step) => [`step ${step.name}`, step] as const),
    ['until', rule.until],
  ];
  return named.flatMap(([name, match]) => {
    if (match === undefined) return [];
    const otherKind = !match.kinds.has(detected.event.kind);
    const { condition } = match;
    return [
      {
        name,
        otherKind,
        holds: !otherKind && condition.holds(facts),
        whole: partOf(condition.text, condition.ast, facts),
      },
    ];
  });
}

/** Values that are worth showing under a part: operands of logic, and what is compared. */
function partOf(source: string, node: ASTNode, facts: FactSource): Part {
  const text = balanced(source, node.start, node.end);
  return {
    text: text.replace(/\s+/g, ' '),
    value: valueOf(text, facts),
    parts: shownParts(node).map((child) => partOf(source, child, facts)),
  };
}

function shownParts(node: ASTNode): ASTNode[] {
  switch (node.op) {
    case '&&':
    case '||':
      // a && b && c is one list, not a tree.
      return childrenOf(node).flatMap((child) => (child.op === node.op ? shownParts(child) : [child]));
    case '!_':
    case '?:':
      return childrenOf(node);
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case 'in':
      return childrenOf(node).filter(isLookup);
    case 'rcall':
      return [node.args[1]].filter(isLookup);
    default:
      return [];
  }
}

function isLookup(node: ASTNode): boolean {
  return node.op === '.' || node.op === '[]' || node.op === 'id' || node.op === 'rcall' || node.op === 'call';
}

function valueOf(text: string, facts: FactSource): string {
  try {
    const value = eventVocabulary().compile(text, 'any').value(facts);
    return value === undefined ? 'absent' : valueText(value);
  } catch (error) {
    // A part that needs the variable of a macro around it cannot stand alone.
    if (error instanceof ConditionError) return '?';
    throw error;
  }
}

/** The text of a node with the parentheses that its last part has and the node's own range leaves out. */
function balanced(source: string, start: number, end: number): string {
  let depth = 0;
  for (const [token] of source.slice(start, end).matchAll(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[()]/g))
    depth += token === '(' ? 1 : token === ')' ? -1 : 0;
  let from = start;
  let to = end;
  while (depth < 0 && from > 0) if (source.charAt((from -= 1)) === '(') depth += 1;
  while (depth > 0 && to < source.length) if (source.charAt((to += 1) - 1) === ')') depth -= 1;
  return source.slice(from, to);
}

/** The innermost parts that made the condition false, for one line. */
export function falseParts(part: Part): Part[] {
  const logic = part.parts.filter(({ value }) => value === 'false' || value === 'absent');
  const isLogic = part.parts.some(({ value }) => value === 'true' || value === 'false');
  return isLogic && logic.length > 0 ? logic.flatMap(falseParts) : [part];
}
