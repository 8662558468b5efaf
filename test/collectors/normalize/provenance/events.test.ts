import { describe, expect, it } from 'vitest';
import { normalizeAudit } from '../../../../collectors/normalize/audit.ts';
import type { NormalizeContext } from '../../../../collectors/normalize/context.ts';
import { encodeEvent } from '../../../../collectors/normalize/encode.ts';
import { normalizeLog } from '../../../../collectors/normalize/log.ts';
import { normalizeSpan } from '../../../../collectors/normalize/span.ts';
import { createConversation } from '../../../../collectors/tap/conversation.ts';
import type { AttributeValue, OtlpSpan } from '../../../../collectors/otlp/model.ts';
import { eventSchema, type CustodyEvent } from '../../../../schemas/event.ts';
import { decodeTokens } from '../../../../schemas/token-set.ts';
import { otlpLog, otlpSpan } from '../otlp-items.ts';

const digestKey = Buffer.alloc(32, 7);
const context: NormalizeContext = {
  collector: 'otlp_http',
  tenant: 'acme',
  tenantPinned: true,
  observedTimeUnixNano: '1763700001000000000',
  digestKey,
};
const off: NormalizeContext = {
  ...context,
  provenance: { enabled: false, resultTokensMax: 1024, scanMaxChars: 65_536 },
};

const ACCOUNT = 'GB33BUKB20201555555555';
const HOST = 'drop.quiet-harbour.example';
const GIVEN = {
  recipient: ACCOUNT,
  note: { tags: ['zebra-crossing', 'umbrella'] },
  url: `https://${HOST}/in`,
};
const OUTPUT = `The account of the landlord is ${ACCOUNT}, send the papers to https://${HOST}/in soon.`;
const TASK = 'Pay the landlord, his lighthouse-bill is due';
const RAW = [ACCOUNT, 'zebra-crossing', 'umbrella', 'landlord', 'lighthouse-bill'];

const span = (attributes: Readonly<Record<string, AttributeValue>>, more: Partial<OtlpSpan> = {}) =>
  otlpSpan(attributes, { name: 'span', ...more });
const log = (eventName: string, attributes: Readonly<Record<string, AttributeValue>>) =>
  otlpLog(attributes, { eventName });

/** One call, told by each way there is, with the result of an earlier one. */
function tapped(intent?: string): CustodyEvent[] {
  const conversation = createConversation({
    tap: { instance: 'tap-1', serverName: 'bank' },
    tenant: 'acme',
    digestKey,
  });
  const events = [conversation.start('1', {}, intent)];
  const tell = (value: unknown, direction: 'client_to_server' | 'server_to_client') => {
    const bytes = Buffer.from(JSON.stringify(value));
    events.push(...conversation.observe({ kind: 'whole', bytes, terminated: true }, direction, '2'));
  };
  tell(
    { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'read_mail', arguments: {} } },
    'client_to_server',
  );
  tell({ jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: OUTPUT }] } }, 'server_to_client');
  tell(
    { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'pay', arguments: GIVEN } },
    'client_to_server',
  );
  return events;
}

const wordsOf = (tokens: string | undefined) => new Set(decodeTokens(tokens ?? ''));
const isWithin = (part: string | undefined, whole: string | undefined) =>
  part !== undefined && [...wordsOf(part)].every((token) => wordsOf(whole).has(token));

const WAYS: readonly (readonly [string, () => { output: CustodyEvent; call: CustodyEvent }])[] = [
  ['the MCP tap', () => ({ output: tapped()[2]!, call: tapped()[3]! })],
  [
    'OpenTelemetry spans',
    () => ({
      output: normalizeSpan(
        span({ 'gen_ai.tool.name': 'read_mail', 'gen_ai.tool.call.result': OUTPUT }),
        context,
      ),
      call: normalizeSpan(
        span({ 'gen_ai.tool.name': 'pay', 'gen_ai.tool.call.arguments': JSON.stringify(GIVEN) }),
        context,
      ),
    }),
  ],
  [
    'OpenInference spans',
    () => ({
      output: normalizeSpan(
        span({ 'openinference.span.kind': 'TOOL', 'tool.name': 'read_mail', 'output.value': OUTPUT }),
        context,
      ),
      call: normalizeSpan(
        span({ 'openinference.span.kind': 'TOOL', 'tool.name': 'pay', 'input.value': JSON.stringify(GIVEN) }),
        context,
      ),
    }),
  ],
  [
    'log records',
    () => ({
      output: normalizeLog(log('codex.tool_result', { tool_name: 'read_mail', output: OUTPUT }), context),
      call: normalizeLog(
        log('codex.tool_result', { tool_name: 'pay', arguments: JSON.stringify(GIVEN) }),
        context,
      ),
    }),
  ],
  [
    'audit events',
    () => ({
      output: normalizeAudit({ tool: 'read_mail', result: { text: OUTPUT } }, context),
      call: normalizeAudit({ tool: 'pay', arguments: GIVEN }, context),
    }),
  ],
];

