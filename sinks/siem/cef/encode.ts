import type { Alert, Severity } from '../../../schemas/alert.ts';
import { product } from '../product.ts';
import { cutChars, escapeWithin, showControl } from '../text.ts';
import { cefFields } from './fields.ts';

const severities: Record<Severity, number> = { info: 0, low: 3, medium: 5, high: 8, critical: 10 };

/** A field that would get fewer bytes than this says nothing: it is left out. */
const FIELD_MIN_BYTES = 24;
const CUT_FLAG = ' CustodyMcpCut=1';

/**
 * `CEF:0|vendor|product|version|class id|name|severity|extension`. In the header `\` and `|` are escaped, in the
 * extension `\`, `=` and the line ends; every other control character is shown as `\uXXXX`.
 */
export function encodeCef(alert: Alert, maxBytes: number): string {
  const nameMaxBytes = Math.max(32, Math.floor(maxBytes / 6));
  const header = [
    'CEF:0',
    product.vendor,
    product.name,
    product.version,
    escapeWithin(cutChars(alert.detector.id, 63), headerChar, 64),
    escapeWithin(cutChars(alert.title, 512), headerChar, nameMaxBytes),
    severities[alert.severity],
  ].join('|');
  return `${header}|${extension(alert, maxBytes - Buffer.byteLength(header) - 1)}`;
}

function headerChar(char: string): string {
  if (char === '\\' || char === '|') return `\\${char}`;
  return showControl(char).replace('\\', '\\\\');
}

function extensionChar(char: string): string {
  if (char === '\\' || char === '=') return `\\${char}`;
  if (char === '\n') return '\\n';
  if (char === '\r') return '\\r';
  return showControl(char).replace('\\', '\\\\');
}

/**
 * The fields in order, `externalId` always whole. When they do not all fit, the least important are left out until
 * the others can have a useful length, and the longest values are cut to one common length.
 */
function extension(alert: Alert, maxBytes: number): string {
  const [id, ...others] = cefFields(alert).map(({ key, value, maxChars }) => {
    const limited = cutChars(value, maxChars);
    const text = `${key}=${escapeWithin(limited, extensionChar, maxBytes)}`;
    return { key, limited, text, bytes: Buffer.byteLength(text) + 1, overlong: limited !== value };
  });
  if (id === undefined) return '';
  const totalBytes = others.reduce((sum, { bytes }) => sum + bytes, id.bytes) - 1;
  if (totalBytes <= maxBytes && !others.some(({ overlong }) => overlong))
    return [id, ...others].map(({ text }) => text).join(' ');

  const budget = maxBytes - CUT_FLAG.length - id.bytes;
  const valueBytes = others.map(({ key, bytes }) => bytes - key.length - 2);
  const leastBytes = valueBytes.map((bytes, index) => keyBytes(index) + Math.min(bytes, FIELD_MIN_BYTES));
  let count = fitting(leastBytes, budget);
  if (others[count]?.key.endsWith('Label') === true) count -= 1;
  const kept = others.slice(0, count);
  const keysBytes = kept.reduce((sum, _field, index) => sum + keyBytes(index), 0);
  const maxValueBytes = commonLength(valueBytes.slice(0, count), budget - keysBytes);
  const texts = kept.map(
    ({ key, limited }) => `${key}=${escapeWithin(limited, extensionChar, maxValueBytes)}`,
  );
  return [id.text, ...texts].join(' ') + CUT_FLAG;

  function keyBytes(index: number): number {
    return (others[index]?.key.length ?? 0) + 2;
  }
}

/** How many of the sizes, from the first, fit the budget. */
function fitting(sizes: readonly number[], budget: number): number {
  let left = budget;
  const first = sizes.findIndex((size) => (left -= size) < 0);
  return first === -1 ? sizes.length : first;
}

/** The largest length L for which the values, each cut to L bytes, fit the budget together. */
function commonLength(lengths: readonly number[], budget: number): number {
  const ascending = [...lengths].sort((a, b) => a - b);
  let left = budget;
  for (const [index, length] of ascending.entries()) {
    const share = Math.floor(left / (ascending.length - index));
    if (length > share) return share;
    left -= length;
  }
  return Math.max(0, ...ascending);
}
