import { allowedStatements, allowedSystemTables, allowedTableFunctions, deniedFunctions } from './denied.ts';
import { refusals } from './exceptions.ts';

/** One piece of the engine's own rendering of a statement. */
interface Token {
  readonly kind: 'word' | 'identifier' | 'string' | 'other';
  /** Without quotes; escapes are kept as written. */
  readonly text: string;
  readonly start: number;
}

const WORD = /[A-Za-z0-9_$]/;

/**
 * Splits text the engine has rendered (`formatQuerySingleLine`): no comments, no heredocs, one statement, quotes
 * closed. Linear in the length. Not for text from a client.
 */
export function tokens(rendered: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  while (at < rendered.length) {
    const start = at;
    const character = rendered.charAt(at);
    if (character === "'" || character === '`' || character === '"') {
      at += 1;
      while (at < rendered.length && rendered.charAt(at) !== character) {
        at += rendered.charAt(at) === '\\' ? 2 : 1;
      }
      const text = rendered.slice(start + 1, at);
      found.push({ kind: character === "'" ? 'string' : 'identifier', text, start });
      at += 1;
    } else if (WORD.test(character)) {
      while (at < rendered.length && WORD.test(rendered.charAt(at))) at += 1;
      found.push({ kind: 'word', text: rendered.slice(start, at), start });
    } else {
      at += 1;
      if (character.trim() !== '') found.push({ kind: 'other', text: character, start });
    }
  }
  return found;
}

/** A statement in the engine's rendering, its output clause taken apart. */
export interface Statement {
  /** Without the FORMAT clause, so that an output clause can follow. */
  readonly text: string;
  /** From the FORMAT clause, if there is one. */
  readonly format: string | undefined;
}

/**
 * Refuses what can be seen in the text, and takes the FORMAT clause off the end.
 * @throws SqlException
 */
export function readStatement(rendered: string): Statement {
  const found = tokens(rendered);
  const shows = isWord(found[0], 'SHOW');
  found.forEach((token, index) => {
    const next = found[index + 1];
    const previous = found[index - 1];
    if (token.kind === 'word') checkKeyword(token.text, found, index, shows);
    if (token.kind !== 'word' && token.kind !== 'identifier') return;
    const name = token.text.toLowerCase();
    if (deniedFunctions.has(name) && previous?.text !== '.') throw deniedFunction(name);
    if (name === 'system' && next?.text === '.') checkSystemTable(found[index + 2]?.text ?? '');
    if (token.kind === 'identifier' && token.text.includes('\\') && next?.text === '(') {
      throw refusals.denied('Cannot call a function whose name needs an escape sequence.');
    }
  });
  const last = found.at(-1);
  const keyword = found.at(-2);
  if (
    keyword !== undefined &&
    last?.kind === 'word' &&
    keyword.kind === 'word' &&
    keyword.text === 'FORMAT'
  ) {
    // `SELECT a.FORMAT x` renders as `AS x`, so an upper-case FORMAT before the last word is the clause.
    return { text: rendered.slice(0, keyword.start).trimEnd(), format: last.text };
  }
  return { text: rendered, format: undefined };
}

/** Clauses the engine takes in readonly mode, or whose contents its syntax tree does not show. */
function checkKeyword(word: string, found: readonly Token[], index: number, shows: boolean): void {
  const next = found[index + 1];
  switch (word.toUpperCase()) {
    case 'INTO':
      // Writes a file even in readonly mode.
      if (!isWord(next, 'OUTFILE')) return;
      throw refusals.readonly('Cannot write a file: INTO OUTFILE is not available on this endpoint.');
    case 'SETTINGS':
      // On a subquery even `readonly = 0` is taken.
      if (found[index + 2]?.text !== '=') return;
      throw refusals.readonly('Cannot modify settings in readonly mode: SETTINGS is not available here.');
    case 'APPLY':
      if (next?.text !== '(' && found[index + 2]?.text !== '-') return;
      throw refusals.denied('APPLY takes the name of a function on this endpoint, no expression.');
    case 'WHERE':
      if (!shows) return;
      throw refusals.denied('SHOW takes LIKE on this endpoint, not WHERE.');
  }
}

function checkSystemTable(table: string): void {
  if (!allowedSystemTables.has(table)) {
    throw refusals.denied(`Not enough privileges: system.${table} is not available on this endpoint.`);
  }
}

const isWord = (token: Token | undefined, upper: string) =>
  token?.kind === 'word' && token.text.toUpperCase() === upper;

const deniedFunction = (name: string) =>
  refusals.denied(
    `Not enough privileges: the function or name \`${name}\` is not available on this endpoint.`,
  );

/**
 * Refuses what only the syntax tree shows, parameters filled in. `tree` is the output of EXPLAIN AST: one node a line,
 * indented by depth. A name with a line break in it can add lines to that text, never take one away, so every check
 * here is for the presence of something bad.
 * @returns the kind of statement: the name of the root node.
 * @throws SqlException
 */
export function checkTree(tree: string): string {
  const lines = tree.split('\n');
  const root = /^\S+/.exec(lines[0] ?? '')?.[0] ?? '';
  if (!allowedStatements.has(root)) {
    throw refusals.readonly('Cannot execute query in readonly mode.');
  }
  let parent = '';
  for (const line of lines) {
    const node = line.trimStart();
    const named =
      /^(?:Function|Identifier|TableIdentifier) (.*?)(?: \(alias .*)?(?: \(children \d+\))?$/.exec(node);
    const name = named?.[1] ?? '';
    if (deniedFunctions.has(name.toLowerCase())) throw deniedFunction(name.toLowerCase());
    if (parent === 'TableExpression' && node.startsWith('Function ')) {
      if (!allowedTableFunctions.has(name.toLowerCase())) {
        throw refusals.denied(`Not enough privileges: the table function \`${name}\` is not available here.`);
      }
    }
    if (!node.startsWith('Function ') && name.toLowerCase().startsWith('system.')) {
      checkSystemTable(name.slice('system.'.length).split('.', 1)[0] ?? '');
    }
    parent = /^\S*/.exec(node)?.[0] ?? '';
  }
  return root;
}
