import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalizeAudit } from '../../../collectors/normalize/audit.ts';
import type { NormalizeContext } from '../../../collectors/normalize/context.ts';
import { canonicalJson } from '../../../evidence/canonical-json.ts';
import { encodeEvent } from '../../../collectors/normalize/encode.ts';
import { normalizeLog } from '../../../collectors/normalize/log.ts';
import { normalizeSpan } from '../../../collectors/normalize/span.ts';
import type { AttributeValue, OtlpSpan } from '../../../collectors/otlp/model.ts';
import { InputError } from '../../../runtime/errors.ts';
import { otlpLog as log, otlpSpan as span } from './otlp-items.ts';
import { CUT } from './secrets.ts';
import { eventSchema, type CustodyEvent } from '../../../schemas/event.ts';
import { limits } from '../../../schemas/event/limits.ts';

const context: NormalizeContext = {
  collector: 'otlp_grpc',
  tenant: 'default',
  tenantPinned: false,
  observedTimeUnixNano: '1763700001000000000',
  digestKey: Buffer.alloc(32, 7),
};

const inputError = (work: () => unknown): InputError => {
  try {
    work();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('the tenant of a record', () => {
  it.each(['tenant.id', 'custody.tenant', 'tenant'])('is read from %s', (name) => {
    expect(normalizeSpan(span({ [name]: 'acme' }), context).tenant).toBe('acme');
  });
  it('is read from the resource, and the record overrules it', () => {
    const resource = new Map([['tenant.id', 'acme']]);
    expect(normalizeSpan(span({}, { resource }), context).tenant).toBe('acme');
    expect(normalizeSpan(span({ 'tenant.id': 'other' }, { resource }), context).tenant).toBe('other');
  });
  it('is the default for a record that names none', () => {
    expect(normalizeSpan(span(), context).tenant).toBe('default');
  });
  it('is the pinned one whatever the record says', () => {
    const pinned = { ...context, tenant: 'pinned', tenantPinned: true };
    expect(normalizeSpan(span({ 'tenant.id': 'acme' }), pinned).tenant).toBe('pinned');
    expect(normalizeSpan(span({ 'tenant.id': 'NOT VALID' }), pinned).tenant).toBe('pinned');
  });
  it.each<AttributeValue>(['ACME', 'a/b', 'a\nb', '-a', 'a'.repeat(64), 5, ['acme']])(
    'is refused when it is %j',
    (tenant) => {
      const error = inputError(() => normalizeSpan(span({ 'tenant.id': tenant }), context));
      expect(error.path).toBe('tenant.id');
      expect(error.message).not.toContain(JSON.stringify(tenant));
    },
  );
});

describe('the event id', () => {
  it('is the same when the record is sent again at another time and by another transport', () => {
    const again = {
      ...context,
      collector: 'otlp_http' as const,
      observedTimeUnixNano: '1763700009000000000',
    };
    expect(normalizeSpan(span({ n: 5 }), again).event_id).toBe(
      normalizeSpan(span({ n: 5n }), context).event_id,
    );
  });
  it('differs when anything in the record differs', () => {
    const ids = [
      span(),
      span({ a: 'b' }),
      span({ a: '1' }),
      span({ a: 1 }),
      span({ a: true }),
      span({ a: ['1'] }),
      span({ 'gen_ai.tool.call.arguments': '{"a":1}' }),
      span({ 'gen_ai.tool.call.arguments': '{"a":2}' }),
      span({}, { name: 'y' }),
      span({}, { startTimeUnixNano: '1' }),
      span({}, { statusCode: 2 }),
      span({}, { spanId: 'c'.repeat(16) }),
    ].map((item) => normalizeSpan(item, context).event_id);
    expect(new Set(ids).size).toBe(ids.length);
  });
  it('cannot be computed without the key, so nobody can guess a redacted value with it', () => {
    const other = { ...context, digestKey: Buffer.alloc(32, 8) };
    expect(normalizeSpan(span(), other).event_id).not.toBe(normalizeSpan(span(), context).event_id);
  });
});

describe('the session ladder', () => {
  const all: Record<string, AttributeValue> = {
    'gen_ai.conversation.id': 'conv',
    'session.id': 'agent',
    'mcp.session.id': 'mcp',
    'prompt.id': 'turn',
  };
  it.each([
    [[], 'conversation_id', 'conv', 'high'],
    [['gen_ai.conversation.id'], 'agent_session', 'agent', 'high'],
    [['gen_ai.conversation.id', 'session.id'], 'mcp_session', 'mcp', 'medium'],
    [['gen_ai.conversation.id', 'session.id', 'mcp.session.id'], 'turn_id', 'turn', 'medium'],
    [Object.keys(all), 'trace_root', 'a'.repeat(32), 'low'],
  ])('without %j stands on %s', (absent, source, key, confidence) => {
    const attributes = Object.fromEntries(Object.entries(all).filter(([name]) => !absent.includes(name)));
    expect(normalizeSpan(span(attributes), context).session).toEqual({ source, key, confidence });
  });
  it('has no rung for a log record without any of them', () => {
    expect(normalizeLog(log(), context).session).toBeUndefined();
  });
});

describe('times', () => {
  it.each(['0', '', '000', '-5', '99999999999999999999999'])('of %j become the time of receipt', (time) => {
    const event = normalizeSpan(span({}, { startTimeUnixNano: time, endTimeUnixNano: '0' }), context);
    expect(event.time_unix_nano).toBe(context.observedTimeUnixNano);
    expect(event.end_time_unix_nano).toBeUndefined();
  });
  it('of a log without its own come from when the sender saw it', () => {
    expect(normalizeLog(log({}, { timeUnixNano: '0' }), context).time_unix_nano).toBe('1763700000000000002');
  });
  it.each<[unknown, string]>([
    ['2026-01-05T10:00:00Z', '1767607200000000000'],
    ['2026-01-05T12:00:00.123456789+02:00', '1767607200123456789'],
    [1767607200, '1767607200000000000'],
    [1767607200.5, '1767607200500000000'],
    [1767607200123, '1767607200123000000'],
    ['1767607200123456789', '1767607200123456789'],
  ])('of an audit event are read from %j', (ts, expected) => {
    expect(normalizeAudit({ event: 'x', ts }, context).time_unix_nano).toBe(expected);
  });
  it('of an audit event that are no time are refused with their path', () => {
    expect(inputError(() => normalizeAudit({ event: 'x', ts: 'yesterday' }, context)).path).toBe('time');
  });
});

describe('attributes no table knows', () => {
  it('are bounded in number, and the rest is counted', () => {
    const many = Object.fromEntries(
      Array.from({ length: limits.attributeCount + 7 }, (_, index) => [`k${index}`, index]),
    );
    const event = normalizeSpan(span(many, { droppedAttributesCount: 3 }), context);
    expect(Object.keys(event.attributes ?? {})).toHaveLength(limits.attributeCount);
    expect(event.attributes_dropped).toBe(10);
  });
  it('are cut after redaction, so that no half of a secret stays', () => {
    const secret = `gh${CUT}p_${'a1B2'.repeat(9)}`;
    const event = normalizeSpan(span({ note: `${'x '.repeat(505)}${secret}` }), context);
    expect(event.attributes?.['note']).not.toContain('a1B2');
  });
  it('from the resource are kept apart by their prefix, without what describes the SDK', () => {
    const resource = new Map<string, AttributeValue>([
      ['cloud.region', 'eu-1'],
      ['telemetry.sdk.name', 'x'],
      ['process.command_line', 'run --token swordfish'],
    ]);
    expect(normalizeSpan(span({}, { resource }), context).attributes).toEqual({
      'resource.cloud.region': 'eu-1',
    });
  });
  it('with hostile names change no prototype', () => {
    const event = normalizeSpan(span({ constructor: 'a', toString: 'b', ['__proto__x']: 'c' }), context);
    expect(event.attributes).toEqual({ constructor: 'a', toString: 'b', ['__proto__x']: 'c' });
    const hostile = normalizeSpan(span({}, { attributes: new Map([['__proto__', 'x']]) }), context);
    expect(hostile.attributes_dropped).toBe(1);
  });
});

describe('redaction in an event', () => {
  const email = 'bob@example.com';
  const secret = `AKI${CUT}AIOSFODNN7EXAMPLE`;
  const places: Record<string, (text: string) => CustodyEvent> = {
    'a span name': (text) => normalizeSpan(span({}, { name: text }), context),
    'a status message': (text) => normalizeSpan(span({}, { statusMessage: text, statusCode: 2 }), context),
    'a scope name': (text) => normalizeSpan(span({}, { scopeName: text }), context),
    'a tool name': (text) => normalizeSpan(span({ 'gen_ai.tool.name': text }), context),
    'a policy reason': (text) => normalizeSpan(span({ 'policy.reason': text }), context),
    'an error type': (text) => normalizeSpan(span({ 'error.type': text }), context),
    'an attribute value': (text) => normalizeSpan(span({ x: text }), context),
    'an attribute name': (text) => normalizeSpan(span({ [text]: 'x' }), context),
    'a nested attribute': (text) => normalizeSpan(span({ x: new Map([['y', [text]]]) }), context),
    'arguments as text': (text) => normalizeSpan(span({ 'gen_ai.tool.call.arguments': text }), context),
    'arguments as a map': (text) =>
      normalizeSpan(span({ 'gen_ai.tool.call.arguments': new Map([['a', text]]) }), context),
    'a result': (text) => normalizeSpan(span({ 'gen_ai.tool.call.result': text }), context),
    'a grant': (text) => normalizeSpan(span({ 'scope.grants': [text] }), context),
    'a resource attribute': (text) => normalizeSpan(span({}, { resource: new Map([['x', text]]) }), context),
    'a log body': (text) => normalizeLog(log({}, { body: text }), context),
    'an audit member': (text) => normalizeAudit({ event: 'x', more: { deep: text } }, context),
    'audit arguments': (text) => normalizeAudit({ event: 'x', tool: 't', arguments: { a: [text] } }, context),
  };
  it.each(Object.entries(places))('covers %s', (_name, make) => {
    const text = Buffer.from(encodeEvent(make(`${email} ${secret}`))).toString();
    expect(text).not.toContain('bob');
    expect(text).not.toContain('IOSFODNN7');
    expect(JSON.parse(text)).toMatchObject({ pii: { redactions: { email: 1, aws_key: 1 } } });
  });
  it('keeps the e-mail address of who acts and no secret beside it', () => {
    const event = normalizeSpan(span({ 'user.id': email, 'actor.id': secret }), context);
    expect(event.actor).toMatchObject({ user_id: email, id: '[redacted:aws_key]' });
  });
  it('keeps of a token id a keyed digest only', () => {
    const event = normalizeSpan(span({ 'token.jti': 'jti-123' }), context);
    expect(event.scope?.token_digest).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(event)).not.toContain('jti-123');
  });
});

describe('a record that cannot become an event', () => {
  it.each<[Partial<OtlpSpan>, string]>([
    [{ traceId: '' }, 'traceId'],
    [{ spanId: 'xyz' }, 'spanId'],
  ])('names the path: %j', (more, path) => {
    expect(inputError(() => normalizeSpan(span({}, more), context)).path).toBe(path);
  });
  it.each([null, undefined, 5, 'x', [], {}, () => 1])('is the audit value %j', (value) => {
    expect(inputError(() => normalizeAudit(value, context)).code).toBe('input_invalid');
  });
});

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    'tools/call',
    'agent.plan',
    '',
    'allow',
    '{"a":1}',
    '[',
    '1e999',
    '{"a":1e999}',
    'mcp__a__b',
    '-32001',
    '401',
  ),
  fc.string({ maxLength: 40 }).map((piece) => piece.repeat(100)),
);
const names = fc.oneof(
  text,
  fc.constantFrom(
    ...[
      'mcp.method.name',
      'gen_ai.tool.name',
      'gen_ai.tool.call.arguments',
      'gen_ai.tool.call.result',
      'tenant.id',
      'error.type',
    ],
    ...[
      'http.response.status_code',
      'scope.grants',
      'ttl_sec',
      'session.id',
      'policy.decision',
      'event.kind',
      'custody.phase',
    ],
    ...[
      'openinference.span.kind',
      'traceloop.span.kind',
      'langfuse.observation.type',
      'sentry.op',
      'mcp.request.argument.x',
    ],
    ...[
      'fastmcp.component.key',
      'mcp.target',
      'url.full',
      'server.address',
      'cost.usd',
      'pii.count',
      'network.transport',
      '__proto__',
    ],
  ),
);
const { value: attributeValue } = fc.letrec<{ value: AttributeValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    text,
    fc.double(),
    fc.boolean(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.constant(null),
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(names, tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
  ),
}));
const attributeMap = fc
  .array(fc.tuple(names, attributeValue), { maxLength: 20 })
  .map((entries) => new Map(entries));
