import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createConversation } from '../../../collectors/tap/conversation.ts';
import type { Direction } from '../../../collectors/normalize/mcp.ts';
import { encodeEvent } from '../../../collectors/normalize/encode.ts';
import { canonicalJson } from '../../../evidence/canonical-json.ts';
import { eventSchema, type CustodyEvent } from '../../../schemas/event.ts';

const INSTANCE = '0123456789abcdef';

function conversation(
  options: { pendingMax?: number; sessionKey?: string; clientName?: string; actorId?: string } = {},
) {
  const { pendingMax, ...tap } = options;
  const made = createConversation({
    tap: { instance: INSTANCE, serverName: 'files', ...tap },
    tenant: 'acme',
    digestKey: Buffer.alloc(32, 1),
    ...(pendingMax === undefined ? {} : { pendingMax }),
  });
  let ms = 1000;
  const observe = (direction: Direction, line: string | Uint8Array) =>
    checked([
      ...made.observe(
        { kind: 'whole', bytes: Buffer.from(line as string), terminated: true },
        direction,
        `${(ms += 5)}000000`,
      ),
    ]);
  return {
    made,
    ask: (message: unknown) =>
      observe('client_to_server', typeof message === 'string' ? message : JSON.stringify(message)),
    tell: (message: unknown) =>
      observe('server_to_client', typeof message === 'string' ? message : JSON.stringify(message)),
    observe,
  };
}

function checked(events: CustodyEvent[]): CustodyEvent[] {
  return events.map((event) => eventSchema.parse(JSON.parse(Buffer.from(encodeEvent(event)).toString())));
}

const call = (id: unknown, name: string, args: unknown = {}, meta?: unknown) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args, ...(meta === undefined ? {} : { _meta: meta }) },
});
const ok = (id: unknown, extra: object = {}) => ({ jsonrpc: '2.0', id, result: { content: [], ...extra } });

