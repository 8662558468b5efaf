import type { ASTNode } from '@marcbachmann/cel-js';

/** Parts of a condition that are joined by `&&`; all must hold, so the cheap ones come first. */
export function cheapFirst(root: ASTNode): ASTNode[] {
  return conjuncts(root).sort((a, b) => cost(a) - cost(b));
}

function conjuncts(node: ASTNode): ASTNode[] {
  return node.op === '&&' ? node.args.flatMap(conjuncts) : [node];
}

/** In comparisons, roughly: text work and lists cost more. */
function cost(node: ASTNode): number {
  const own = node.op === 'rcall' ? (node.args[0] === 'matches' || node.args[0] === 'exists' ? 20 : 5) : 1;
  return childNodes(node.args).reduce((sum, child) => sum + cost(child), own);
}

function childNodes(value: unknown): ASTNode[] {
  if (Array.isArray(value)) return value.flatMap(childNodes);
  return typeof value === 'object' && value !== null && 'op' in value ? [value as ASTNode] : [];
}
