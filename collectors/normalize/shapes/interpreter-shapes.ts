import { addShape, countShapes, type Shape, type ShapeCounts } from './shape.ts';

/** In anything, even in a document. */
const STRONG: readonly Shape[] = [
  {
    name: 'xml_entity',
    hints: ['<!entity', '<!doctype', '<xi:include'],
    pattern:
      /<!ENTITY\s|<!DOCTYPE\s{1,8}[^\s>[]{1,64}\s{0,8}(?:\[|SYSTEM\s{1,8}["'](?!about:))|<xi:include\s/gi,
  },
  {
    name: 'serialized_object',
    hints: [
      'ro0ab',
      'aced0005',
      'aaeaaad',
      'gasv',
      'o:',
      '!!',
      '!ruby/',
      '_$$nd_func$$_',
      'c__builtin__',
      'cos\nsystem',
    ],
    pattern:
      /^\s{0,8}(?:rO0AB[A-Za-z0-9+/]{8}|aced0005[0-9a-f]{8}|AAEAAAD\/{5}|gASV[A-Za-z0-9+/]{16})|\bO:\d{1,4}:"[\w\\]{1,128}":\d{1,4}:\{|!!(?:python\/(?:object|name|module)|javax?\.|com\.)[\w./:]|!ruby\/object|_\$\$ND_FUNC\$\$_|^c__builtin__\n|^cos\nsystem\n/gi,
  },
];

/** In values that are no program. */
const IN_PLAIN_VALUES: readonly Shape[] = [
  {
    name: 'nosql_injection',
    hints: ['$', 'this.'],
    pattern:
      /\{\s{0,4}["']?\$(?:(?:ne|nin|regex|where|exists|expr)["']?\s{0,4}:|(?:gte?|lte?)["']?\s{0,4}:\s{0,4}(?:""|''|null))|\[\$(?:ne|gte?|lte?|n?in|regex|where|exists)\]\s{0,4}=|['"]\s{0,4}\|\|\s{0,4}this\./gi,
  },
];

/** A filter that ends, and another that begins: in a value that is no filter itself. */
const BREAKING_OUT: readonly Shape[] = [
  {
    name: 'xpath_injection',
    hints: ['//', '/*'],
    pattern:
      /['"]\s{0,4}\]?\s{0,4}\|\s{0,4}\/\/|['")]\s{1,8}(?:or|and)\s{1,8}(?:count|name|string-length|substring|contains)\s{0,2}\(\s{0,4}\/[/*]/gi,
  },
  {
    name: 'ldap_injection',
    hints: [')('],
    pattern:
      /\)\((?:[|&!]|(?:uid|cn|sn|mail|object(?:class|category)|userpassword|samaccountname|memberof)[~<>]?=)/gi,
  },
];

const SERIALIZED_START = /^\s{0,8}(?:rO0AB|aced0005|AAEAAAD|gASV|cos\n|c__b)/i;

/** Quick: what else holds no sign of code may still be an object. */
export function maybeSerialized(text: string): boolean {
  return SERIALIZED_START.test(text) || text.includes('!!') || text.includes('!ruby/');
}

/** One value of the arguments (attacker-controlled) that what stands behind the tool would read as its own language. */
export function interpreterShapes(text: string, lower: string, isPlain: boolean, into: ShapeCounts): void {
  countShapes(STRONG, text, lower, into);
  if (!isPlain) return;
  countShapes(IN_PLAIN_VALUES, text, lower, into);
  if (!/^\s*[(/.]/.test(text)) countShapes(BREAKING_OUT, text, lower, into);
}

const OPERATOR = /^\$(?:ne|nin|regex|where|exists|expr|function|accumulator)$/;
/** A range is what one asks for every day, unless it has no bound. */
const RANGE = /^\$(?:gte?|lte?)$/;
const DEPTH_MAX = 16;
const MEMBERS_MAX = 512;

/**
 * Members of the arguments (attacker-controlled) that a document store takes for operators: `{"password": {"$ne": null}}`. A value that
 * holds them may be none, so it is not among the texts that are looked at.
 */
export function operatorShapes(given: unknown, into: ShapeCounts): void {
  collect(given, 0, { membersLeft: MEMBERS_MAX }, into);
}

function collect(value: unknown, depth: number, room: { membersLeft: number }, into: ShapeCounts): void {
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return;
  for (const name in value) {
    if (room.membersLeft <= 0) return;
    room.membersLeft -= 1;
    const member = (value as Readonly<Record<string, unknown>>)[name];
    if (name.startsWith('$') && isOperator(name, member)) addShape(into, 'nosql_injection');
    if (typeof member === 'object') collect(member, depth + 1, room, into);
  }
}

function isOperator(name: string, member: unknown): boolean {
  return OPERATOR.test(name) || (RANGE.test(name) && (member === '' || member === null));
}