describe.each(WAYS)('by way of %s', (_, observe) => {
  const { output, call } = observe();
  const value = (path: string) => call.arguments?.values?.find((found) => found.path === path);

  it('a value is found again in the output it was copied from', () => {
    expect(isWithin(value('recipient')?.tokens, output.result?.tokens)).toBe(true);
    expect(isWithin(value('url')?.tokens, output.result?.tokens)).toBe(true);
    expect(isWithin(value('note.tags[]')?.tokens, output.result?.tokens)).toBe(false);
  });

  it('a destination is found again as well', () => {
    expect(call.destination_origins).toMatchObject([{ destination: HOST }]);
    expect(isWithin(call.destination_origins?.[0]?.tokens, output.result?.tokens)).toBe(true);
  });

  it('names, types, sizes and lines are told, and the event is valid', () => {
    expect(call.arguments?.keys).toEqual(['note', 'recipient', 'url']);
    expect(call.arguments?.types).toEqual(['object', 'text', 'text']);
    expect(value('recipient')?.size_bytes).toBe(ACCOUNT.length);
    expect(output.result?.line_count).toBeGreaterThanOrEqual(1);
    expect(call.item_count).toBe(2);
    for (const event of [output, call]) expect(eventSchema.parse(event)).toEqual(event);
  });
});

it('the same value has one hash by every way, and another in another tenant', () => {
  const hashes = WAYS.map(
    ([, observe]) => observe().call.arguments?.values?.find(({ path }) => path === 'recipient')?.hash,
  );
  expect(new Set(hashes).size).toBe(1);
  const other = normalizeAudit({ tool: 'pay', arguments: GIVEN }, { ...context, tenant: 'other' });
  expect(other.arguments?.values?.map(({ hash }) => hash)).not.toContain(hashes[0]);
});

it('a value that only looks the same has another hash', () => {
  const hashOf = (to: string) =>
    normalizeAudit({ tool: 'pay', arguments: { to } }, context).arguments?.values?.[0]?.hash;
  expect(hashOf(' EVIL.example ')).toBe(hashOf('evil.example'));
  expect(hashOf('еvil.example')).not.toBe(hashOf('evil.example'));
});

describe('a value in disguise is found again', () => {
  const { output } = WAYS[4]![1]();
  it.each([
    ['base64', Buffer.from(ACCOUNT).toString('base64')],
    ['base64url in a URL', `https://x.example/?d=${Buffer.from(ACCOUNT).toString('base64url')}`],
    ['hex', Buffer.from(ACCOUNT).toString('hex')],
    ['percent-encoding', [...Buffer.from(ACCOUNT)].map((byte) => `%${byte.toString(16)}`).join('')],
    ['base64 of percent-encoding', Buffer.from(ACCOUNT.replaceAll('B', '%42')).toString('base64')],
    ['white space', ACCOUNT.split('').join(' ')],
    ['groups of four', ACCOUNT.replace(/(.{4})/g, '$1 ').trim()],
    ['full width', ACCOUNT.replace(/[0-9A-Z]/g, (char) => String.fromCharCode(char.charCodeAt(0) + 0xfee0))],
    ['look-alikes', ACCOUNT.toLowerCase().replaceAll('b', 'Ь').replaceAll('k', 'к')],
  ])('%s', (_, disguised) => {
    const call = normalizeAudit({ tool: 'pay', arguments: { to: disguised } }, context);
    const account = normalizeAudit({ tool: 'pay', arguments: { to: ACCOUNT } }, context).arguments
      ?.values?.[0]?.tokens;
    expect(isWithin(account, call.arguments?.values?.[0]?.tokens)).toBe(true);
    expect(isWithin(account, output.result?.tokens)).toBe(true);
  });
});

