import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readLabels } from '../../../backtest/evaluate/labels.ts';
import { LINE_MAX_BYTES } from '../../../backtest/recording/lines.ts';
import { readRecording } from '../../../backtest/recording/read-recording.ts';
import { createSessionClock } from '../../../backtest/recording/session-clock.ts';
import { EVENT_SCHEMA } from '../../../schemas/event.ts';
import { eventsIn, fileOf } from './lines-file.ts';

const place = { tenant: 'acme', agent: 'agent-1', session: 's1' };
const asked = (id: number, ts: string, name: string, args: object, server: string | null = 'shop') => ({
  ...{ ts, ...place, server, type: 'mcp' },
  msg: { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } },
});
const answered = (id: number, ts: string, text: string, server: string | null = 'shop') => ({
  ...{ ts, ...place, server, type: 'mcp' },
  msg: { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }], isError: false } },
});
const call = (seq: number, ts: string, more: object = {}) => ({
  ...{ ...place, seq, ts, tool: 'find_item', kind: 'read', server: 'shop', args_bytes: 10, output_bytes: 20 },
  ...{ error: false, vals: [], destinations: [], ...more },
});
const limits = {
  ...{ attributeMaxCount: 1, nestedValueMaxCount: 1, depthMax: 4, stringMaxBytes: 10, recordsMax: 1 },
};
const kinds = (events: readonly { event: { kind: string; phase?: string | undefined } }[]) =>
  events.map(({ event }) => (event.phase === undefined ? event.kind : event.phase));

describe('raw MCP messages', () => {
  test('become what the tap makes of them, numbered by call over all servers, with one end behind the last record', async () => {
    const { events } = await eventsIn([
      { ts: '2026-01-01T00:00:00Z', ...place, type: 'session.start', intent: 'find the red kettle' },
      asked(1, '2026-01-01T00:00:01Z', 'find_item', { query: 'red kettle' }),
      answered(1, '2026-01-01T00:00:02Z', 'item 7'),
      asked(1, '2026-01-01T00:00:03Z', 'send_mail', { to: 'a@example.com' }, 'mail'),
      answered(1, '2026-01-01T00:00:04Z', 'sent', 'mail'),
    ]);
    expect(kinds(events)).toEqual(['session', 'request', 'result', 'request', 'result', 'session']);
    expect(events.map(({ seq }) => seq)).toEqual([undefined, 0, 0, 1, 1, undefined]);
    expect(events[0]?.event.intent?.tokens).toMatch(/^[\w-]{8,}$/);
    expect(events[1]?.event.arguments?.values?.[0]).toMatchObject({ path: 'query', size_bytes: 10 });
    expect(events[3]?.event).toMatchObject({
      server: { name: 'mail' },
      actor: { id: 'agent-1', type: 'agent' },
    });
    expect(events[3]?.event.destinations?.[0]).toMatch(/@example\.com$/);
    expect(events.at(-1)?.event.session).toMatchObject({ key: 's1', transition: 'end' });
  });

  test('a call nobody answered gets an outcome before the end; a server without a name stays without', async () => {
    const { events } = await eventsIn([asked(1, '2026-01-01T00:00:01Z', 'find_item', {}, null)]);
    expect(kinds(events)).toEqual(['request', 'result', 'session']);
    expect(events[1]?.event.result).toEqual({ category: 'unknown', code: 'connection_closed' });
    expect(events[0]?.event.server).toBeUndefined();
    expect(events[0]?.event.mcp?.transport).toBeUndefined();
  });

  test('a message with a time nobody can read is left out and told; without a time it goes with the one before', async () => {
    const { ts, ...timeless } = asked(2, '2026-01-01T00:00:02Z', 'find_item', {});
    const { events, skipped } = await eventsIn([
      asked(1, ts, 'find_item', {}),
      { ...timeless, ts: 'yesterday' },
      { ...place, ts: {}, type: 'session.start' },
      timeless,
    ]);
    expect(events.filter(({ event }) => event.phase === 'request').map(({ seq }) => seq)).toEqual([0, 1]);
    expect(skipped).toEqual([
      '2: has a time that is neither ISO 8601 nor a Unix time',
      '3: has a time that is neither ISO 8601 nor a Unix time',
    ]);
  });

  test('one name of a session in two tenants is two conversations, each numbered on its own', async () => {
    const other = { tenant: 'globex', agent: 'agent-2' };
    const { events } = await eventsIn([
      asked(1, '2026-01-01T00:00:01Z', 'find_item', {}),
      { ...asked(1, '2026-01-01T00:00:02Z', 'send_mail', {}), ...other },
      { ...answered(1, '2026-01-01T00:00:03Z', 'sent'), ...other },
      answered(1, '2026-01-01T00:00:04Z', 'item 7'),
    ]);
    expect(events.map(({ event, seq }) => [event.tenant, event.tool?.name, seq])).toEqual([
      ['acme', 'find_item', 0],
      ['globex', 'send_mail', 0],
      ['globex', 'send_mail', 0],
      ['globex', undefined, undefined],
      ['acme', 'find_item', 0],
      ['acme', undefined, undefined],
    ]);
  });

  test('what a line says beside the message is taken over', async () => {
    const line = {
      ...asked(1, '2026-01-01T00:00:01Z', 'find_item', {}),
      'policy.ticket': 'CHG-1',
      ttl_seconds: 60,
    };
    const { events } = await eventsIn([line]);
    expect(events[0]?.event).toMatchObject({ policy: { ticket: 'CHG-1' }, scope: { ttl_sec: 60 } });
  });
});

