import { addShape, countShapes, type Shape, type ShapeCounts } from './shape.ts';

/** Names a function that runs commands or code, as the first thing it does. */
const PICKLED = /^\s{0,8}\(?c(?:os|posix|nt|subprocess|__builtin__|builtins)\n/;

/** In anything, even in a document. */
const STRONG: readonly Shape[] = [
  {
    name: 'xml_entity',
    hints: ['<!entity'],
    pattern:
      /<!ENTITY\s{1,8}(?:%\s{1,8})?[\w.:-]{1,64}\s{1,8}(?:SYSTEM|PUBLIC)\s|<!ENTITY\s[^>]{0,128}?&\w{1,16};[^>]{0,16}?&\w{1,16};[^>]{0,16}?&\w{1,16};/gi,
  },
  {
    name: 'serialized_object',
    hints: ['ro0ab', 'aced0005', 'aaeaaad/////', 'gasv', 'gawv', '_$$nd_func$$_'],
    // Letters of base64 are what they are: in small ones, a word may begin so.
    pattern:
      /(?<![A-Za-z0-9+/])(?:rO0AB[A-Za-z0-9+/]{8}|(?:aced|ACED)0005[0-9A-Fa-f]{8}|AAEAAAD\/{5}|gA[SW]V[A-Za-z0-9+/]{2,3}AAAAAA)|_\$\$ND_FUNC\$\$_/g,
  },
  {
    name: 'serialized_object',
    pattern: new RegExp(PICKLED, 'g'),
  },
];

/** In values that are no program and no document. */
const IN_PLAIN_VALUES: readonly Shape[] = [
  {
    name: 'xml_entity',
    hints: ['<!doctype', '<xi:include'],
    pattern:
      /<!DOCTYPE\s{1,8}[^\s>[]{1,64}\s{0,8}(?:\[|SYSTEM\s{1,8}["'](?!about:)|PUBLIC\s{1,8}["'][^"']{0,128}["']\s{1,8}["'](?:file|php|expect|ftp|gopher|jar|netdoc):)|<xi:include\s/gi,
  },
  {
    name: 'serialized_object',
    hints: ['o:', '!!', '!ruby/'],
    pattern:
      /\bO:\d{1,4}:"[\w\\]{1,128}":\d{1,4}:\{|!!python\/(?:object|name|module)[\w./]{0,32}:|(?<![\w!])!!(?:javax?|com|org)\.[\w.$]{1,128}\s{0,4}[[{]|!ruby\/object:/gi,
  },
  {
    name: 'nosql_injection',
    hints: ['$'],
    pattern:
      /[{,]\s{0,4}["']?\$(?:(?:ne|nin|regex|where|exists|expr)["']?\s{0,4}:|(?:gte?|lte?)["']?\s{0,4}:\s{0,4}(?:""|''|null))|\[\$(?:ne|nin|regex|where|exists)\]\s{0,4}=|\[\$(?:gte?|lte?)\]=(?:&|$)/gi,
  },
];

/** Behind a quote that ends a value: only what stands before it tells whether one was open. */
const BEHIND_A_QUOTE: readonly Shape[] = [
  {
    name: 'xpath_injection',
    hints: ['//', '/*'],
    pattern:
      /(['"])(?:[)\]]{0,2}\s{0,4}\|\s{0,4}\/\/|[)\]]{0,2}\s{0,4}(?:or|and)\s{1,8}(?:count|name|string-length|substring|contains|doc)\s{0,2}\([^()'"]{0,16}\(?\s{0,4}(?:\/[/*@]))/gi,
  },
  {
    name: 'nosql_injection',
    hints: ['this.'],
    pattern: /(['"])\s{0,4}(?:\|\||&&)\s{0,4}this\.\w/gi,
  },
];

const LDAP = /\)\s{0,2}\(\(?(?:[|&!]|[A-Za-z][\w;-]{0,40}(?::[\w.]{0,40}:)?[~<>]?=)/;

const MAGICS = ['rO0AB', 'aced0005', 'ACED0005', 'AAEAAAD', 'gASV', 'gAWV', '!!', '!ruby/'];

/** Quick: what else holds no sign of code may still be an object. */
export function maybeSerialized(text: string): boolean {
  return MAGICS.some((magic) => text.includes(magic)) || PICKLED.test(text);
}

/** One value of the arguments (attacker-controlled) that what stands behind the tool would read as its own language. */
export function interpreterShapes(text: string, lower: string, isPlain: boolean, into: ShapeCounts): void {
  countShapes(STRONG, text, lower, into);
  if (!isPlain) return;
  countShapes(IN_PLAIN_VALUES, text, lower, into);
  for (const shape of BEHIND_A_QUOTE)
    if (shape.hints?.some((hint) => lower.includes(hint)) === true && endsAQuote(shape.pattern, text))
      addShape(into, shape.name);
  if (text.includes(')') && closesTooMuch(text) && LDAP.test(text)) addShape(into, 'ldap_injection');
}

/** The quote the match begins with was not opened in this value. */
function endsAQuote(pattern: RegExp, text: string): boolean {
  const open = { "'": false, '"': false };
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    const quote = match[1] === "'" ? "'" : '"';
    for (; from < match.index; from += 1) {
      const char = text[from];
      if (char === "'" || char === '"') open[char] = !open[char];
    }
    if (!open[quote]) return true;
  }
  return false;
}

/** A bracket ends that did not begin in this value. */
function closesTooMuch(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '(') depth += 1;
    else if (char === ')' && --depth < 0) return true;
  }
  return false;
}

const OPERATOR = /^\$(?:ne|nin|regex|where|exists|expr|function|accumulator)$/;
/** A range is what one asks for every day, unless it has no bound. */
const RANGE = /^\$(?:gte?|lte?)$/;
const DEPTH_MAX = 16;
const STRUCTURES_MAX = 512;
const MEMBERS_MAX = 4096;

/**
 * Members of the arguments (attacker-controlled) that a document store takes for operators: `{"password": {"$ne": null}}`. A value that
 * holds them may be none, so it is not among the texts that are looked at. Structures near the top come first.
 */
export function operatorShapes(given: unknown, into: ShapeCounts): void {
  if (typeof given !== 'object' || given === null) return;
  let level: object[] = [given];
  let structuresLeft = STRUCTURES_MAX;
  let membersLeft = MEMBERS_MAX;
  for (let depth = 0; depth <= DEPTH_MAX && level.length > 0; depth += 1) {
    const next: object[] = [];
    for (const structure of level) {
      for (const name in structure) {
        if ((membersLeft -= 1) < 0) return;
        const member = (structure as Readonly<Record<string, unknown>>)[name];
        if (name.startsWith('$') && isOperator(name, member)) addShape(into, 'nosql_injection');
        if (typeof member !== 'object' || member === null || structuresLeft === 0) continue;
        structuresLeft -= 1;
        next.push(member);
      }
    }
    level = next;
  }
}

function isOperator(name: string, member: unknown): boolean {
  return OPERATOR.test(name) || (RANGE.test(name) && (member === '' || member === null));
}
