import { isObject, type JsonObject } from '../../schemas/json-object.ts';
import { elementSpans, memberSpans, type Span } from './member-spans.ts';

/** What a line holds: one message, the messages of a batch (protocol revision 2025-03-26), or something else. */
export type LinePart =
  | {
      readonly kind: 'message';
      readonly value: JsonObject;
      readonly span: Span;
      readonly batchIndex: number | undefined;
    }
  | { readonly kind: 'unusable'; readonly reason: 'not_json' | 'not_json_rpc'; readonly span: Span };

const ENVELOPE = new Set(['id', 'method', 'params', 'result', 'error']);
const PARAMS = new Set(['name', 'arguments']);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads one line (attacker-controlled). */
export function* readParts(line: Uint8Array): Generator<LinePart> {
  const whole: Span = { start: 0, end: line.length };
  const value = parse(line);
  if (isMessage(value)) {
    yield { kind: 'message', value, span: whole, batchIndex: undefined };
    return;
  }
  if (!Array.isArray(value) || value.length === 0) {
    yield { kind: 'unusable', reason: value === undefined ? 'not_json' : 'not_json_rpc', span: whole };
    return;
  }
  let index = 0;
  for (const span of elementSpans(line, whole)) {
    const element: unknown = value[index];
    yield isMessage(element)
      ? { kind: 'message', value: element, span, batchIndex: index }
      : { kind: 'unusable', reason: 'not_json_rpc', span };
    index++;
  }
}

/** Sizes of what a message carries, cut from the wire; and whether a member that matters is there twice. */
export function messageSizes(line: Uint8Array, message: Span) {
  const envelope = memberSpans(line, message, ENVELOPE);
  const params = envelope.spans.get('params');
  const inner = params === undefined ? undefined : memberSpans(line, params, PARAMS);
  return {
    argumentsBytes: length(inner?.spans.get('arguments') ?? params),
    resultBytes: length(envelope.spans.get('error') ?? envelope.spans.get('result')),
    repeated: envelope.repeated || inner?.repeated === true,
  };
}

/** Key of a request id: `1` and `"1"` are different ids, and anything but strings and numbers is none. */
export function idKey(id: unknown): string | undefined {
  return typeof id === 'number' ? `n${id}` : typeof id === 'string' ? `s${id.slice(0, 1024)}` : undefined;
}

export function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09);
}

const length = (span: Span | undefined) => (span === undefined ? undefined : span.end - span.start);

function isMessage(value: unknown): value is JsonObject {
  if (!isObject(value)) return false;
  return 'method' in value ? typeof value['method'] === 'string' : 'result' in value || 'error' in value;
}

function parse(line: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(line)) as unknown;
  } catch {
    return undefined;
  }
}
