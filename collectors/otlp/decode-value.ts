import type { AttributeValue, Attributes } from './model.ts';
import {
  BYTES,
  FIXED64,
  VARINT,
  closeMessage,
  openMessage,
  readBytes,
  readDouble,
  readInt64,
  readString,
  readTag,
  readVarint,
  skipField,
  type Reading,
} from './wire.ts';

/**
 * opentelemetry/proto/common/v1/common.proto
 *
 *   KeyValue   1 key string, 2 value AnyValue
 *   AnyValue   oneof: 1 string_value, 2 bool_value, 3 int_value int64, 4 double_value, 5 array_value ArrayValue,
 *              6 kvlist_value KeyValueList, 7 bytes_value; none set = null; set more than once = the last counts
 *   ArrayValue, KeyValueList   1 values repeated
 */
const tag = (field: number, wireType: number) => (field << 3) | wireType;
const KEY = tag(1, BYTES);
const VALUE = tag(2, BYTES);
const STRING_VALUE = tag(1, BYTES);
const BOOL_VALUE = tag(2, VARINT);
const INT_VALUE = tag(3, VARINT);
const DOUBLE_VALUE = tag(4, FIXED64);
const ARRAY_VALUE = tag(5, BYTES);
const KVLIST_VALUE = tag(6, BYTES);
const BYTES_VALUE = tag(7, BYTES);
const VALUES = tag(1, BYTES);

export const NO_ATTRIBUTES: Attributes = new Map();
const NO_VALUES: readonly AttributeValue[] = [];

/** Reads one KeyValue of a record into its attributes; beyond the limit it is skipped and counted. A repeated key: the last counts. */
export function readAttribute(r: Reading, into: Map<string, AttributeValue>): void {
  if (into.size >= r.limits.attributeMaxCount) {
    r.droppedCount++;
    skipField(r, KEY);
    return;
  }
  readKeyValue(r, into, 1);
}

/** Reads one KeyValue in a nested place, which the record's budget pays for. */
export function readNestedAttribute(r: Reading, into: Map<string, AttributeValue>, depth: number): void {
  if (spend(r)) readKeyValue(r, into, depth);
  else skipField(r, KEY);
}

function spend(r: Reading): boolean {
  if (r.nestedValuesLeft > 0) {
    r.nestedValuesLeft--;
    return true;
  }
  r.droppedCount++;
  return false;
}

function readKeyValue(r: Reading, into: Map<string, AttributeValue>, depth: number): void {
  const outerEnd = openMessage(r);
  let key = '';
  let value: AttributeValue = null;
  while (r.pos < r.end) {
    const field = readTag(r);
    if (field === KEY) key = readString(r);
    else if (field === VALUE) value = readAnyValue(r, depth);
    else skipField(r, field);
  }
  closeMessage(r, outerEnd);
  into.set(key, value);
}

/** Reads one AnyValue; `depth` is 1 for the value of a record's own attribute. */
export function readAnyValue(r: Reading, depth: number): AttributeValue {
  const outerEnd = openMessage(r);
  let value: AttributeValue = null;
  while (r.pos < r.end) {
    const field = readTag(r);
    switch (field) {
      case STRING_VALUE:
        value = readString(r);
        break;
      case BOOL_VALUE:
        value = readVarint(r) !== 0;
        break;
      case INT_VALUE:
        value = readInt64(r);
        break;
      case DOUBLE_VALUE:
        value = readDouble(r);
        break;
      case ARRAY_VALUE:
        value = depth < r.limits.depthMax ? readArray(r, depth + 1) : tooDeep(r, field);
        break;
      case KVLIST_VALUE:
        value = depth < r.limits.depthMax ? readMap(r, depth + 1) : tooDeep(r, field);
        break;
      case BYTES_VALUE:
        value = readBytes(r);
        break;
      default:
        skipField(r, field);
    }
  }
  closeMessage(r, outerEnd);
  return value;
}

function tooDeep(r: Reading, field: number): null {
  r.droppedCount++;
  skipField(r, field);
  return null;
}

function readArray(r: Reading, depth: number): readonly AttributeValue[] {
  const outerEnd = openMessage(r);
  let values: AttributeValue[] | undefined;
  while (r.pos < r.end) {
    const field = readTag(r);
    if (field !== VALUES || !spend(r)) skipField(r, field);
    else (values ??= []).push(readAnyValue(r, depth));
  }
  closeMessage(r, outerEnd);
  return values ?? NO_VALUES;
}

function readMap(r: Reading, depth: number): Attributes {
  const outerEnd = openMessage(r);
  let entries: Map<string, AttributeValue> | undefined;
  while (r.pos < r.end) {
    const field = readTag(r);
    if (field === VALUES) readNestedAttribute(r, (entries ??= new Map<string, AttributeValue>()), depth);
    else skipField(r, field);
  }
  closeMessage(r, outerEnd);
  return entries ?? NO_ATTRIBUTES;
}