describe('a tool call', () => {
  test('is one request event and one result event that share the call id and the tool', () => {
    const { ask, tell } = conversation();
    const [request] = ask(call(7, 'read_file', { path: '/a' }));
    const [result] = tell(ok(7));
    expect(request).toMatchObject({ kind: 'tool_call', phase: 'request', tool: { name: 'read_file' } });
    expect(result).toMatchObject({
      kind: 'tool_call',
      phase: 'result',
      tool: { name: 'read_file' },
      result: { category: 'ok' },
    });
    expect(request?.tool?.call_id).toBeDefined();
    expect(result?.tool?.call_id).toBe(request?.tool?.call_id);
    expect(result).toMatchObject({
      time_unix_nano: request?.time_unix_nano,
      end_time_unix_nano: '1010000000',
    });
  });

  test.each([
    [
      { jsonrpc: '2.0', id: 1, error: { code: -32602, message: 'no' } },
      { category: 'error', code: '-32602' },
    ],
    [ok(1, { isError: true }), { category: 'tool_error' }],
    [ok(1, { resultType: 'input_required', requestState: 's' }), { category: 'input_required' }],
    [ok(1), { category: 'ok' }],
  ])('has the category its answer says: %j', (answer, expected) => {
    const { ask, tell } = conversation();
    ask(call(1, 'x'));
    expect(tell(answer)[0]?.result).toMatchObject(expected);
  });

  test('keeps ids of different types apart', () => {
    const { ask, tell } = conversation();
    ask(call(1, 'number'));
    ask(call('1', 'string'));
    expect(tell(ok('1'))[0]?.tool?.name).toBe('string');
    expect(tell(ok(1))[0]?.tool?.name).toBe('number');
  });

  test('has a call id of its own even when the client uses an id twice', () => {
    const { ask, tell } = conversation();
    const [first] = ask(call(1, 'x'));
    tell(ok(1));
    const [second] = ask(call(1, 'x'));
    expect(second?.tool?.call_id).not.toBe(first?.tool?.call_id);
    expect(tell(ok(1))[0]?.tool?.call_id).toBe(second?.tool?.call_id);
  });

  test('that is cancelled ends as cancelled, and a late answer is still recorded', () => {
    const { ask, tell } = conversation();
    ask(call(3, 'slow'));
    const events = ask({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 3 } });
    expect(events.map((event) => [event.kind, event.result?.category])).toEqual([
      ['mcp_message', undefined],
      ['tool_call', 'cancelled'],
    ]);
    expect(tell(ok(3))[0]).toMatchObject({
      kind: 'tool_call',
      tool: { name: 'slow' },
      result: { category: 'ok' },
    });
  });

  test('without an answer at the end has the outcome unknown', () => {
    const { ask, made } = conversation();
    ask(call(3, 'slow'));
    const events = checked([...made.end('9000000000', {})]);
    expect(events.map((event) => [event.kind, event.result?.code, event.session?.transition])).toEqual([
      ['tool_call', 'connection_closed', undefined],
      ['session', undefined, 'end'],
    ]);
  });

  test('carries the digest of the definition last listed under its name', () => {
    const { ask, tell } = conversation();
    const tool = { name: 'read_file', description: 'reads', inputSchema: { type: 'object' } };
    ask({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    const [list] = tell({ jsonrpc: '2.0', id: 1, result: { tools: [tool] } });
    const digest = createHash('sha256').update(canonicalJson(tool)).digest('hex');
    expect(list).toMatchObject({ kind: 'tool_list', tool_definitions: { read_file: digest } });
    expect(ask(call(2, 'read_file'))[0]?.tool?.definition_digest).toBe(digest);
  });

  test('and its list keep the hints of a tool, and of hints only those the protocol knows', () => {
    const { ask, tell } = conversation();
    const annotations = { readOnlyHint: true, destructiveHint: 'no', title: 'Reads', other: true };
    ask({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    const tools = [
      { name: 'read_file', annotations },
      { name: 'stat', annotations: 'none' },
    ];
    const [list] = checked(tell({ jsonrpc: '2.0', id: 1, result: { tools } }));
    expect(list?.listed_tools?.['read_file']?.annotations).toEqual({ read_only: true });
    expect(list?.listed_tools?.['stat']).not.toHaveProperty('annotations');
    expect(ask(call(2, 'read_file'))[0]?.tool?.annotations).toEqual({ read_only: true });
  });
});

describe('sizes', () => {
  test('are those of the bytes on the wire, not of a re-serialisation', () => {
    const { ask, tell } = conversation();
    const args = '{ "path" : "\\u0041é" ,  "n": 1.0e0 }';
    const line = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":${args},"name":"x"}}`;
    const [request] = ask(line);
    expect(request?.arguments?.size_bytes).toBe(Buffer.byteLength(args));
    expect(request?.attributes?.['mcp.wire_bytes']).toBe(Buffer.byteLength(line));
    const result = '{"content" :[ ] }';
    expect(tell(`{"result":${result},"jsonrpc":"2.0","id":1}`)[0]?.result?.size_bytes).toBe(result.length);
  });
});

describe('both eras', () => {
  test('the handshake of 2025-11-25 names both peers for everything after it', () => {
    const { ask, tell } = conversation();
    ask({
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', clientInfo: { name: 'cli', version: '1' } },
    });
    tell({
      jsonrpc: '2.0',
      id: 0,
      result: { protocolVersion: '2025-11-25', serverInfo: { name: 'own name', version: '2' } },
    });
    expect(ask(call(1, 'x'))[0]).toMatchObject({
      client: { name: 'cli', version: '1' },
      server: { name: 'files', version: '2' },
      mcp: { protocol_version: '2025-11-25' },
      fact_sources: {
        'client.name': 'client_asserted',
        'server.name': 'tap_observed',
        'server.version': 'server_asserted',
      },
    });
  });

  test('the _meta of 2026-07-28 names peers, version, trace and turn', () => {
    const { ask, tell } = conversation();
    const [request] = ask(
      call(
        1,
        'x',
        {},
        {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': { name: 'cli', version: '3' },
          'io.modelcontextprotocol/aiInvocation': { turnId: 'turn-9' },
          traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        },
      ),
    );
    const about = {
      client: { name: 'cli', version: '3' },
      mcp: { protocol_version: '2026-07-28' },
      session: { key: 'turn-9', source: 'turn_id' },
      trace: { trace_id: '0af7651916cd43dd8448eb211c80319c', parent_span_id: 'b7ad6b7169203331' },
      source: { sampled: true },
    };
    expect(request).toMatchObject(about);
    const [result] = tell(
      ok(1, { _meta: { 'io.modelcontextprotocol/serverInfo': { name: 's', version: '4' } } }),
    );
    expect(result).toMatchObject({ ...about, server: { name: 'files', version: '4' } });
  });

  test('a multi-round-trip retry is a continuation, its first round is not', () => {
    const { ask, tell } = conversation();
    expect(ask(call(1, 'x'))[0]?.mcp?.continuation).toBeUndefined();
    tell(ok(1, { resultType: 'input_required', requestState: 's' }));
    const retry = call(2, 'x');
    const [request] = ask({ ...retry, params: { ...retry.params, requestState: 's' } });
    expect(request?.mcp?.continuation).toBe(true);
    expect(tell(ok(2))[0]?.mcp?.continuation).toBe(true);
  });

  test.each([
    ['server_to_client', 'sampling/createMessage'],
    ['server_to_client', 'elicitation/create'],
    ['server_to_client', 'roots/list'],
    ['client_to_server', 'server/discover'],
  ] as const)('a request %s (%s) pairs with the answer the other way', (direction, method) => {
    const { observe } = conversation();
    const back = direction === 'client_to_server' ? 'server_to_client' : 'client_to_server';
    observe(direction, JSON.stringify({ jsonrpc: '2.0', id: 5, method, params: {} }));
    const [answer] = observe(back, JSON.stringify({ jsonrpc: '2.0', id: 5, result: {} }));
    expect(answer).toMatchObject({ kind: 'mcp_message', phase: 'result', mcp: { method, direction: back } });
  });

  test('a batch of 2025-03-26 gives one event per message, each with its own sizes', () => {
    const { ask } = conversation();
    const parts = [JSON.stringify(call(1, 'a', { n: 1 })), JSON.stringify(call(2, 'b', { n: 22 })), '3'];
    const events = ask(`[ ${parts.join(' ,')}]`);
    expect(events.map((event) => [event.tool?.name, event.arguments?.size_bytes ?? 0])).toEqual([
      ['a', 7],
      ['b', 8],
      [undefined, 1],
    ]);
    expect(events.map((event) => event.attributes?.['mcp.wire_bytes'])).toEqual(
      parts.map((part) => part.length),
    );
  });
});

describe('the session key', () => {
  test('is the tap with low confidence while nothing better is seen', () => {
    expect(conversation().ask(call(1, 'x'))[0]?.session).toEqual({
      key: INSTANCE,
      source: 'tap',
      confidence: 'low',
    });
  });
  test('given on the command line beats a turn id, but not a conversation id', () => {
    const { ask } = conversation({ sessionKey: 'task-1' });
    const turn = { 'io.modelcontextprotocol/aiInvocation': { turnId: 't' } };
    expect(ask(call(1, 'x', {}, turn))[0]?.session).toMatchObject({ key: 'task-1', source: 'agent_session' });
    const baggage = { baggage: 'a=b, gen_ai.conversation.id=conv%201;p=1' };
    expect(ask(call(2, 'x', {}, baggage))[0]?.session).toMatchObject({
      key: 'conv 1',
      source: 'conversation_id',
    });
  });
});

describe('secrets', () => {
  // Put together here, so that no scanner takes this file for a leak.
  const secret = ['AKIA', 'QWERTYUIOPASDFGH'].join('');

  test.each([
    ['arguments', JSON.stringify(call(1, 'x', { key: `use ${secret} now` }))],
    [
      'other parameters',
      JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'resources/read',
        params: { uri: `s3://${secret}@b/` },
      }),
    ],
    ['results', JSON.stringify(ok(1, { text: secret }))],
    ['lines that are no message', `export AWS_ACCESS_KEY_ID=${secret}`],
  ])('in %s never reach the event', (_, line) => {
    const { observe } = conversation();
    const events = observe('client_to_server', line);
    expect(events).toHaveLength(1);
    expect(JSON.stringify(events)).not.toContain(secret);
    expect(Object.keys(events[0]?.pii?.redactions ?? {})).not.toEqual([]);
  });

  test('destinations of a call are found in its arguments', () => {
    const [request] = conversation().ask(call(1, 'fetch', { url: 'https://drop.example.net/x' }));
    expect(request?.destinations).toEqual(['drop.example.net']);
  });
});

describe('hostile input', () => {
  test.each([
    ['not JSON', 'Starting server...', 'not_json'],
    ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'not_json'],
    ['JSON that is no message', '{"hello":1}', 'not_json_rpc'],
    ['an empty batch', '[]', 'not_json_rpc'],
    ['a method that is no string', '{"jsonrpc":"2.0","method":1,"id":1}', 'not_json_rpc'],
  ])('%s is recorded with its size', (_, line, reason) => {
    const [event] = conversation().observe('server_to_client', line);
    expect(event).toMatchObject({
      kind: 'mcp_message',
      attributes: { 'mcp.unparsable': reason },
      result: { size_bytes: line.length },
    });
    expect(event?.result?.digest).toMatch(/^[0-9a-f]{64}$/);
  });

  test('an answer nobody asked for is recorded as such', () => {
    expect(conversation().tell(ok(99))[0]).toMatchObject({
      kind: 'mcp_message',
      attributes: { 'mcp.answer_without_request': true },
    });
  });

  test('members given twice are pointed out', () => {
    const line =
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b","arguments":{}}}';
    expect(conversation().ask(line)[0]?.attributes?.['mcp.repeated_members']).toBe(true);
  });

  test('the oldest unanswered request is forgotten beyond the bound, and the end says so', () => {
    const { ask, tell, made } = conversation({ pendingMax: 2 });
    for (const id of [1, 2, 3]) ask(call(id, `tool${id}`));
    expect(tell(ok(1))[0]?.kind).toBe('mcp_message');
    expect(tell(ok(3))[0]?.tool?.name).toBe('tool3');
    expect([...made.end('9', {})].at(-1)?.attributes).toMatchObject({ 'mcp.pending_forgotten_count': 1 });
  });

  test('a tool list of any length and any names goes into bounded events', () => {
    const { ask, tell } = conversation();
    ask({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    const tools = Array.from({ length: 600 }, (_, index) => ({ name: `t${index}` }));
    const events = tell({ jsonrpc: '2.0', id: 1, result: { tools: [...tools, { name: 'constructor' }, 7] } });
    expect(events.map((event) => Object.keys(event.tool_definitions ?? {}).length)).toEqual([
      ...Array<number>(9).fill(64),
      25,
    ]);
    expect(events[0]?.attributes?.['mcp.tools_unusable_count']).toBe(1);
  });

  test('10 000 levels of nesting and lone surrogates still give a valid event', () => {
    const { ask } = conversation();
    const deep = '['.repeat(10_000) + ']'.repeat(10_000);
    const [event] = ask(
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\\ud800","arguments":${deep}}}`,
    );
    expect(event).toMatchObject({ kind: 'tool_call', arguments: { size_bytes: 20_000 } });
  });

  test('whatever the message, the events are valid and numbered without a gap', () => {
    const hostile = fc.record(
      {
        jsonrpc: fc.constant('2.0'),
        id: fc.oneof(fc.integer(), fc.string(), fc.jsonValue()),
        method: fc.oneof(
          fc.constantFrom(
            'tools/call',
            'tools/list',
            'initialize',
            'notifications/cancelled',
            'resources/read',
          ),
          fc.string(),
        ),
        params: fc.oneof(
          fc.record(
            {
              name: fc.jsonValue(),
              arguments: fc.jsonValue(),
              _meta: fc.jsonValue(),
              uri: fc.jsonValue(),
              requestId: fc.jsonValue(),
              clientInfo: fc.jsonValue(),
            },
            { requiredKeys: [] },
          ),
          fc.jsonValue(),
        ),
        result: fc.oneof(
          fc.record({
            tools: fc.array(
              fc.oneof(fc.jsonValue(), fc.record({ name: fc.string(), annotations: fc.jsonValue() })),
            ),
          }),
          fc.jsonValue(),
        ),
        error: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    const line = fc.oneof(
      hostile.map((message) => JSON.stringify(message)),
      fc.array(hostile).map((batch) => JSON.stringify(batch)),
      fc.string(),
    );
    const directed = fc.tuple(
      fc.constantFrom('client_to_server' as const, 'server_to_client' as const),
      line,
    );
    fc.assert(
      fc.property(fc.array(directed, { maxLength: 8 }), (lines) => {
        const { observe } = conversation();
        const events = lines.flatMap(([direction, text]) => observe(direction, text));
        expect(events.map((event) => event.source.sequence)).toEqual(events.map((_, index) => String(index)));
        expect(new Set(events.map((event) => event.event_id)).size).toBe(events.length);
      }),
      { numRuns: 300 },
    );
  });
});
