import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { product } from '../../../../sinks/siem/product.ts';
import { encodeOcsf } from '../../../../sinks/siem/ocsf/encode.ts';
import { hostileAlert, sampleAlert, uuid } from '../sample-alert.ts';
import { detectionFindingSchema } from './detection-finding-schema.ts';
import { verifies } from '../../../requirements.ts';

const validate = new Ajv2020({ allErrors: true, strict: false }).compile(detectionFindingSchema);
/** What the tests look into; the schema check covers the rest. */
interface OcsfEvent {
  readonly message: string;
  readonly metadata: { readonly uid: string; readonly untruncated_size?: number };
  readonly finding_info: { readonly uid: string };
  readonly evidences: readonly { readonly uid: string }[];
  readonly resources: readonly { readonly name: string }[];
  readonly observables: readonly object[];
}
const parse = (line: string) => JSON.parse(line) as OcsfEvent;

describe('OCSF encoder', () => {
  it('maps every field of an alert to the attribute the schema has for it', () => {
    const event = parse(encodeOcsf(sampleAlert(1, { policy_decision: 'deny' }), 20_000));
    expect(event).toMatchObject({
      class_uid: 2004,
      activity_id: 1,
      type_uid: 2004 * 100 + 1,
      time: 1_790_000_000_001,
      severity_id: 4,
      severity: 'High',
      confidence_score: 82,
      confidence_id: 3,
      risk_score: 82,
      risk_level_id: 3,
      action_id: 2,
      disposition_id: 2,
      metadata: {
        version: '1.8.0',
        uid: uuid(1),
        tenant_uid: 'acme',
        profiles: ['security_control'],
        correlation_uid: '0af7651916cd43dd8448eb211c80319c',
      },
      finding_info: {
        analytic: { uid: 'exfil_spike', version: '3' },
        attacks: [
          { technique: { uid: 'T1567' } },
          { technique: { uid: 'T1552' }, sub_technique: { uid: 'T1552.005' } },
          { technique: { uid: 'AML.T0086' } },
        ],
        related_events: [{ uid: uuid(1_000_001) }, { uid: uuid(2_000_001) }],
      },
      unmapped: { owasp: ['ASI02', 'MCP10'], score: 0.82, dedup_key: 'exfil|acme|evil.example.test|1' },
    });
    expect(event.evidences[0]).toMatchObject({
      uid: uuid(2_000_001),
      actor: { user: { uid: 'jo@example.test' }, session: { uid: 'sess-1' }, app_uid: 'agent-7' },
      api: { operation: 'tools/call', service: { name: 'mail' } },
    });
    expect(event.observables).toContainEqual({
      name: 'unmapped.destinations[0]',
      type_id: 1,
      type: 'Hostname',
      value: 'evil.example.test',
    });
    expect(event.observables).toContainEqual({
      name: 'unmapped.destinations[1]',
      type_id: 2,
      type: 'IP Address',
      value: '192.0.2.7',
    });
  });

  it('carries the risk of the incident as its own, and names the incident', () => {
    const event = parse(
      encodeOcsf(
        sampleAlert(1, { incident_id: uuid(9), risk_score: 74, related_incidents: [uuid(8)] }),
        20_000,
      ),
    );
    expect(event).toMatchObject({
      risk_score: 74,
      status_id: 1,
      is_alert: true,
      unmapped: { incident_id: uuid(9), related_incidents: [uuid(8)] },
    });
    expect(validate(event), JSON.stringify(validate.errors)).toBe(true);
  });

  it.each([
    ['shadow', { status_id: 1, status: 'New', is_alert: false }],
    ['suppressed', { status_id: 3, status: 'Suppressed', is_alert: true }],
  ] as const)('says of an alert that is %s what a SIEM must know', (mode, expected) => {
    const event = parse(encodeOcsf(sampleAlert(1, { mode }), 20_000));
    expect(event).toMatchObject({ ...expected, unmapped: { mode } });
    expect(validate(event), JSON.stringify(validate.errors)).toBe(true);
  });

  it('names the product with the version of the package', () => {
    const packageFile = new URL('../../../../package.json', import.meta.url);
    expect(product.version).toBe(
      (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version,
    );
  });

  it('gives alerts about one matter one finding uid, and other tenants and detectors another', () => {
    const uid = (overrides: object) => parse(encodeOcsf(sampleAlert(1, overrides), 20_000)).finding_info.uid;
    const base = uid({ dedup_key: 'k' });
    expect(base).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(uid({ dedup_key: 'k', alert_id: uuid(9), reason: 'other' })).toBe(base);
    expect(uid({ dedup_key: 'k', tenant: 'other' })).not.toBe(base);
    expect(uid({ dedup_key: 'k', detector: { id: 'loop', version: 3 } })).not.toBe(base);
  });

  it('the schema check itself refuses a wrong event', () => {
    const event = parse(encodeOcsf(sampleAlert(1), 20_000));
    expect(validate(event)).toBe(true);
    expect(validate({ ...event, severity_id: 7 })).toBe(false);
    expect(validate({ ...event, tool: 'x' })).toBe(false);
    expect(validate({ ...event, evidences: [{ uid: 'x' }] })).toBe(false);
  });

  it('writes any alert as one line of valid OCSF within the limit, the same bytes each time', () => {
    fc.assert(
      fc.property(hostileAlert, fc.constantFrom(20_000, 65_535), (alert, maxBytes) => {
        const line = encodeOcsf(alert, maxBytes);
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(maxBytes);
        // Every character some reader takes for a line end or a control sequence is escaped.
        // eslint-disable-next-line no-control-regex -- control characters are what must not be there
        expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e\ufeff]/);
        expect(Buffer.from(line).toString()).toBe(line);
        const event = parse(line);
        if (!validate(event)) throw new Error(JSON.stringify(validate.errors));
        expect(event.metadata.uid).toBe(alert.alert_id);
        expect(event.evidences[0]?.uid).toBe(alert.evidence.at(-1));
        expect(encodeOcsf(structuredClone(alert), maxBytes)).toBe(line);
      }),
      { numRuns: 150 },
    );
  });

  it('keeps texts exactly when they fit', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }), (reason) => {
        expect(parse(encodeOcsf(sampleAlert(1, { reason }), 65_535)).message).toBe(
          Buffer.from(reason).toString(),
        );
      }),
    );
  });

  it('cuts a megabyte name, says so, and keeps the ids', () => {
    verifies('P10');
    const whole = sampleAlert(1);
    const event = parse(
      encodeOcsf(
        {
          ...whole,
          tool_name: 'x'.repeat(1_000_000),
          destinations: Array.from({ length: 32 }, () => 'd'.repeat(5000)),
        },
        20_000,
      ),
    );
    expect(event.metadata).toMatchObject({ uid: whole.alert_id, is_truncated: true });
    expect(event.metadata.untruncated_size).toBeGreaterThan(1900);
    expect(event.finding_info.uid).toBe(parse(encodeOcsf(whole, 20_000)).finding_info.uid);
    expect(event.resources[1]?.name).toMatch(/^x+~\[cut\]$/);
  });
});
