import type { Attributes, AttributeValue } from '../otlp/model.ts';

/** Ends a value the decoder had to cut. */
export const CUT_MARK = '…[cut]';

/** More than any token is long: the half of a secret must not survive where its whole would not. */
const TAIL_MAX_CHARS = 4096;
/** A cut falls between characters, up to three bytes before the limit. */
const CHARACTER_BYTES_MAX = 4;
const DEPTH_MAX = 64;

/** The text without its last word, which a cut may have split: redaction would not know its first half. */
export function withoutTail(text: string): string {
  let end = text.length;
  const stop = Math.max(0, end - TAIL_MAX_CHARS);
  while (end > stop && !/[\s,;"'&<>{}[\]()]/.test(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

/** Attributes whose strings of the decoder's full length have lost their last word and say so; mostly the same Map. */
export function withoutCutTails(attributes: Attributes, stringMaxBytes: number, depth = 0): Attributes {
  let changed: Map<string, AttributeValue> | undefined;
  for (const [key, value] of attributes) {
    const whole = withoutCutTail(value, stringMaxBytes, depth);
    if (whole !== value) (changed ??= new Map(attributes)).set(key, whole);
  }
  return changed ?? attributes;
}

/** One value of any shape, as `withoutCutTails`. */
export function withoutCutTail(value: AttributeValue, stringMaxBytes: number, depth = 0): AttributeValue {
  if (typeof value === 'string')
    return mayBeCut(value, stringMaxBytes) ? withoutTail(value) + CUT_MARK : value;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || depth >= DEPTH_MAX)
    return value;
  if (value instanceof Map) return withoutCutTails(value as Attributes, stringMaxBytes, depth + 1);
  const items = value as readonly AttributeValue[];
  const whole = items.map((item) => withoutCutTail(item, stringMaxBytes, depth + 1));
  return whole.some((item, index) => item !== items[index]) ? whole : value;
}

function mayBeCut(text: string, stringMaxBytes: number): boolean {
  // No UTF-16 unit takes more than three bytes: most strings need no closer look.
  if (text.length * 3 <= stringMaxBytes - CHARACTER_BYTES_MAX) return false;
  return Buffer.byteLength(text, 'utf8') > stringMaxBytes - CHARACTER_BYTES_MAX;
}
