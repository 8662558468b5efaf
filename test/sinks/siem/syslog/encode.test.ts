import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeSyslog, frameSyslog } from '../../../../sinks/siem/syslog/encode.ts';
import { parseCef } from '../cef/parse-cef.ts';
import { hostileAlert, hostileTexts, sampleAlert, uuid } from '../sample-alert.ts';

const format = {
  facility: 13,
  enterpriseNumber: 32473,
  hostname: 'audit.example.test',
  messageMaxBytes: 8192,
};

/** RFC 5424 §6: HEADER with its length limits, one SD-ELEMENT whose values escape `"`, `\`, `]`, then the message. */
const rfc5424 =
  /^<(\d{1,3})>1 (-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) \[([!-<>-\\^-~]{1,32})((?: [a-z]+="(?:[^"\\\]]|\\["\\\]])*")+)\] (CEF:0\|.*)$/su;

describe('syslog encoder', () => {
  it('writes the header, the structured data and the CEF message', () => {
    const message = encodeSyslog(sampleAlert(1), format);
    expect(message).toMatch(rfc5424);
    expect(message).toContain(
      '<107>1 2026-09-21T14:13:20.001Z audit.example.test custody - exfil_spike [finding@32473 uid="',
    );
    expect(message).toContain(`uid="${uuid(1)}"`);
    expect(message).toContain('tenant="acme"');
    expect(message.charCodeAt(0)).toBe('<'.charCodeAt(0));
  });

  it('maps severity to the priority', () => {
    const priority = (severity: 'info' | 'critical') =>
      /^<(\d+)>/.exec(encodeSyslog(sampleAlert(1, { severity }), format))?.[1];
    expect(priority('info')).toBe(String(13 * 8 + 6));
    expect(priority('critical')).toBe(String(13 * 8 + 2));
  });

  it('turns what RFC 5424 does not allow in header names into underscores', () => {
    const message = encodeSyslog(
      sampleAlert(1, { detector: { id: 'böse regel]\n'.repeat(9), version: 1 } }),
      { ...format, hostname: 'host name\n' },
    );
    expect(rfc5424.exec(message)?.[3]).toBe('host_name_');
  });

  it('one alert is one message of the grammar, within the limit, with the id in structured data and in CEF', () => {
    fc.assert(
      fc.property(hostileAlert, fc.constantFrom(480, 1023, 2048, 8192), (alert, messageMaxBytes) => {
        const message = encodeSyslog(alert, { ...format, hostname: 'h'.repeat(300), messageMaxBytes });
        expect(Buffer.byteLength(message)).toBeLessThanOrEqual(messageMaxBytes);
        const parts = rfc5424.exec(message);
        expect(parts?.[8]).toContain(` uid="${alert.alert_id}"`);
        expect(parseCef(parts?.[9] ?? '').extension.get('externalId')).toBe(alert.alert_id);
        expect(frameSyslog(message, 'lf').filter((byte) => byte === 0x0a)).toHaveLength(1);
        const frame = frameSyslog(message, 'octet').toString('latin1');
        expect(Number(/^\d+/.exec(frame)?.[0])).toBe(Buffer.byteLength(message));
      }),
      { numRuns: 200 },
    );
  });

  it('leaves out a time receivers refuse, and keeps it in CEF', () => {
    const message = encodeSyslog(sampleAlert(1, { time_unix_nano: '4102444800000000000' }), format);
    expect(rfc5424.exec(message)?.[2]).toBe('-');
    expect(parseCef(rfc5424.exec(message)?.[9] ?? '').extension.get('rt')).toBe('4102444800000');
  });

  it('escapes structured data values', () => {
    for (const tenant of hostileTexts)
      expect(encodeSyslog(sampleAlert(1, { tenant }), format)).toMatch(rfc5424);
    expect(encodeSyslog(sampleAlert(1, { tenant: 'a"b]c\\d' }), format)).toContain('tenant="a\\"b\\]c\\\\d"');
  });
});
