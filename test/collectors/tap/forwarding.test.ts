import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CustodyEvent } from '../../../schemas/event.ts';
import { startEventsReceiver, type EventsReceiver } from '../../support/events-receiver.ts';
import { scripted, startTap, type RunningTap } from '../../support/tap-process.ts';

let dataDir: string;
let receiver: EventsReceiver;
const taps: RunningTap[] = [];

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'custody-tap-'));
  receiver = await startEventsReceiver();
});
afterEach(async () => {
  for (const tap of taps.splice(0)) {
    tap.child.kill('SIGKILL');
    await tap.exited;
  }
  await receiver.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const ECHO = scripted('process.stdin.pipe(process.stdout)');
/** On a busy machine what is left at the end would be the next tap's to send. */
const PATIENT = ['--drain-ms', '120000'];
const HASTY = ['--drain-ms', '2000'];
function tap(
  command: readonly string[],
  more: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): RunningTap {
  const started = startTap({ dataDir, collector: receiver.url, command, more: [...PATIENT, ...more] }, env);
  taps.push(started);
  return started;
}
const end = () => receiver.events.find((event) => event.session?.transition === 'end');
const line = (value: unknown) => `${JSON.stringify(value)}\n`;
const isAsked = (event: CustodyEvent) =>
  event.phase === 'request' && event.mcp?.direction === 'client_to_server';
const call = (id: number, args: unknown = {}) =>
  line({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'read', arguments: args } });

describe('bytes', () => {
  test('pass unchanged: CRLF, invalid UTF-8, blank lines, no newline at the end, any chunks', async () => {
    const parts = [
      Buffer.from('{"jsonrpc":"2.0","id":1,"result":{}}\r\n\n  \n'),
      randomBytes(100_000),
      Buffer.from([0xff, 0xfe, 0x0a, 0x00, 0x0a]),
      Buffer.from('not JSON at all\n{"half":'),
    ];
    const echo = tap(ECHO);
    for (const part of parts)
      for (let from = 0; from < part.length; from += 7919) echo.stdin.write(part.subarray(from, from + 7919));
    echo.stdin.end();
    expect(await echo.exited).toEqual({ code: 0, signal: null });
    expect(echo.output().equals(Buffer.concat(parts))).toBe(true);
    expect(end()?.attributes).toMatchObject({ 'process.exit.code': 0 });
  });

  test('of a 10 MiB line pass whole and are recorded with their exact size', async () => {
    const text = 'x'.repeat(10 * 1024 * 1024);
    const message = call(1, { text });
    const echo = tap(ECHO);
    echo.stdin.end(message);
    await echo.exited;
    expect(echo.output().toString()).toBe(message);
    const request = receiver.events.find((event) => event.kind === 'tool_call' && event.phase === 'request');
    expect(request?.arguments?.size_bytes).toBe(JSON.stringify({ text }).length);
  });

  test('of a line over the recording bound pass whole and are recorded as oversize', async () => {
    const sizeBytes = 17 * 1024 * 1024;
    const echo = tap(ECHO);
    echo.stdin.end(`${'y'.repeat(sizeBytes)}\n`);
    await echo.exited;
    expect(echo.output().length).toBe(sizeBytes + 1);
    const found = receiver.events.filter((event) => event.source.name === 'oversize');
    expect(found.map((event) => (event.arguments ?? event.result)?.size_bytes)).toEqual([
      sizeBytes,
      sizeBytes,
    ]);
  });

  test('of stderr are the server’s own', async () => {
    const server = tap(scripted('process.stderr.write("free text"); process.stdin.resume()'));
    await server.untilStderr(/free text/);
    server.stdin.end();
    expect(await server.exited).toEqual({ code: 0, signal: null });
  });
});

describe('the end', () => {
  test('of the server with a code is the end of the tap with that code', async () => {
    const server = tap(scripted('process.stdout.write("last words"); process.exitCode = 37'));
    expect(await server.exited).toEqual({ code: 37, signal: null });
    expect(server.output().toString()).toBe('last words');
    expect(end()?.attributes).toMatchObject({ 'process.exit.code': 37 });
  });

  test('of the server by a signal is the end of the tap by that signal, and open calls have no known outcome', async () => {
    const server = tap(scripted('process.stdin.once("data", () => process.kill(process.pid, "SIGKILL"))'));
    server.stdin.write(call(1));
    expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(end()?.attributes).toMatchObject({ 'process.exit.signal': 'SIGKILL' });
    expect(
      receiver.events.filter((event) => event.kind === 'tool_call').map((event) => event.result?.code),
    ).toEqual([undefined, 'connection_closed']);
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    '%s reaches the server, which decides what it means',
    async (signal) => {
      const server = tap(
        scripted(
          `process.on("${signal}", () => { process.stdout.write("got it"); process.exit(5); }); process.stdin.resume(); process.stdout.write("up")`,
        ),
      );
      await server.untilBytes(2);
      server.child.kill(signal);
      expect(await server.exited).toEqual({ code: 5, signal: null });
      expect(server.output().toString()).toBe('upgot it');
    },
  );

  test('of the client ends the server by the end of its stdin', async () => {
    const server = tap(scripted('process.stdin.on("end", () => process.exit(9)).resume()'));
    server.stdin.end();
    expect(await server.exited).toEqual({ code: 9, signal: null });
  });

  test('of the client while the server writes breaks the server’s pipe', async () => {
    const server = tap(
      scripted(
        'const t = setInterval(() => process.stdout.write("x".repeat(65536)), 1); process.stdout.on("error", (e) => { clearInterval(t); process.exit(e.code === "EPIPE" ? 11 : 12); })',
      ),
    );
    await server.untilBytes(1);
    server.child.stdout!.destroy();
    expect(await server.exited).toEqual({ code: 11, signal: null });
  });

  test('comes though a grandchild keeps stdout open', async () => {
    const server = tap(
      scripted(
        'require("node:child_process").spawn("sleep", ["20"], { stdio: ["ignore", "inherit", "ignore"], detached: true }).unref()',
      ),
    );
    expect(await server.exited).toEqual({ code: 0, signal: null });
  });

  test('comes at once with 127 when there is no such command', async () => {
    const server = tap(['/nowhere/no-such-server']);
    expect(await server.exited).toEqual({ code: 127, signal: null });
    expect(server.stderr()).toContain('cannot start server /nowhere/no-such-server: ENOENT');
  });
});

test('a server that never reads holds its client back instead of filling the tap', async () => {
  const server = tap(
    scripted(
      'process.stdout.write("up"); const parent = process.ppid; setInterval(() => parent !== process.ppid && process.exit(), 100)',
    ),
  );
  await server.untilBytes(2);
  const chunk = Buffer.alloc(1024 * 1024, 'z');
  let written = 0;
  let isHeldBack = false;
  // What fits: two pipes and two stream buffers. A tap that buffered would take it all.
  while (!isHeldBack && written < 64) {
    isHeldBack = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(true), 1500);
      server.stdin.write(chunk, () => {
        clearTimeout(timer);
        resolve(false);
      });
    });
    if (!isHeldBack) written++;
  }
  expect(isHeldBack).toBe(true);
  expect(written).toBeLessThan(4);
});

