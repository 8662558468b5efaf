import type { Alert, Severity } from '../../../schemas/alert.ts';
import { encodeCef } from '../cef/encode.ts';
import { findingUid } from '../finding-uid.ts';
import { escapeWithin, showControl } from '../text.ts';

/** RFC 5424 §6.2.1: critical 2, error 3, warning 4, notice 5, informational 6. */
const severities: Record<Severity, number> = { info: 6, low: 5, medium: 4, high: 3, critical: 2 };

/** RFC 5424 allows 255; a shorter bound leaves room for the finding in 480-byte messages. */
export const HOSTNAME_MAX_CHARS = 64;

export interface SyslogFormat {
  readonly facility: number;
  /** IANA private enterprise number of the structured data element. */
  readonly enterpriseNumber: number;
  readonly hostname: string;
  /** Of the whole syslog message, without the framing. */
  readonly messageMaxBytes: number;
}

/**
 * One alert as one RFC 5424 message (without framing, no byte order mark, no control character at all):
 *
 *   <PRI>1 TIMESTAMP HOSTNAME custody - MSGID [finding@PEN uid="alert id" finding="…" tenant="…"] CEF:0|…
 *
 * Fits `messageMaxBytes`; the structured data, with the id a receiver can remove duplicates by, is never cut.
 */
export function encodeSyslog(alert: Alert, format: SyslogFormat): string {
  const priority = format.facility * 8 + severities[alert.severity];
  const hostname = printable(format.hostname, HOSTNAME_MAX_CHARS);
  const data = [
    `finding@${format.enterpriseNumber}`,
    `uid="${alert.alert_id}"`,
    ...(format.messageMaxBytes >= 1024
      ? [`finding="${findingUid(alert)}"`, `tenant="${escapeWithin(alert.tenant, paramChar, 80)}"`]
      : []),
  ].join(' ');
  const head = `<${priority}>1 ${syslogTime(Number(BigInt(alert.time_unix_nano) / 1_000_000n))} ${hostname} custody - ${printable(alert.detector.id, 32)} [${data}] `;
  return head + encodeCef(alert, format.messageMaxBytes - Buffer.byteLength(head));
}

/** Puts messages on the wire: RFC 6587 octet counting (bytes, not characters), or a line feed behind each. */
export function frameSyslog(message: string, framing: 'octet' | 'lf'): Buffer {
  if (framing === 'lf') return Buffer.from(`${message}\n`);
  return Buffer.from(`${Buffer.byteLength(message)} ${message}`);
}

const YEAR_2100_MS = 4_102_444_800_000;

/** RFC 5424 TIMESTAMP. rsyslog refuses later years and then takes the whole header for text: no time is better. */
export function syslogTime(timeMs: number): string {
  return timeMs < YEAR_2100_MS ? new Date(timeMs).toISOString() : '-';
}

/** RFC 5424 PRINTUSASCII: everything else becomes `_`; never empty. */
export function printable(text: string, maxChars: number): string {
  const safe = text.slice(0, maxChars).replace(/[^\x21-\x7e]/g, '_');
  return safe === '' ? '-' : safe;
}

/** RFC 5424 §6.3.3: `"`, `\` and `]` are escaped by a backslash. One character of a parameter's value. */
export function paramChar(char: string): string {
  if (char === '"' || char === '\\' || char === ']') return `\\${char}`;
  return showControl(char).replace('\\', '\\\\');
}
