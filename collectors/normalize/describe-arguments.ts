import type { CustodyEvent } from '../../schemas/event.ts';
import { limits } from '../../schemas/event/limits.ts';
import { isObject } from '../../schemas/json-object.ts';
import { argumentNames } from './argument-names.ts';
import { describeValue, TOKENS_PER_CALL } from './provenance/describe-values.ts';
import { decodedText, IN_ARGUMENTS } from './provenance/decoded-forms.ts';
import type { SipKey } from './provenance/sip-hash.ts';
import { leavesOf } from './provenance/text-leaves.ts';
import { argumentShapes } from './shapes/argument-shapes.ts';
import { operatorShapes } from './shapes/interpreter-shapes.ts';
import { ends, SHAPE_SCAN_CHARS, sortedCounts, type ShapeCounts } from './shapes/shape.ts';

type Facts = Pick<NonNullable<CustodyEvent['arguments']>, 'keys' | 'types' | 'shapes' | 'values'>;

/** Values beyond those an event lists are still looked at for shapes. */
const LEAVES_MAX = 512;

/** Names, values (as fingerprints, where there is a key for them) and forms of attack in arguments (attacker-controlled). */
export function describeArguments(plain: unknown, key: SipKey | undefined): Facts {
  const given = insideParams(plain);
  const shapes: ShapeCounts = {};
  operatorShapes(given, shapes);
  const values: NonNullable<Facts['values']> = [];
  let tokensLeft = TOKENS_PER_CALL;
  let charsLeft = SHAPE_SCAN_CHARS;
  for (const { path, text } of leavesOf(given, LEAVES_MAX)) {
    const start = ends(text, SHAPE_SCAN_CHARS);
    const decoded = decodedText(start, IN_ARGUMENTS);
    if (charsLeft > 0) {
      argumentShapes(path, ends(start, charsLeft), shapes);
      if (decoded !== undefined) argumentShapes(path, ends(decoded, charsLeft), shapes);
      charsLeft -= start.length;
    }
    if (key === undefined || values.length >= limits.values) continue;
    const described = describeValue({ path, text, start, clear: decoded ?? start }, key, tokensLeft);
    tokensLeft -= described.tokenCount;
    values.push(described.value);
  }
  const names = argumentNames(given);
  return {
    keys: names?.keys,
    types: names?.types,
    shapes: sortedCounts(shapes),
    values: values.length === 0 ? undefined : values,
  };
}

const PARAMS_MEMBERS = new Set(['name', 'arguments', '_meta', 'task', 'requestState', 'inputResponses']);

/** The arguments proper, where the whole parameters of the request were recorded under their name. */
function insideParams(plain: unknown): unknown {
  if (!isObject(plain) || typeof plain['name'] !== 'string' || !isObject(plain['arguments'])) return plain;
  return Object.keys(plain).every((key) => PARAMS_MEMBERS.has(key)) ? plain['arguments'] : plain;
}
