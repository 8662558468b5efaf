import { mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startEventsReceiver, type EventsReceiver } from '../support/events-receiver.ts';
import { tapArgv } from '../support/tap-process.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const server = (name: string, ...args: string[]) => [
  process.execPath,
  join(repository, `node_modules/@modelcontextprotocol/server-${name}/dist/index.js`),
  ...args,
];

let directory: string;
let receiver: EventsReceiver;
const clients: Client[] = [];
beforeEach(async () => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'custody-e2e-tap-')));
  receiver = await startEventsReceiver();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await receiver.close();
  rmSync(directory, { recursive: true, force: true });
});

async function connect(command: readonly string[], env: Record<string, string> = {}): Promise<Client> {
  const client = new Client(
    { name: 'e2e-client', version: '1.2.3' },
    { capabilities: { sampling: {}, elicitation: {}, roots: {} } },
  );
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    role: 'assistant' as const,
    model: 'scripted',
    content: { type: 'text' as const, text: 'sampled answer' },
  }));
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'decline' as const }));
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [] }));
  const [file, ...args] = command;
  await client.connect(
    new StdioClientTransport({
      command: file!,
      args,
      cwd: repository,
      stderr: 'ignore',
      env: { PATH: process.env['PATH']!, ...env },
    }),
  );
  clients.push(client);
  return client;
}

const tapped = (command: readonly string[]) =>
  connect(tapArgv({ dataDir: join(directory, 'data'), collector: receiver.url, command }));

async function disconnect(client: Client): Promise<void> {
  clients.splice(clients.indexOf(client), 1);
  await client.close();
}

type Call = readonly [name: string, args: Record<string, unknown>];

/** Lists the tools and makes the calls; what a client can see of them. */
async function session(client: Client, calls: readonly Call[]) {
  const { tools } = await client.listTools();
  const results: unknown[] = [];
  for (const [name, args] of calls) results.push(await client.callTool({ name, arguments: args }));
  return { version: client.getServerVersion(), tools, results };
}

/** Every call was recorded as a request and a result that pair, in the order made. */
function expectRecorded(calls: readonly Call[]) {
  const recorded = receiver.events.filter((event) => event.kind === 'tool_call');
  const requests = recorded.filter((event) => event.phase === 'request');
  const results = recorded.filter((event) => event.phase === 'result');
  expect(requests.map((event) => event.tool?.name)).toEqual(calls.map(([name]) => name));
  expect(results.map((event) => event.tool?.call_id)).toEqual(requests.map((event) => event.tool?.call_id));
  expect(requests.map((event) => event.arguments?.size_bytes)).toEqual(
    calls.map(([, args]) => Buffer.byteLength(JSON.stringify(args))),
  );
  expect(results.every((event) => (event.result?.size_bytes ?? 0) > 0)).toBe(true);
  expect(requests.every((event) => event.tool?.definition_digest !== undefined)).toBe(true);
  return { requests, results };
}

