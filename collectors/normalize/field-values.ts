import { limits } from '../../schemas/event/limits.ts';
import type { AttributeValue } from '../otlp/model.ts';
import { plainValue } from './plain-value.ts';
import { addCounts, clip, redactIdentity, redactText } from './redact.ts';

/** Collects what redaction replaced while one event is built. */
export type RedactionCounts = Record<string, number>;

/** A value as one line of text; structures as JSON, empty as undefined. */
export function asText(value: AttributeValue | undefined): string | undefined {
  switch (typeof value) {
    case 'string':
      return value === '' ? undefined : value;
    case 'number':
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? undefined : JSON.stringify(plainValue(value));
    default:
      return undefined;
  }
}

/** A redacted label of bounded length. */
export function asName(
  value: AttributeValue | undefined,
  counts: RedactionCounts,
  maxChars: number = limits.nameChars,
): string | undefined {
  const text = asText(value);
  if (text === undefined) return undefined;
  const redacted = redactText(text);
  addCounts(counts, redacted.counts);
  return clip(redacted.text, maxChars);
}

/** As a name, but e-mail addresses stay: who acted is the point of an audit record. */
export function asIdentity(value: AttributeValue | undefined, counts: RedactionCounts): string | undefined {
  const text = asText(value);
  if (text === undefined) return undefined;
  const redacted = redactIdentity(text);
  addCounts(counts, redacted.counts);
  return clip(redacted.text, limits.idChars);
}

/** A whole number from 0 to 2^53 - 1, also from decimal text. */
export function asCount(value: AttributeValue | undefined): number | undefined {
  const number =
    typeof value === 'string'
      ? /^\d{1,16}$/.test(value)
        ? Number(value)
        : NaN
      : typeof value === 'bigint'
        ? Number(value)
        : value;
  if (typeof number !== 'number' || !(number >= 0)) return undefined;
  const whole = Math.trunc(number);
  return Number.isSafeInteger(whole) ? whole + 0 : undefined;
}

/** A finite amount from 0. */
export function asAmount(value: AttributeValue | undefined): number | undefined {
  const number = typeof value === 'string' && value.length < 32 ? Number(value) : value;
  return typeof number === 'number' && number >= 0 && Number.isFinite(number) ? number + 0 : undefined;
}

export function asFlag(value: AttributeValue | undefined): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number' || typeof value === 'bigint')
    return value == 1 ? true : value == 0 ? false : undefined;
  if (typeof value !== 'string') return undefined;
  const word = value.toLowerCase();
  if (word === 'true' || word === 'yes' || word === '1') return true;
  return word === 'false' || word === 'no' || word === '0' ? false : undefined;
}

/** Items of an array, or words of a text separated by spaces or commas; bounded, redacted, without repetitions. */
export function asList(
  value: AttributeValue | undefined,
  counts: RedactionCounts,
  max: number,
): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  const items: readonly AttributeValue[] = Array.isArray(value)
    ? (value as readonly AttributeValue[])
    : listFromText(asText(value) ?? '', max);
  const out = new Set<string>();
  for (const item of items) {
    if (out.size >= max) break;
    const name = asName(item, counts);
    if (name !== undefined) out.add(name);
  }
  return out.size === 0 ? undefined : [...out];
}

function listFromText(text: string, max: number): string[] {
  if (text.startsWith('[')) {
    try {
      const parsed = JSON.parse(text) as unknown;
      if (Array.isArray(parsed)) return parsed.slice(0, max).filter((item) => typeof item === 'string');
    } catch {
      // Not JSON after all: words.
    }
  }
  return text.split(/[\s,]+/, max + 1).filter((word) => word !== '');
}

/** Decimal nanoseconds since the epoch, from nanoseconds, ISO 8601 text, or a number of seconds, milliseconds …; 0 is absent. */
export function asUnixNano(value: AttributeValue | undefined): string | undefined {
  if (typeof value === 'string' && !/^\d+(?:\.\d+)?$/.test(value)) return isoNano(value);
  const text =
    typeof value === 'number' && Number.isFinite(value) && value > 0 ? String(value) : asText(value);
  const match = text === undefined ? null : /^(\d{1,20})(?:\.(\d{1,20}))?$/.exec(text);
  if (match === null) return undefined;
  const whole = (match[1] ?? '').replace(/^0+/, '');
  if (whole === '') return undefined;
  // 1e11 seconds is the year 5138, 1e11 milliseconds is 1973: the length tells the unit.
  const fractionDigits = whole.length <= 11 ? 9 : whole.length <= 14 ? 6 : whole.length <= 17 ? 3 : 0;
  return whole + (match[2] ?? '').padEnd(fractionDigits, '0').slice(0, fractionDigits);
}

function isoNano(text: string): string | undefined {
  const match = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:[.,](\d{1,12}))?(Z|[+-]\d{2}:?\d{2})?$/i.exec(
    text,
  );
  if (match === null) return undefined;
  const [, day = '', time = '', fraction = '', zone = 'Z'] = match;
  const seconds = Math.floor(Date.parse(`${day}T${time}${zone.toUpperCase()}`) / 1000);
  if (!Number.isSafeInteger(seconds) || seconds <= 0) return undefined;
  return String(seconds) + fraction.padEnd(9, '0').slice(0, 9);
}