describe('normalised records', () => {
  test('state origins, destinations, findings and intent', async () => {
    const { events } = await eventsIn([
      call(0, '2026-01-01T00:00:00Z', { intent: ['0000002a', 'ffffffff'] }),
      call(1, '2026-01-01T00:00:02Z', {
        ...{
          tool: 'post_form',
          kind: 'egress+write',
          error: true,
          flow: [{ src: 'find_item', src_seq: 0, bytes: 9 }],
        },
        vals: [
          ['url', 'aabbccddeeff', 42, 'o', 0],
          ['note', 'zz', 1, 'n', -1],
          ['who', '001122334455', 3, 'p', -1],
        ],
        destinations: [
          { d: 'domain:Example.org', origin: 'output', src: 'find_item' },
          { d: 'email:a@example.com', origin: 'none' },
        ],
        ...{ out_sens: [0, 0, 0, 0], arg_sens: [1, 0, 2, 0], arg_keys: ['url', 'note'], output_lines: 3 },
      }),
    ]);
    expect(kinds(events)).toEqual(['session', 'request', 'result', 'request', 'result', 'session']);
    expect(events[0]?.event.intent).toEqual({
      tokens: Buffer.from('0000002affffffff', 'hex').toString('base64url'),
    });
    const [request, result] = [events[3]?.event, events[4]?.event];
    expect(request?.arguments).toMatchObject({
      size_bytes: 10,
      keys: ['note', 'url'],
      findings: { secret: 1, email: 2 },
      values: [
        { path: 'url', hash: 'aabbccddeeff', size_bytes: 42, origin: 'output', source_call: 0 },
        { path: 'who', origin: 'prompt' },
      ],
    });
    expect(request?.destination_origins?.[0]).toEqual({
      destination: 'example.org',
      origin: 'output',
      source_call: 0,
    });
    expect(request?.destinations?.[1]).toMatch(/^[0-9a-f]{16}@example\.com$/);
    expect(request?.tool?.action).toBe('egress');
    expect(result?.result).toMatchObject({ category: 'tool_error', size_bytes: 20, line_count: 3 });
    expect(result?.tool?.call_id).toBe(request?.tool?.call_id);
  });

  test('records with members missing, null or of the wrong type still become events', async () => {
    const { events, skipped } = await eventsIn([
      {
        session: 's2',
        tool: 'x',
        server: null,
        vals: null,
        destinations: 'no',
        seq: 'one',
        intent: 7,
        out_sens: {},
      },
      { tool: 'y', ts: 'yesterday' },
      { session: 's3', ts: 1_767_225_600, tool: 'z', vals: [[1, 2], 'x', []], flow: [null] },
    ]);
    expect(skipped).toEqual(
      ['2: cannot take the audit event: its time is neither ISO 8601 nor a Unix time'].slice(1),
    );
    expect(
      events.filter(({ event }) => event.phase === 'request').map(({ event }) => event.tool?.name),
    ).toEqual(['x', 'y', 'z']);
  });
});