const nano = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String), fc.constantFrom('0', ''));

/** A schema-valid event in canonical order, or an InputError that names the path. */
function eventOrInputError(normalize: () => CustodyEvent): void {
  let event: CustodyEvent;
  try {
    event = normalize();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).path).toBeDefined();
    return;
  }
  expect(eventSchema.parse(event)).toEqual(event);
  const encoded = Buffer.from(encodeEvent(event)).toString();
  expect(JSON.parse(encoded)).toEqual(event);
  expect(canonicalJson(JSON.parse(encoded))).toBe(encoded);
}

describe('any input', () => {
  it('that is a span becomes a valid event or an InputError', () => {
    fc.assert(
      fc.property(
        fc.record({
          attributes: attributeMap,
          resource: attributeMap,
          name: text,
          kind: fc.nat(5),
          scopeName: fc.option(text, { nil: undefined }),
        }),
        fc.record({
          startTimeUnixNano: nano,
          endTimeUnixNano: nano,
          statusCode: fc.nat(2),
          statusMessage: text,
          flags: fc.nat(1000),
        }),
        (a, b) => {
          eventOrInputError(() => normalizeSpan(span({}, { ...a, ...b }), context));
        },
      ),
      { numRuns: 1500 },
    );
  });
  it('that is a log record becomes a valid event or an InputError', () => {
    fc.assert(
      fc.property(
        fc.record({
          attributes: attributeMap,
          resource: attributeMap,
          body: attributeValue,
          eventName: text,
          timeUnixNano: nano,
        }),
        (more) => {
          eventOrInputError(() => normalizeLog(log({}, more), context));
        },
      ),
      { numRuns: 1000 },
    );
  });
  it('that is any JSON becomes a valid event or an InputError as an audit event', () => {
    const keys = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 10 }),
      fc.constantFrom(
        'event',
        'tool',
        'result',
        'arguments',
        'ts',
        'tenant',
        'actor',
        'scopes',
        'name',
        'id',
        'outcome',
      ),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        text,
        fc.double(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(keys, tie('value'), { maxKeys: 6 }),
      ),
    }));
    fc.assert(
      fc.property(value, (audit) => {
        eventOrInputError(() => normalizeAudit(audit, context));
      }),
      { numRuns: 1500 },
    );
  });
  it('nested very deep is cut, not a stack overflow', () => {
    let deep: unknown = 'x';
    for (let depth = 0; depth < 50_000; depth++) deep = [deep];
    eventOrInputError(() => normalizeAudit({ event: 'x', arguments: deep }, context));
    eventOrInputError(() =>
      normalizeSpan(span({ 'gen_ai.tool.call.arguments': '['.repeat(50_000) + ']'.repeat(50_000) }), context),
    );
  });
});
