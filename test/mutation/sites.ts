import ts from 'typescript';

/** One check of a source file that a mutant can take away. */
export interface Site {
  readonly file: string;
  readonly line: number;
  /** Source text of the check, shortened. */
  readonly text: string;
  /** What the check is replaced by, one mutant each; `undefined` takes a call away. */
  readonly values: readonly (boolean | undefined)[];
}

/** Calls that report what a check found. */
const REPORTS = /(^|\.)(report|refuse|onFinding|finding|fail|flag)$/;
const PUSHES = /([fF]indings|refused|faults|reports)\.push$/;

/**
 * The checks of a source file, and the file with a switch at each: where `__mutant(site)` is true, `__mutant.value` stands
 * for the check. One compilation then serves every mutant.
 */
export function withSwitches(
  file: string,
  source: string,
  firstSite: number,
): { readonly sites: readonly Site[]; readonly text: string } {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const sites: Site[] = [];
  const edits: { readonly at: number; readonly text: string; readonly order: number }[] = [];
  const taken = new Set<ts.Node>();

  function add(node: ts.Expression, values: Site['values']): void {
    if (taken.has(node)) return;
    taken.add(node);
    const id = firstSite + sites.length;
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree));
    const text = node.getText(tree).replace(/\s+/g, ' ').slice(0, 120);
    sites.push({ file, line: line + 1, text, values });
    const [begin, end] = [node.getStart(tree), node.getEnd()];
    const length = end - begin;
    // Where two begin or end together the longer one goes around the shorter.
    edits.push({ at: begin, text: `(__mutant(${id}) ? __mutant.value : (`, order: -length });
    edits.push({ at: end, text: '))', order: length });
  }

  function visit(node: ts.Node): void {
    if (ts.isIfStatement(node) || ts.isConditionalExpression(node)) {
      add(ts.isIfStatement(node) ? node.expression : node.condition, [false, true]);
    } else if (ts.isBinaryExpression(node) && isLogical(node)) {
      // The value that leaves the decision to the other operand.
      const neutral = node.operatorToken.kind === ts.SyntaxKind.AmpersandAmpersandToken;
      for (const side of [node.left, node.right]) if (isTruth(side)) add(side, [neutral]);
    } else if (ts.isReturnStatement(node) && node.expression !== undefined && isTruth(node.expression)) {
      add(node.expression, [false, true]);
    } else if (ts.isArrowFunction(node) && isTruth(node.body)) {
      add(node.body as ts.Expression, [false, true]);
    } else if (
      ts.isVariableDeclaration(node) &&
      node.initializer !== undefined &&
      isTruth(node.initializer)
    ) {
      add(node.initializer, [false, true]);
    } else if (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression)) {
      const callee = node.expression.expression.getText(tree);
      if (REPORTS.test(callee) || PUSHES.test(callee)) add(node.expression, [undefined]);
    }
    ts.forEachChild(node, visit);
  }

  visit(tree);
  let text = '';
  let from = 0;
  for (const edit of edits.sort(inOrder)) {
    text += source.slice(from, edit.at) + edit.text;
    from = edit.at;
  }
  return { sites, text: text + source.slice(from) };
}

/** Ends before beginnings at one place; the longest begins first and ends last. */
function inOrder(a: { at: number; order: number }, b: { at: number; order: number }): number {
  if (a.at !== b.at) return a.at - b.at;
  if (a.order > 0 !== b.order > 0) return a.order > 0 ? -1 : 1;
  return a.order - b.order;
}

function isLogical(node: ts.BinaryExpression): boolean {
  const { kind } = node.operatorToken;
  return kind === ts.SyntaxKind.AmpersandAmpersandToken || kind === ts.SyntaxKind.BarBarToken;
}

const COMPARISONS: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
  ts.SyntaxKind.LessThanToken,
  ts.SyntaxKind.LessThanEqualsToken,
  ts.SyntaxKind.GreaterThanToken,
  ts.SyntaxKind.GreaterThanEqualsToken,
]);
/** Calls whose name says that they answer yes or no. */
const ANSWERS = /(^|\.)(is[A-Z]\w*|has|test|every|some|includes|equals|verify\w*|covers|overlaps|leadsOn)$/;

/** The expression is a yes or no as far as its form shows. */
function isTruth(node: ts.Node): boolean {
  if (ts.isParenthesizedExpression(node)) return isTruth(node.expression);
  if (ts.isPrefixUnaryExpression(node)) return node.operator === ts.SyntaxKind.ExclamationToken;
  if (ts.isCallExpression(node)) return ANSWERS.test(node.expression.getText());
  if (ts.isIdentifier(node)) return /^(is|has|was)[A-Z]/.test(node.text);
  return ts.isBinaryExpression(node) && (isLogical(node) || COMPARISONS.has(node.operatorToken.kind));
}