describe('any recording', () => {
  test('gzip is told by its bytes, and lines that are no JSON object are left out with their number', async () => {
    const { events, skipped } = await eventsIn(
      ['not json', call(0, '2026-01-01T00:00:00Z'), '[1]', '{"a":'],
      { gzip: true },
    );
    expect(kinds(events)).toEqual(['request', 'result', 'session']);
    expect(skipped).toEqual([
      '1: is not a JSON object',
      '3: is not a JSON object',
      '4: is not a JSON object',
    ]);
  });

  test('canonical events are taken as they are, OTLP JSON through the normaliser', async () => {
    const { events: first } = await eventsIn([call(0, '2026-01-01T00:00:00Z')]);
    const { events } = await eventsIn([
      ...first.slice(0, 2).map(({ event }) => event),
      { schema: EVENT_SCHEMA, kind: 'tool_call' },
      {
        resourceLogs: [
          {
            scopeLogs: [
              {
                logRecords: [
                  {
                    timeUnixNano: '1767225700000000000',
                    attributes: [
                      { key: 'tool.name', value: { stringValue: 'from_log' } },
                      { key: 'session.id', value: { stringValue: 'otlp-1' } },
                    ],
                  },
                ],
              },
            ],
          },
        ],
      },
    ]);
    expect(events.slice(0, 2).map(({ event }) => event)).toEqual(first.slice(0, 2).map(({ event }) => event));
    expect(events.map(({ event }) => event.tool?.name ?? event.session?.transition)).toEqual([
      'find_item',
      'find_item',
      'end',
      'from_log',
      'end',
    ]);
  });

  test('runs that each begin at their own time are played one after another, and keep their distances', async () => {
    const clock = createSessionClock();
    const run = (session: string) => [
      { ...call(0, '2025-08-01T00:00:00.000'), session },
      { ...call(1, '2025-08-01T00:10:00.000'), session },
    ];
    const { events } = await eventsIn([...run('a'), ...run('b')], { clock });
    const times = events
      .filter(({ event }) => event.phase === 'request')
      .map(({ event }) => Number(event.time_unix_nano.slice(0, -9)));
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBe(600);
    expect((times[3] ?? 0) - (times[2] ?? 0)).toBe(600);
    expect(times[2]).toBeGreaterThanOrEqual(times[1] ?? 0);
    const appended = events.map(({ appendTimeMs }) => appendTimeMs);
    expect(appended).toEqual([...appended].sort((a, b) => a - b));
  });

  test('a line that is too long is left out and counted, and what follows it is read', async () => {
    const long = JSON.stringify(call(1, '2026-01-01T00:00:01Z', { note: 'x'.repeat(LINE_MAX_BYTES) }));
    for (const lines of [
      [call(0, '2026-01-01T00:00:00Z'), long, call(2, '2026-01-01T00:00:02Z')],
      [call(0, '2026-01-01T00:00:00Z'), call(2, '2026-01-01T00:00:02Z'), long],
    ]) {
      const { events, skipped } = await eventsIn(lines);
      expect(events.filter(({ event }) => event.phase === 'request').map(({ seq }) => seq)).toEqual([0, 2]);
      expect(skipped).toEqual([`${lines.indexOf(long) + 1}: is longer than 16777216 bytes`]);
    }
    const labelled = readLabels(fileOf([{ session: 's', label: 'benign' }, long]));
    await expect(labelled).rejects.toThrow(/line 2 is longer than 16777216 bytes/);
  });

  test('a byte order mark before the first line is no part of it', async () => {
    const { events, skipped } = await eventsIn([
      `\ufeff${JSON.stringify(call(0, '2026-01-01T00:00:00Z'))}`,
      call(1, '2026-01-01T00:00:01Z'),
    ]);
    expect(skipped).toEqual([]);
    expect(events.filter(({ event }) => event.phase === 'request')).toHaveLength(2);
  });

  test('gzip that is cut off or damaged is one sentence with the file', async () => {
    const file = fileOf([call(0, '2026-01-01T00:00:00Z')], true);
    const whole = readFileSync(file);
    const reading = () => readRecording(file, { digestKey: Buffer.alloc(32), limits }).next();
    writeFileSync(file, whole.subarray(0, whole.length - 12));
    await expect(reading()).rejects.toThrow(
      `cannot read recording ${file}: it ends in the middle of its gzip data`,
    );
    writeFileSync(file, Buffer.concat([whole.subarray(0, 20), Buffer.alloc(40, 0xff)]));
    await expect(reading()).rejects.toThrow(`cannot read recording ${file}: its gzip data is damaged`);
  });

  test('a file that is not there is one sentence', async () => {
    const reading = readRecording('/nowhere/at/all', { digestKey: Buffer.alloc(32), limits });
    await expect(reading.next()).rejects.toThrow('cannot read recording /nowhere/at/all: ENOENT');
  });
});
