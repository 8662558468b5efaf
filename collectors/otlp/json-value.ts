import { isObject, type JsonObject } from '../../schemas/json-object.ts';
import type { DecodeLimits } from './limits.ts';
import type { AttributeValue, Attributes } from './model.ts';
import { NO_ATTRIBUTES } from './decode-value.ts';
import { doubleAt, field, fieldError, int64At, listAt, objectAt, textAt } from './json-fields.ts';

/** What is left of a record's bounds while it is read. */
export interface JsonBudget {
  readonly limits: DecodeLimits;
  nestedValuesLeft: number;
  droppedCount: number;
}

export function startBudget(limits: DecodeLimits): JsonBudget {
  return { limits, nestedValuesLeft: limits.nestedValueMaxCount, droppedCount: 0 };
}

/** Reads a record's own attributes: `[{ "key": …, "value": AnyValue }]`. A repeated key: the last counts. */
export function readJsonAttributes(value: unknown, path: string, budget: JsonBudget): Attributes {
  const list = listAt(value, path);
  if (list.length === 0) return NO_ATTRIBUTES;
  const into = new Map<string, AttributeValue>();
  for (const [index, entry] of list.entries()) {
    if (into.size >= budget.limits.attributeMaxCount) {
      budget.droppedCount += list.length - index;
      break;
    }
    readJsonKeyValue(entry, `${path}[${index}]`, into, budget, 1);
  }
  return into;
}

/** Reads key-values in a nested place, which the record's budget pays for. */
export function readNestedJsonAttributes(
  value: unknown,
  path: string,
  budget: JsonBudget,
  depth: number,
): Attributes {
  const list = listAt(value, path);
  if (list.length === 0) return NO_ATTRIBUTES;
  const into = new Map<string, AttributeValue>();
  for (const [index, entry] of list.entries()) {
    if (!spend(budget, list.length - index)) break;
    readJsonKeyValue(entry, `${path}[${index}]`, into, budget, depth);
  }
  return into;
}

function spend(budget: JsonBudget, remaining: number): boolean {
  if (budget.nestedValuesLeft > 0) {
    budget.nestedValuesLeft--;
    return true;
  }
  budget.droppedCount += remaining;
  return false;
}

function readJsonKeyValue(
  value: unknown,
  path: string,
  into: Map<string, AttributeValue>,
  budget: JsonBudget,
  depth: number,
): void {
  if (!isObject(value)) throw fieldError(path, 'must be an object');
  const key = textAt(field(value, 'key'), `${path}.key`, budget.limits.stringMaxBytes);
  into.set(key, readJsonAnyValue(field(value, 'value'), `${path}.value`, budget, depth));
}

/** Reads one AnyValue; `depth` is 1 for the value of a record's own attribute. None set = null. */
export function readJsonAnyValue(
  value: unknown,
  path: string,
  budget: JsonBudget,
  depth: number,
): AttributeValue {
  if (value === undefined) return null;
  if (!isObject(value)) throw fieldError(path, 'must be an object');
  const scalar = readScalar(value, path, budget.limits);
  if (scalar !== undefined) return scalar;
  const array = field(value, 'arrayValue');
  const map = field(value, 'kvlistValue');
  if (array === undefined && map === undefined) return null;
  if (depth >= budget.limits.depthMax) {
    budget.droppedCount++;
    return null;
  }
  if (map !== undefined) {
    const values = field(objectAt(map, `${path}.kvlistValue`), 'values');
    return readNestedJsonAttributes(values, `${path}.kvlistValue.values`, budget, depth + 1);
  }
  return readJsonArray(array, `${path}.arrayValue`, budget, depth + 1);
}

function readJsonArray(
  value: unknown,
  path: string,
  budget: JsonBudget,
  depth: number,
): readonly AttributeValue[] {
  const list = listAt(field(objectAt(value, path), 'values'), `${path}.values`);
  const values: AttributeValue[] = [];
  for (const [index, entry] of list.entries()) {
    if (!spend(budget, list.length - index)) break;
    values.push(readJsonAnyValue(entry ?? undefined, `${path}.values[${index}]`, budget, depth));
  }
  return values;
}

function readScalar(value: JsonObject, path: string, limits: DecodeLimits): AttributeValue | undefined {
  const text = field(value, 'stringValue');
  if (text !== undefined) return textAt(text, `${path}.stringValue`, limits.stringMaxBytes);
  const int = field(value, 'intValue');
  if (int !== undefined) return int64At(int, `${path}.intValue`);
  const bool = field(value, 'boolValue');
  if (bool !== undefined) {
    if (typeof bool !== 'boolean') throw fieldError(`${path}.boolValue`, 'must be true or false');
    return bool;
  }
  const double = field(value, 'doubleValue');
  if (double !== undefined) return doubleAt(double, `${path}.doubleValue`);
  const bytes = field(value, 'bytesValue');
  if (bytes === undefined) return undefined;
  // Four base64 characters make three bytes; cut before decoding.
  const base64 = textAt(bytes, `${path}.bytesValue`, Math.ceil(limits.stringMaxBytes / 3) * 4);
  return new Uint8Array(Buffer.from(base64, 'base64')).subarray(0, limits.stringMaxBytes);
}
