import type { CustodyEvent } from '../../schemas/event.ts';
import { InputError } from '../../runtime/errors.ts';
import { normalizeOrFault, textStart, type IngestDeps, type IntakeItem } from '../intake.ts';
import { parseJson, type JsonShapeLimits } from '../json-shape.ts';

export type AuditEncoding = 'json' | 'ndjson';

/** One value of an audit request: parsed, or unusable as it stands. */
export type AuditValue =
  | { readonly value: unknown; readonly bytes: Uint8Array; readonly error?: never }
  | { readonly error: InputError; readonly bytes: Uint8Array };

const LF = 0x0a;

/**
 * Splits an audit request: in JSON one object or an array of them, in NDJSON one value a line (blank lines are
 * skipped). Throws InputError when a JSON body cannot be parsed or there are more than `recordsMax` values.
 */
export function* auditValues(
  body: Uint8Array,
  encoding: AuditEncoding,
  limits: JsonShapeLimits,
  recordsMax: number,
): Generator<AuditValue> {
  let count = 0;
  const values = encoding === 'json' ? jsonValues(body, limits) : lineValues(body, limits);
  for (const value of values) {
    if (++count > recordsMax) {
      throw new InputError(
        'input_too_large',
        `cannot read the request: it holds more than ${recordsMax} records`,
      );
    }
    yield value;
  }
}

function* jsonValues(body: Uint8Array, limits: JsonShapeLimits): Generator<AuditValue> {
  const parsed = parseJson(body, limits);
  if (!Array.isArray(parsed)) {
    yield { value: parsed, bytes: body };
    return;
  }
  for (const value of parsed as unknown[]) yield { value, bytes: Buffer.from(JSON.stringify(value)) };
}

function* lineValues(body: Uint8Array, limits: JsonShapeLimits): Generator<AuditValue> {
  for (let start = 0; start < body.length;) {
    const found = body.indexOf(LF, start);
    const end = found < 0 ? body.length : found;
    const bytes = body.subarray(start, end);
    start = end + 1;
    if (isBlank(bytes)) continue;
    yield lineValue(bytes, limits);
  }
}

function lineValue(bytes: Uint8Array, limits: JsonShapeLimits): AuditValue {
  try {
    return { value: parseJson(bytes, limits), bytes };
  } catch (error) {
    if (error instanceof InputError) return { error, bytes };
    throw error;
  }
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09);
}

/**
 * Turns audit values into events with `normalize`, which throws InputError for one that cannot become an event. Without
 * `excerpts` nothing readable is kept of such a one.
 */
export function* auditItems(
  values: Iterable<AuditValue>,
  normalize: (value: unknown, index: number) => CustodyEvent,
  deps: Pick<IngestDeps, 'logger' | 'sealing'>,
  excerpts = true,
): Generator<IntakeItem> {
  let index = -1;
  for (const entry of values) {
    index++;
    const result =
      entry.error === undefined
        ? normalizeOrFault(deps, () => normalize(entry.value, index))
        : { error: entry.error, code: entry.error.code };
    if ('record' in result) {
      yield result;
      continue;
    }
    const { error, code } = result;
    const path = error.path === undefined ? `[${index}]` : `[${index}].${error.path}`;
    const input = {
      code,
      path,
      reason: error.message,
      bytes: entry.bytes,
      text: excerpts ? textStart(entry.bytes) : undefined,
    };
    yield { fault: { index, input } };
  }
}
