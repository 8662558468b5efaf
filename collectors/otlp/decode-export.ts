import { InputError } from '../../runtime/errors.ts';
import { NO_ATTRIBUTES, readAttribute } from './decode-value.ts';
import type { Decoded, ExportNames, RecordFault } from './decoded.ts';
import type { DecodeLimits } from './limits.ts';
import type { AttributeValue, Attributes, ScopeContext } from './model.ts';
import {
  BYTES,
  closeMessage,
  openMessage,
  readString,
  readTag,
  skipField,
  startReading,
  type Reading,
} from './wire.ts';

/**
 * The envelope; traces and logs have the same field numbers.
 *
 *   ExportTraceServiceRequest / ExportLogsServiceRequest   1 resource_spans / resource_logs, repeated
 *   ResourceSpans / ResourceLogs   1 resource Resource, 2 scope_spans / scope_logs, repeated
 *   ScopeSpans / ScopeLogs         1 scope InstrumentationScope, 2 spans / log_records, repeated
 *   Resource                       1 attributes, repeated KeyValue
 *   InstrumentationScope           1 name, 2 version
 */
const FIRST = (1 << 3) | BYTES;
const SECOND = (2 << 3) | BYTES;

/** What a record reader hands back: the record, and what makes it unusable, if anything. */
export interface ReadRecord<T> {
  readonly value: T;
  readonly fault: RecordFault | undefined;
}

/** Reads the fields of one record up to `r.end`. */
export type RecordReader<T> = (r: Reading, context: ScopeContext) => ReadRecord<T>;

/**
 * Yields the records of an export request one by one, so that only one decoded record need be alive. A record whose
 * own bytes are broken comes out with a fault and the next one follows; a broken envelope ends the iteration with an
 * InputError that names the place. Throws `input_too_large` over the record limit.
 */
export function* decodeExport<T>(
  body: Uint8Array,
  limits: DecodeLimits,
  names: ExportNames,
  readRecord: RecordReader<T>,
): Generator<Decoded<T>, void, undefined> {
  const r = startReading(body, limits);
  let count = 0;
  let resourceIndex = -1;
  let scopeIndex = -1;
  try {
    while (r.pos < r.end) {
      const field = readTag(r);
      if (field !== FIRST) {
        skipField(r, field);
        continue;
      }
      resourceIndex++;
      scopeIndex = -1;
      const requestEnd = openMessage(r);
      const resource = readAhead(r, NO_ATTRIBUTES, readResource);
      while (r.pos < r.end) {
        const resourceField = readTag(r);
        if (resourceField !== SECOND) {
          skipField(r, resourceField);
          continue;
        }
        scopeIndex++;
        const resourceEnd = openMessage(r);
        const scope = readAhead(r, NO_SCOPE, readScope);
        const context: ScopeContext = { resource, scopeName: scope.name, scopeVersion: scope.version };
        let recordIndex = -1;
        while (r.pos < r.end) {
          const scopeField = readTag(r);
          if (scopeField !== SECOND) {
            skipField(r, scopeField);
            continue;
          }
          recordIndex++;
          if (++count > limits.recordsMax) throw tooManyRecords(limits.recordsMax);
          const scopeEnd = openMessage(r);
          const start = r.pos;
          const end = r.end;
          const read = readOne(r, context, readRecord);
          r.pos = end;
          r.end = scopeEnd;
          const raw = () => body.subarray(start, end);
          yield { resourceIndex, scopeIndex, recordIndex, value: read.value, fault: read.fault, raw };
        }
        closeMessage(r, resourceEnd);
      }
      closeMessage(r, requestEnd);
    }
  } catch (error) {
    throw withPlace(error, names, resourceIndex, scopeIndex);
  }
}

/** One message for both encodings. */
export function tooManyRecords(recordsMax: number): InputError {
  return new InputError(
    'input_too_large',
    `cannot read the request: it holds more than ${recordsMax} records`,
  );
}

function readOne<T>(
  r: Reading,
  context: ScopeContext,
  readRecord: RecordReader<T>,
): { readonly value: T | undefined; readonly fault: RecordFault | undefined } {
  r.nestedValuesLeft = r.limits.nestedValueMaxCount;
  r.droppedCount = 0;
  try {
    return readRecord(r, context);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { value: undefined, fault: { path: error.path, reason: error.message } };
  }
}

function withPlace(error: unknown, names: ExportNames, resourceIndex: number, scopeIndex: number): unknown {
  if (!(error instanceof InputError) || resourceIndex < 0) return error;
  const scope = scopeIndex < 0 ? '' : `.${names.scopes}[${scopeIndex}]`;
  const path = `${names.resources}[${resourceIndex}]${scope}`;
  return new InputError(error.code as 'input_invalid', error.message, { path, cause: error });
}

/** Field 1 may stand behind the records it belongs to (and be split in parts): reads it first, then goes back. */
function readAhead<T>(r: Reading, none: T, read: (r: Reading, previous: T) => T): T {
  const start = r.pos;
  let found = none;
  while (r.pos < r.end) {
    const field = readTag(r);
    if (field === FIRST) {
      const outerEnd = openMessage(r);
      found = read(r, found);
      closeMessage(r, outerEnd);
    } else skipField(r, field);
  }
  r.pos = start;
  return found;
}

function readResource(r: Reading, previous: Attributes): Attributes {
  r.nestedValuesLeft = r.limits.nestedValueMaxCount;
  const attributes = new Map<string, AttributeValue>(previous);
  while (r.pos < r.end) {
    const field = readTag(r);
    if (field === FIRST) readAttribute(r, attributes);
    else skipField(r, field);
  }
  return attributes;
}

interface Scope {
  readonly name: string | undefined;
  readonly version: string | undefined;
}
const NO_SCOPE: Scope = { name: undefined, version: undefined };

function readScope(r: Reading, previous: Scope): Scope {
  let { name, version } = previous;
  while (r.pos < r.end) {
    const field = readTag(r);
    if (field === FIRST) name = readString(r) || undefined;
    else if (field === SECOND) version = readString(r) || undefined;
    else skipField(r, field);
  }
  return { name, version };
}