test('the server does not see the token', async () => {
  const server = tap(
    scripted('process.stdout.write(String(process.env.CUSTODY_TOKEN) + process.env.OTHER)'),
    [],
    {
      CUSTODY_TOKEN: 'secret',
      OTHER: ' kept',
    },
  );
  await server.exited;
  expect(server.output().toString()).toBe('undefined kept');
  expect(receiver.requests[0]?.authorization).toBe('Bearer secret');
});

describe('what the agent was asked', () => {
  const recorded = async (...more: readonly string[]) => {
    const echo = tap(ECHO, more);
    echo.stdin.end(call(1, { to: 'ann@example.com' }));
    expect(await echo.exited).toEqual({ code: 0, signal: null });
    const start = receiver.events.find((event) => event.session?.transition === 'start');
    return { start, request: receiver.events.find(isAsked), text: JSON.stringify(receiver.events) };
  };

  test('is told as fingerprints of its words, never as text', async () => {
    const file = join(dataDir, 'task.txt');
    writeFileSync(file, 'Write to ann@example.com about the zanzibar invoice');
    const { start, text } = await recorded('--intent-file', file);
    expect(start?.intent?.tokens).toMatch(/./);
    expect(text).not.toContain('zanzibar');
  });

  test('is not told where the configuration named turns fingerprints off', async () => {
    const file = join(dataDir, 'custody.yaml');
    writeFileSync(file, 'ingest: { provenance: { enabled: false } }\n');
    const { start, request } = await recorded('--intent', 'Write to ann@example.com', '--config', file);
    expect(start?.kind).toBe('session');
    expect(start).not.toHaveProperty('intent');
    expect(request?.arguments).not.toHaveProperty('values');
  });

  test('is not told by default, and values have fingerprints', async () => {
    const { start, request } = await recorded();
    expect(start).not.toHaveProperty('intent');
    expect(request?.arguments?.values).toHaveLength(1);
  });
});