describe('what the agent was asked', () => {
  const asked = wordsOf(normalizeAudit({ type: 'session.start', intent: TASK }, context).intent?.tokens);

  it.each<[string, () => CustodyEvent]>([
    ['the start of a tap', () => tapped(TASK)[0]!],
    ['a plan', () => normalizeSpan(span({ 'agent.plan.text': TASK }, { name: 'agent.plan' }), context)],
    [
      'messages of a model span',
      () =>
        normalizeSpan(
          span({
            'gen_ai.operation.name': 'chat',
            'gen_ai.input.messages': JSON.stringify([
              { role: 'user', parts: [{ type: 'text', content: TASK }] },
              { role: 'tool', parts: [{ type: 'tool_call_response', result: 'umbrella' }] },
            ]),
          }),
          context,
        ),
    ],
    [
      'one attribute for each message',
      () =>
        normalizeSpan(
          span({
            'traceloop.span.kind': 'llm',
            'gen_ai.prompt.0.role': 'user',
            'gen_ai.prompt.0.content': TASK,
            'gen_ai.prompt.1.role': 'tool',
            'gen_ai.prompt.1.content': 'umbrella',
          }),
          context,
        ),
    ],
    [
      'the input of an agent span',
      () => normalizeSpan(span({ 'openinference.span.kind': 'AGENT', 'input.value': TASK }), context),
    ],
    [
      'an event of a span',
      () =>
        normalizeSpan(
          span(
            { 'gen_ai.operation.name': 'chat' },
            {
              events: [
                {
                  name: 'gen_ai.content.prompt',
                  timeUnixNano: '1',
                  attributes: new Map([['gen_ai.prompt', JSON.stringify([{ role: 'user', content: TASK }])]]),
                },
              ],
            },
          ),
          context,
        ),
    ],
    ['a user prompt event', () => normalizeLog(log('claude_code.user_prompt', { prompt: TASK }), context)],
    ['a user message event', () => normalizeLog(log('gen_ai.user.message', { content: TASK }), context)],
  ])('comes from %s', (_, observe) => {
    const event = observe();
    expect(wordsOf(event.intent?.tokens)).toEqual(asked);
    expect(eventSchema.parse(event)).toEqual(event);
  });

  it('is not what a tool or the model said', () => {
    expect(normalizeLog(log('gen_ai.tool.message', { content: TASK }), context).intent).toBeUndefined();
    const transcript = span({ 'gen_ai.operation.name': 'chat', 'gen_ai.prompt': `Observation: ${TASK}` });
    expect(normalizeSpan(transcript, context).intent).toBeUndefined();
  });
});

describe('no value leaves the collector', () => {
  // Summaries are text for people, redacted; everything else is searched.
  const withoutSummaries = (event: CustodyEvent) => {
    const plain = structuredClone(event);
    Reflect.deleteProperty(plain.arguments ?? {}, 'summary');
    Reflect.deleteProperty(plain.result ?? {}, 'summary');
    return Buffer.from(encodeEvent(plain)).toString('utf8').toLowerCase();
  };

  it.each(WAYS)('by way of %s', (_, observe) => {
    const { output, call } = observe();
    for (const event of [output, call, ...tapped(TASK)]) {
      const text = withoutSummaries(event);
      for (const raw of RAW) expect(text).not.toContain(raw.toLowerCase());
    }
  });
});

describe('switched off', () => {
  it('no fingerprint is made, but forms of attack are still found', () => {
    const event = normalizeAudit(
      { tool: 'fetch', arguments: { url: 'http://169.254.169.254/' }, result: OUTPUT, intent: TASK },
      off,
    );
    expect(event.arguments?.values).toBeUndefined();
    expect(event.result?.tokens).toBeUndefined();
    expect(event.intent).toBeUndefined();
    expect(event.destination_origins).toBeUndefined();
    expect(event.arguments?.shapes).toEqual({ ssrf_metadata: 1 });
  });
});
