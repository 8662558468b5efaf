import type { CustodyEvent } from '../../schemas/event.ts';
import { normalizeOrFault, type IngestDeps, type IntakeItem } from '../intake.ts';
import type { NormalizeContext } from '../normalize/context.ts';
import { normalizeLog } from '../normalize/log.ts';
import { redactValue } from '../normalize/redact.ts';
import { normalizeSpan } from '../normalize/span.ts';
import { decodeLogs } from './decode-logs.ts';
import { decodeTraces } from './decode-traces.ts';
import { LOG_NAMES, TRACE_NAMES, recordPath, type Decoded, type ExportNames } from './decoded.ts';
import { decodeJsonLogs } from './json-logs.ts';
import { decodeJsonTraces } from './json-traces.ts';
import type { DecodeLimits } from './limits.ts';
import type { OtlpLog, OtlpSpan } from './model.ts';
import type { OtlpEncoding } from './response.ts';

/** The two OTLP signals taken. */
export type OtlpSignal = 'span' | 'log';

/** Decodes and normalises an export request record by record; throws what the decoders throw. */
export function otlpItems(
  signal: OtlpSignal,
  encoding: OtlpEncoding,
  body: Uint8Array,
  limits: DecodeLimits,
  context: NormalizeContext,
  deps: Pick<IngestDeps, 'logger' | 'sealing'>,
): Iterable<IntakeItem> {
  if (signal === 'span') {
    const decoded = encoding === 'json' ? decodeJsonTraces(body, limits) : decodeTraces(body, limits);
    return items(decoded, TRACE_NAMES, (span) => normalizeSpan(span, context), deps);
  }
  const decoded = encoding === 'json' ? decodeJsonLogs(body, limits) : decodeLogs(body, limits);
  return items(decoded, LOG_NAMES, (log) => normalizeLog(log, context), deps);
}

export const SIGNAL_NAMES: Readonly<Record<OtlpSignal, ExportNames>> = { span: TRACE_NAMES, log: LOG_NAMES };

function* items<T extends OtlpSpan | OtlpLog>(
  decoded: Iterable<Decoded<T>>,
  names: ExportNames,
  normalize: (record: T) => CustodyEvent,
  deps: Pick<IngestDeps, 'logger' | 'sealing'>,
): Generator<IntakeItem> {
  let index = -1;
  for (const record of decoded) {
    index++;
    const { value, fault } = record;
    if (value === undefined || fault !== undefined) {
      const { path, reason } = fault ?? { path: undefined, reason: 'cannot be read' };
      yield faultItem(index, record, names, path, reason, 'input_invalid');
      continue;
    }
    const normalized = normalizeOrFault(deps, () => normalize(value));
    if ('record' in normalized) yield normalized;
    else {
      const { error, code } = normalized;
      yield faultItem(index, record, names, error.path, error.message, code);
    }
  }
}

function faultItem(
  index: number,
  record: Decoded<OtlpSpan | OtlpLog>,
  names: ExportNames,
  path: string | undefined,
  reason: string,
  code: string,
): IntakeItem {
  const place = recordPath(names, record);
  const raw = record.raw();
  const isBinary = raw instanceof Uint8Array;
  return {
    fault: {
      index,
      input: {
        code,
        path: path === undefined ? place : `${place}.${path}`,
        reason,
        bytes: isBinary ? raw : raw === undefined ? undefined : Buffer.from(JSON.stringify(raw)),
        text: readable(record.value ?? (isBinary ? undefined : raw)),
      },
    },
  };
}

/**
 * A record as redacted JSON text. Attributes become plain members first, so that redaction sees each name next to its
 * value: the reason why no text is taken from protobuf bytes or from OTLP JSON as it stands. Without the resource.
 */
function readable(record: object | undefined): string | undefined {
  if (record === undefined) return undefined;
  const plain = JSON.stringify({ ...record, resource: undefined }, (_key, part: unknown) => plainPart(part));
  return JSON.stringify(redactValue(JSON.parse(plain) as unknown).value);
}

/** One step of `JSON.stringify`, which goes on into what this returns. */
function plainPart(part: unknown): unknown {
  if (typeof part === 'bigint') return String(part);
  if (typeof part !== 'object' || part === null) return part;
  if (part instanceof Map) return Object.fromEntries(part) as unknown;
  if (part instanceof Uint8Array) return Buffer.from(part).toString('base64');
  if (Array.isArray(part)) {
    return part.length > 0 && part.every(isKeyValue)
      ? Object.fromEntries(part.map(({ key, value }) => [key, jsonAnyValue(value)]))
      : part;
  }
  return jsonAnyValue(part);
}

/** The content of an OTLP JSON AnyValue, which is the only member of its object. */
function jsonAnyValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const [member, ...others] = Object.entries(value) as [string, unknown][];
  if (
    member === undefined ||
    others.length > 0 ||
    !/^(?:string|bool|int|double|bytes|array|kvlist)Value$/.test(member[0])
  ) {
    return value;
  }
  const content = member[1];
  return typeof content === 'object' && content !== null && 'values' in content ? content.values : content;
}

function isKeyValue(value: unknown): value is { readonly key: string; readonly value: unknown } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'key' in value &&
    typeof value.key === 'string' &&
    'value' in value
  );
}
