import { InputError } from '../../runtime/errors.ts';
import { parseJson } from '../json-shape.ts';
import { isObject, type JsonObject } from '../../schemas/json-object.ts';
import { tooManyRecords, type ReadRecord } from './decode-export.ts';
import type { Decoded, ExportNames, RecordFault } from './decoded.ts';
import { field, fieldError, listAt, objectAt, textAt } from './json-fields.ts';
import { readJsonAttributes, startBudget, type JsonBudget } from './json-value.ts';
import type { DecodeLimits } from './limits.ts';
import type { ScopeContext } from './model.ts';

/** Reads one record object; throws an InputError whose path is relative to the record. */
export type JsonRecordReader<T> = (
  record: JsonObject,
  context: ScopeContext,
  budget: JsonBudget,
) => ReadRecord<T>;

/** Envelope levels around a value: request, resource, scope, record, events, attribute; four braces per AnyValue. */
const ENVELOPE_DEPTH = 16;
const JSON_DEPTH_PER_VALUE = 4;

/** The JSON twin of `decodeExport`, with the same rules: a bad record has a fault, a bad envelope throws. */
export function* decodeJsonExport<T>(
  body: Uint8Array,
  limits: DecodeLimits,
  names: ExportNames,
  readRecord: JsonRecordReader<T>,
): Generator<Decoded<T>, void, undefined> {
  const request = parseJson(body, { depthMax: ENVELOPE_DEPTH + JSON_DEPTH_PER_VALUE * limits.depthMax });
  if (!isObject(request))
    throw new InputError('input_invalid', 'cannot read the request: it must be a JSON object');
  let count = 0;
  for (const [resourceIndex, entry] of listAt(field(request, names.resources), names.resources).entries()) {
    const resourcePath = `${names.resources}[${resourceIndex}]`;
    const group = requireObject(entry, resourcePath);
    const described = objectAt(field(group, 'resource'), `${resourcePath}.resource`);
    const resource = readJsonAttributes(
      field(described, 'attributes'),
      `${resourcePath}.resource.attributes`,
      startBudget(limits),
    );
    for (const [scopeIndex, scopeEntry] of listAt(
      field(group, names.scopes),
      `${resourcePath}.${names.scopes}`,
    ).entries()) {
      const scopePath = `${resourcePath}.${names.scopes}[${scopeIndex}]`;
      const scopeGroup = requireObject(scopeEntry, scopePath);
      const scope = objectAt(field(scopeGroup, 'scope'), `${scopePath}.scope`);
      const context: ScopeContext = {
        resource,
        scopeName:
          textAt(field(scope, 'name'), `${scopePath}.scope.name`, limits.stringMaxBytes) || undefined,
        scopeVersion:
          textAt(field(scope, 'version'), `${scopePath}.scope.version`, limits.stringMaxBytes) || undefined,
      };
      const records = listAt(field(scopeGroup, names.records), `${scopePath}.${names.records}`);
      for (const [recordIndex, record] of records.entries()) {
        if (++count > limits.recordsMax) throw tooManyRecords(limits.recordsMax);
        const read = readOne(record, context, limits, readRecord);
        const raw = () => (isObject(record) ? record : undefined);
        yield { resourceIndex, scopeIndex, recordIndex, value: read.value, fault: read.fault, raw };
      }
    }
  }
}

function requireObject(value: unknown, path: string): JsonObject {
  if (!isObject(value)) throw fieldError(path, 'must be an object');
  return value;
}

function readOne<T>(
  record: unknown,
  context: ScopeContext,
  limits: DecodeLimits,
  readRecord: JsonRecordReader<T>,
): { readonly value: T | undefined; readonly fault: RecordFault | undefined } {
  if (!isObject(record)) return { value: undefined, fault: { path: undefined, reason: 'must be an object' } };
  try {
    return readRecord(record, context, startBudget(limits));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { value: undefined, fault: { path: error.path, reason: error.message } };
  }
}
