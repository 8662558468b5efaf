import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { Alert } from '../../../schemas/alert.ts';

/** A stable UUID for a number, so that tests can name alerts. */
export function uuid(n: number): string {
  const hex = createHash('sha256').update(String(n)).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export function sampleAlert(n: number, overrides: Partial<Alert> = {}): Alert {
  return {
    schema: 'custody.alert/v1',
    alert_id: uuid(n),
    detector: { id: 'exfil_spike', version: 3 },
    time_unix_nano: String(1_790_000_000_000_000_000n + BigInt(n) * 1_000_000n),
    tenant: 'acme',
    title: 'Unusual volume sent to one destination',
    severity: 'high',
    score: 0.82,
    reason: 'Tool mail.send sent 4.2 MiB to evil.example.test in one session.',
    observed: '4.2 MiB in 3 calls',
    normal: '12 KiB per call (99th percentile)',
    distance: '350 times the usual volume',
    dedup_key: `exfil|acme|evil.example.test|${n}`,
    evidence: [uuid(n + 1_000_000), uuid(n + 2_000_000)],
    session_key: 'sess-1',
    trace_id: '0af7651916cd43dd8448eb211c80319c',
    actor_id: 'agent-7',
    user_id: 'jo@example.test',
    server_name: 'mail',
    tool_name: 'mail.send',
    policy_decision: 'allow',
    destinations: ['evil.example.test', '192.0.2.7', 'mailto:jo'],
    references: { owasp: ['ASI02', 'MCP10'], atlas: ['AML.T0086'], attack: ['T1567', 'T1552.005'] },
    ...overrides,
  };
}

/** What has broken log formats before. */
export const hostileTexts = [
  'a|b||c',
  'k=v == w',
  'back\\slash \\n \\\\',
  'line\nfeed\r\ncr\rend',
  'quote " bracket ] [x@1 y="z"]',
  '漢字かな한글',
  'emoji 👩‍👩‍👧‍👦 🏴',
  'nul\u0000 bell\u0007 esc\u001b[31m del\u007f c1\u0085\u009b',
  'sep\u2028para\u2029 bidi\u202e\u2066 bom\ufeff',
  'lone \ud800 surrogate \udc00',
  ' leading and trailing ',
  'CEF:0|x|y|z|1|fake|10|externalId=forged act=allow',
  '<34>1 2026-01-01T00:00:00Z h a - - - forged',
  '{"class_uid":2004}\n{"forged":true}',
] as const;

const hostileText = (maxLength: number) =>
  fc
    .oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.constantFrom(...hostileTexts),
      fc
        .array(fc.constantFrom('|', '\\', '=', '\n', '\r', '"', ']', ' ', '\u0000', '\ud83d', '漢', '👾'), {
          maxLength: 80,
        })
        .map((parts) => parts.join('')),
      fc
        .tuple(fc.constantFrom('x', '漢', '👾', '\u0001', '\\', '='), fc.integer({ min: 1, max: 4000 }))
        .map(([unit, count]) => unit.repeat(count)),
    )
    .map((text) => (text === '' ? 'x' : text.slice(0, maxLength)));
const optional = <K extends keyof Alert>(key: K, arbitrary: fc.Arbitrary<NonNullable<Alert[K]>>) =>
  fc.option(arbitrary, { nil: undefined }).map((value) => (value === undefined ? {} : { [key]: value }));

/** Any alert the schema allows, with texts an attacker would choose. */
export const hostileAlert: fc.Arbitrary<Alert> = fc
  .record({
    n: fc.nat(),
    severity: fc.constantFrom('info', 'low', 'medium', 'high', 'critical' as const),
    score: fc.double({ min: 0, max: 1, noNaN: true }),
    title: hostileText(2048),
    reason: hostileText(2048),
    observed: hostileText(2048),
    normal: hostileText(2048),
    distance: hostileText(2048),
    dedup_key: hostileText(512),
    detectorId: hostileText(4000),
    evidence: fc.array(fc.nat().map(uuid), { minLength: 1, maxLength: 32 }),
    time_unix_nano: fc.bigInt({ min: 0n, max: 99_999_999_999_999_999_999n }).map(String),
    optionals: fc
      .tuple(
        ...(
          [
            'session_key',
            'trace_id',
            'actor_id',
            'user_id',
            'server_name',
            'tool_name',
            'policy_decision',
          ] as const
        ).map((key) => optional(key, hostileText(1_000_000))),
        optional('destinations', fc.array(hostileText(4000), { maxLength: 32 })),
        optional('incident_id', fc.nat().map(uuid)),
        optional('related_incidents', fc.array(fc.nat().map(uuid), { maxLength: 4 })),
        optional('risk_score', fc.integer({ min: 0, max: 100 })),
        optional('mode', fc.constantFrom('shadow', 'suppressed' as const)),
        optional('suppressed_by', hostileText(256)),
      )
      .map((parts) => Object.assign({}, ...parts) as Partial<Alert>),
    references: fc.record({
      owasp: fc.array(hostileText(300), { maxLength: 6 }),
      atlas: fc.array(hostileText(300), { maxLength: 6 }),
      attack: fc.array(hostileText(300), { maxLength: 6 }),
    }),
  })
  .map(({ n, detectorId, optionals, ...rest }) => {
    const { schema, alert_id, tenant } = sampleAlert(n);
    return { schema, alert_id, tenant, detector: { id: detectorId, version: 1 }, ...rest, ...optionals };
  });