describe('a real client behind the tap gets what it gets without', () => {
  test('from server-filesystem', async () => {
    const files = join(directory, 'files');
    const command = server('filesystem', directory);
    writeFileSync(join(directory, 'hello.txt'), 'héllo\n');
    const calls: Call[] = [
      ['read_text_file', { path: join(directory, 'hello.txt') }],
      ['create_directory', { path: files }],
      ['write_file', { path: join(files, 'new.txt'), content: 'x'.repeat(200_000) }],
      ['read_text_file', { path: join(files, 'new.txt') }],
      ['read_text_file', { path: '/etc/passwd' }],
    ];
    const direct = await connect(command);
    const expected = await session(direct, calls);
    const client = await tapped(command);
    expect(await session(client, calls)).toEqual(expected);
    await disconnect(client);
    await receiver.until((events) => events.some((event) => event.session?.transition === 'end'));
    const { results } = expectRecorded(calls);
    expect(results.map((event) => event.result?.category)).toEqual(['ok', 'ok', 'ok', 'ok', 'tool_error']);
    expect(receiver.events[0]?.attributes).toMatchObject({
      'package.name': '@modelcontextprotocol/server-filesystem',
    });
    expect(receiver.events.every((event) => event.source.collector === 'mcp_stdio_tap')).toBe(true);
    expect(receiver.events.map((event) => event.source.sequence)).toEqual(
      receiver.events.map((_, index) => String(index)),
    );
    expect(readdirSync(join(directory, 'data', 'spool'))).toEqual([]);
  });

  test('from server-memory', async () => {
    const calls: Call[] = [
      [
        'create_entities',
        { entities: [{ name: 'Ada', entityType: 'person', observations: ['wrote notes'] }] },
      ],
      ['search_nodes', { query: 'Ada' }],
      ['read_graph', {}],
    ];
    const memory = (name: string) => [
      '/usr/bin/env',
      `MEMORY_FILE_PATH=${join(directory, name)}`,
      ...server('memory'),
    ];
    const expected = await session(await connect(memory('direct.json')), calls);
    const client = await tapped(memory('tapped.json'));
    expect(await session(client, calls)).toEqual(expected);
    await disconnect(client);
    await receiver.until((events) => events.some((event) => event.session?.transition === 'end'));
    expectRecorded(calls);
  });

  test('from server-everything, sampling and elicitation included', async () => {
    const calls: Call[] = [
      ['echo', { message: 'to you' }],
      ['get-sum', { a: 2, b: 40 }],
      ['get-tiny-image', {}],
      ['trigger-sampling-request', { prompt: 'hello', maxTokens: 5 }],
      ['trigger-elicitation-request', {}],
    ];
    const command = server('everything');
    // The server offers further tools a moment after a client has said what it can do.
    const client = await tapped(command);
    const direct = await connect(command);
    const expected = await session(direct, calls);
    const got = await session(client, calls);
    expect(got.results).toEqual(expected.results);
    expect(got.version).toEqual(expected.version);
    await disconnect(client);
    await receiver.until((events) => events.some((event) => event.session?.transition === 'end'));
    const asked = receiver.events.filter(
      (event) => event.mcp?.direction === 'server_to_client' && event.phase === 'request',
    );
    expect(asked.map((event) => event.mcp?.method)).toEqual(
      expect.arrayContaining(['sampling/createMessage', 'elicitation/create']),
    );
    // roots/list comes on a timer of the server's own and may meet a client that has left.
    for (const request of asked.filter((event) => event.mcp?.method !== 'roots/list')) {
      const answers = receiver.events.filter(
        (event) =>
          event.phase === 'result' &&
          event.mcp?.direction === 'client_to_server' &&
          event.mcp.request_id === request.mcp?.request_id,
      );
      expect(answers.map((event) => event.mcp?.method)).toEqual([request.mcp?.method]);
    }
    const called = receiver.events.filter((event) => event.kind === 'tool_call' && event.phase === 'request');
    expect(called.map((event) => event.tool?.name)).toEqual(calls.map(([name]) => name));
    expect(receiver.events.find((event) => event.kind === 'tool_list')?.tool_definitions).toHaveProperty(
      'echo',
    );
    expect(called[0]).toMatchObject({
      client: { name: 'e2e-client', version: '1.2.3' },
      mcp: { protocol_version: '2025-11-25' },
    });
  });
});

test('messages of 2026-07-28 pass and are recorded with their continuation', async () => {
  const { scripted, startTap } = await import('../support/tap-process.ts');
  const script = `
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const { id, params } = JSON.parse(line);
      const _meta = { 'io.modelcontextprotocol/serverInfo': { name: 'stateless', version: '9' } };
      const result = params.requestState === undefined
        ? { resultType: 'input_required', requestState: 'opaque', inputRequests: {}, _meta }
        : { resultType: 'complete', content: [], _meta };
      console.log(JSON.stringify({ jsonrpc: '2.0', id, result }));
    });`;
  const running = startTap({
    dataDir: join(directory, 'data'),
    collector: receiver.url,
    command: scripted(script),
  });
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'c', version: '1' },
  };
  const request = (id: number, extra: object) =>
    `${JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'book', arguments: { seat: 1 }, _meta: meta, ...extra } })}\n`;
  running.stdin.end(request(1, {}) + request(2, { requestState: 'opaque', inputResponses: {} }));
  expect(await running.exited).toEqual({ code: 0, signal: null });
  const calls = receiver.events.filter((event) => event.kind === 'tool_call');
  const results = calls.filter((event) => event.phase === 'result');
  expect(calls.filter((event) => event.phase === 'request').map((event) => event.mcp?.continuation)).toEqual([
    undefined,
    true,
  ]);
  expect(results.map((event) => event.result?.category)).toEqual(['input_required', 'ok']);
  expect(
    results.every((event) => event.mcp?.protocol_version === '2026-07-28' && event.server?.version === '9'),
  ).toBe(true);
});