describe('recording that fails leaves the session unharmed', () => {
  const session = async (running: RunningTap) => {
    const messages = Array.from({ length: 2000 }, (_, id) => call(id, { text: 'y'.repeat(500) })).join('');
    running.stdin.end(messages);
    expect(await running.exited).toEqual({ code: 0, signal: null });
    expect(running.output().toString()).toBe(messages);
  };

  test('when the spool is full: and the loss is counted in the record', async () => {
    receiver.answer = () => 503;
    await session(tap(ECHO, ['--spool-max-mib', '1', ...HASTY]));
    receiver.answer = () => 200;
    const later = tap(ECHO);
    await receiver.until((events) =>
      events.some((event) => event.attributes?.['custody.gap.state'] === 'ended'),
    );
    later.stdin.end();
    await later.exited;
    const gap = receiver.events.find((event) => event.attributes?.['custody.gap.state'] === 'ended');
    const ofSession = receiver.events.filter((event) => event.session?.key === gap?.session?.key);
    // Every number up to the last is either there, or counted as lost.
    const last = Math.max(...ofSession.map((event) => Number(event.source.sequence)));
    expect(gap?.attributes).toMatchObject({ 'custody.gap.reason': 'spool_full' });
    expect(ofSession.length + Number(gap?.attributes?.['custody.gap.lost_events'])).toBe(last + 1);
  });

  test('when the data directory cannot be used', async () => {
    writeFileSync(join(dataDir, 'file'), '');
    const running = startTap({ dataDir: join(dataDir, 'file'), collector: receiver.url, command: ECHO });
    taps.push(running);
    await session(running);
    expect(running.stderr()).toMatch(/recording has stopped, the MCP session goes on: cannot/);
  });

  test('when the disk vanishes under the spool', async () => {
    receiver.answer = () => 503;
    const running = tap(ECHO, HASTY);
    await receiver.untilRequests(1);
    rmSync(join(dataDir, 'spool'), { recursive: true });
    await session(running);
  });

  test.each([500, 401, 'hang'] as const)('when the collector answers %s', async (answer) => {
    receiver.answer = () => answer;
    await session(tap(ECHO, HASTY));
    expect(readdirSync(join(dataDir, 'spool'))).toHaveLength(1);
  });
});

/** Resolves when some spool file holds the text; woken by the file system. */
async function spooled(text: string): Promise<void> {
  const root = join(dataDir, 'spool');
  const holds = () =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .some((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8').includes(text));
  const watcher = watch(root, { recursive: true });
  try {
    while (!holds()) await new Promise((resolve) => watcher.once('change', resolve));
  } finally {
    watcher.close();
  }
}

describe('the spool', () => {
  const recorded = () => receiver.events.map((event) => event.event_id);

  test('of a tap whose collector was down is sent by the next tap, in order and once', async () => {
    const { url } = receiver;
    await receiver.close();
    const first = tapAt(url);
    first.stdin.end(Array.from({ length: 50 }, (_, id) => call(id)).join(''));
    expect(await first.exited).toEqual({ code: 0, signal: null });
    receiver = await startEventsReceiver(Number(new URL(url).port));
    const second = tapAt(url);
    await receiver.until((events) => events.some((event) => event.session?.transition === 'end'));
    second.stdin.end();
    await second.exited;
    const instance = end()?.session?.key;
    const ofFirst = receiver.events.filter((event) => event.session?.key === instance);
    expect(ofFirst.map((event) => event.source.sequence)).toEqual(ofFirst.map((_, index) => String(index)));
    expect(ofFirst.filter(isAsked)).toHaveLength(50);
    expect(new Set(recorded()).size).toBe(recorded().length);
    expect(readdirSync(join(dataDir, 'spool'))).toEqual([]);
  });

  test('of a tap killed with SIGKILL is sent by the next tap', async () => {
    receiver.answer = () => 503;
    const first = tap(ECHO);
    first.stdin.write(call(1));
    await receiver.untilRequests(1);
    await spooled('"tool_call"');
    first.child.kill('SIGKILL');
    await first.exited;
    receiver.answer = () => 200;
    const second = tap(ECHO);
    await receiver.until((events) => events.some((event) => event.kind === 'tool_call'));
    second.stdin.end();
    await second.exited;
    expect(readdirSync(join(dataDir, 'spool'))).toEqual([]);
  });

  test('that the collector came back to is emptied by the same tap, and nothing is doubled', async () => {
    receiver.answer = () => (receiver.requests.length < 4 ? 500 : 200);
    const running = tap(ECHO);
    for (let id = 0; id < 20; id++) running.stdin.write(call(id));
    await receiver.until((events) => events.filter(isAsked).length === 20);
    running.stdin.end();
    await running.exited;
    expect(receiver.events.map((event) => event.source.sequence)).toEqual(
      recorded().map((_, index) => String(index)),
    );
    expect(new Set(recorded()).size).toBe(recorded().length);
  });

  const tapAt = (collector: string) => {
    const started = startTap({ dataDir, collector, command: ECHO });
    taps.push(started);
    return started;
  };
});
