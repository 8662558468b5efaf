import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCef } from '../../../../sinks/siem/cef/encode.ts';
import { hostileAlert, hostileTexts, sampleAlert, uuid } from '../sample-alert.ts';
import { parseCef, shown } from './parse-cef.ts';

describe('CEF encoder', () => {
  it('maps an alert to the dictionary keys and labelled custom strings', () => {
    const { header, extension } = parseCef(encodeCef(sampleAlert(1), 8192));
    expect(header).toEqual([
      'Custody',
      'mcp-custody',
      '0.1.0',
      'exfil_spike',
      'Unusual volume sent to one destination',
      '8',
    ]);
    expect(Object.fromEntries(extension)).toMatchObject({
      externalId: uuid(1),
      rt: '1790000000001',
      suser: 'jo@example.test',
      act: 'allow',
      CustodyMcpTool: 'mail.send',
      CustodyMcpServer: 'mail',
      CustodyMcpTenant: 'acme',
      CustodyMcpDestinations: 'evil.example.test 192.0.2.7 mailto:jo',
      cs1: '4.2 MiB in 3 calls',
      cs1Label: 'observed',
      cfp1: '0.82',
      cfp1Label: 'score',
    });
    expect(extension.has('CustodyMcpCut')).toBe(false);
  });

  it('names the incident, its risk, and that an alert is on trial, where the alert says so', () => {
    const { extension } = parseCef(
      encodeCef(sampleAlert(1, { incident_id: uuid(9), risk_score: 74, mode: 'shadow' }), 8192),
    );
    expect(Object.fromEntries(extension)).toMatchObject({
      CustodyMcpIncident: uuid(9),
      CustodyMcpRisk: '74',
      CustodyMcpMode: 'shadow',
    });
    const plain = parseCef(encodeCef(sampleAlert(1), 8192)).extension;
    for (const key of ['CustodyMcpIncident', 'CustodyMcpRisk', 'CustodyMcpMode'])
      expect(plain.has(key)).toBe(false);
  });

  it.each(hostileTexts)('gives back %j after parsing', (text) => {
    const { header, extension } = parseCef(
      encodeCef(sampleAlert(1, { title: text, reason: text, tool_name: text }), 8192),
    );
    expect(header[4]).toBe(shown(text, 'shown'));
    expect(extension.get('msg')).toBe(shown(text));
    expect(extension.get('CustodyMcpTool')).toBe(shown(text));
    expect(extension.get('externalId')).toBe(uuid(1));
    expect(extension.get('act')).toBe('allow');
  });

  it('escapes by the specification: pipe in the header only, equals sign in the extension only', () => {
    const message = encodeCef(sampleAlert(1, { title: 'a|b=c\\d', reason: 'a|b=c\\d' }), 8192);
    expect(message).toContain('|a\\|b=c\\\\d|8|');
    expect(message).toContain(' msg=a|b\\=c\\\\d ');
  });

  it('writes any alert as one parsable line within the limit, with the whole id and no key twice', () => {
    fc.assert(
      fc.property(hostileAlert, fc.constantFrom(270, 400, 1000, 2048, 8192, 65_536), (alert, maxBytes) => {
        const message = encodeCef(alert, maxBytes);
        expect(Buffer.byteLength(message)).toBeLessThanOrEqual(maxBytes);
        // eslint-disable-next-line no-control-regex -- control characters are what must not be there
        expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e\ufeff]/);
        const { extension } = parseCef(message);
        expect(extension.get('externalId')).toBe(alert.alert_id);
        expect(extension.get('externalId')?.length).toBeLessThanOrEqual(40);
        for (const key of extension.keys())
          if (/^(cs|cn|cfp)\d$/.test(key)) expect(extension.has(`${key}Label`)).toBe(true);
        for (const [key, value] of extension)
          if (/^(msg|suser)$/.test(key))
            expect(value.replace(/\\u[0-9a-f]{4}/g, 'u').length).toBeLessThanOrEqual(2 * 1023);
      }),
      { numRuns: 200 },
    );
  });

  it('shares the room fairly: one huge field is cut, short ones stay whole, and the cut is marked', () => {
    const { extension } = parseCef(encodeCef(sampleAlert(1, { tool_name: 'x'.repeat(1_000_000) }), 1500));
    expect(extension.get('CustodyMcpTool')).toMatch(/^x+~\[cut\]$/);
    expect(extension.get('suser')).toBe('jo@example.test');
    expect(extension.get('CustodyMcpCut')).toBe('1');
  });
});
