import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DetectRecord } from '../../detectors/engine/contract.ts';
import { createEngine } from '../../detectors/engine/engine.ts';
import { clampTimeMs } from '../../detectors/engine/event-time.ts';
import { SnapshotVersionError } from '../../detectors/engine/snapshot.ts';
import type { Detector, DetectEvent } from '../../detectors/detector.ts';
import type { Alert } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import {
  by,
  callEvent,
  collectState,
  detectConfig,
  hex,
  learnWorkday,
  note,
  omit,
  readTicket,
  reply,
  runner,
  search,
  startMs,
  uuidOf,
  type Call,
} from './sessions.ts';

const traceId = 'a'.repeat(32);
const span = (id: string) => id.repeat(16);
const secrets: Call = { tool: 'read_secret', server: 'vault' };
const post: Call = { tool: 'http_post', server: 'web', action: 'egress', to: ['drop.example'] };

/** A detector that writes down what it is told. */
function recorder() {
  const told: {
    call: number | undefined;
    fresh: DetectEvent['fresh'];
    decision: string;
    ticket: string | undefined;
  }[] = [];
  const detector: Detector = {
    id: 'recorder',
    version: 1,
    newTenantState: () => undefined,
    newSessionState: () => undefined,
    step: ({ call, fresh, decision, ticket }) => told.push({ call: call?.index, fresh, decision, ticket }),
  };
  return { told, detector };
}

function observing() {
  const { told, detector } = recorder();
  const run = runner(detectConfig(), { detectors: [detector] });
  let count = 0;
  const send = (changes: Partial<CustodyEvent>, call: Call = { tool: 'send' }) => {
    const base = callEvent('acme', 'conversation', count, startMs, call);
    count += 1;
    run.send({ ...omit(base, 'policy'), ...changes });
  };
  return { told, send, run };
}
const source = (vantage: CustodyEvent['source']['vantage'], signal: 'span' | 'log' | 'mcp' = 'span') => ({
  collector: 'otlp_http' as const,
  signal,
  dialect: 'test',
  vantage,
});

describe('merging of observations', () => {
  it('counts the agent, client and server spans and the gateway log of one call once, in any order', () => {
    const observations: Partial<CustodyEvent>[] = [
      { source: source('agent'), trace: { trace_id: traceId, span_id: span('1') } },
      {
        source: source('client'),
        trace: { trace_id: traceId, span_id: span('2'), parent_span_id: span('1') },
      },
      {
        source: source('server'),
        trace: { trace_id: traceId, span_id: span('3'), parent_span_id: span('2') },
      },
      { source: source('gateway', 'log'), trace: { trace_id: traceId, span_id: span('2') } },
    ];
    for (const order of [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
      [2, 3, 1, 0],
    ]) {
      const { told, send } = observing();
      for (const index of order) send(observations[index] ?? {});
      expect(told.filter(({ fresh }) => fresh.call)).toHaveLength(1);
      expect(new Set(told.map(({ call }) => call))).toEqual(new Set([0]));
    }
  });

  it('merges by call id, and by request id within a session', () => {
    const { told, send } = observing();
    send({ source: source('client'), tool: { name: 'send', call_id: 'c1' } });
    send({ source: source('server'), tool: { name: 'send', call_id: 'c1' } });
    send({ source: source('tap', 'mcp'), phase: 'request', mcp: { request_id: '4' } });
    send({ source: source('tap', 'mcp'), phase: 'result', mcp: { request_id: '4' } });
    expect(told.map(({ call }) => call)).toEqual([0, 0, 1, 1]);
  });

  it('keeps parallel calls of one tool apart', () => {
    const { told, send } = observing();
    for (const id of ['1', '2', '3'])
      send({
        source: source('client'),
        trace: { trace_id: traceId, span_id: span(id), parent_span_id: span('9') },
      });
    expect(told.map(({ call }) => call)).toEqual([0, 1, 2]);
  });

  it('does not merge requests with one id to two servers, nor a request id used twice by one observer', () => {
    const { told, send } = observing();
    const request = { source: source('tap', 'mcp'), phase: 'request' as const, mcp: { request_id: '1' } };
    send({ ...request, server: { name: 'a' } });
    send({ ...request, server: { name: 'b' } });
    send({ ...request, server: { name: 'a' } });
    expect(told.map(({ call }) => call)).toEqual([0, 1, 2]);
  });

  it('tells what a later observation adds: result size and destinations', () => {
    const { told, send, run } = observing();
    const trace = { trace_id: traceId, span_id: span('1') };
    send({
      source: source('client'),
      trace,
      tool: { name: 'send' },
      result: {},
      destinations: ['a.example'],
    });
    send({
      source: source('server'),
      trace: { trace_id: traceId, span_id: span('2'), parent_span_id: span('1') },
      destinations: ['a.example', 'b.example'],
    });
    expect(told[1]?.fresh).toMatchObject({
      call: false,
      resultSize: true,
      outcome: true,
      destinations: ['b.example'],
    });
    expect(run.engine().stats()).toMatchObject({ calls: 1, mergedObservations: 1 });
  });

  it('adds the service call behind a tool to the call of the tool', () => {
    const { told, send } = observing();
    send({ source: source('server'), trace: { trace_id: traceId, span_id: span('1') } });
    send({
      kind: 'api_call',
      trace: { trace_id: traceId, span_id: span('2'), parent_span_id: span('1') },
      destinations: ['api.example'],
    });
    expect(told[1]).toMatchObject({ call: 0, fresh: { destinations: ['api.example'] } });
  });

  it('joins a server span that only knows its trace to the conversation, whichever comes first', () => {
    const trace = { trace_id: traceId, span_id: span('1') };
    const inferred = { session: { key: traceId, source: 'trace_root' as const, confidence: 'low' as const } };
    const client = { source: source('client'), trace };
    const server = {
      source: source('server'),
      trace: { trace_id: traceId, span_id: span('2'), parent_span_id: span('1') },
      ...inferred,
    };
    for (const order of [
      [client, server],
      [server, client],
    ]) {
      const { told, send, run } = observing();
      for (const observation of order) send(observation);
      expect(told.map(({ call }) => call)).toEqual([0, 0]);
      expect(run.engine().stats()).toMatchObject({ sessions: 1, calls: 1 });
    }
  });

  it('ignores an event it has seen', () => {
    const run = runner();
    const event = callEvent('acme', 's', 0, startMs, { tool: 'x' });
    for (let delivery = 0; delivery < 5; delivery += 1) run.send(event);
    expect(run.engine().stats()).toMatchObject({ calls: 1, duplicateEvents: 4 });
  });
});

describe('policy events', () => {
  const policy = (changes: Partial<CustodyEvent>): Partial<CustodyEvent> => ({ kind: 'policy', ...changes });
  const trace = (id: string, parent?: string) => ({
    trace_id: traceId,
    span_id: span(id),
    ...(parent === undefined ? {} : { parent_span_id: span(parent) }),
  });

  it('give their decision and ticket to the call they are about', () => {
    const { told, send } = observing();
    send(
      policy({
        trace: trace('2', '1'),
        tool: { name: 'send' },
        policy: { decision: 'deny', ticket: 'CHG-1' },
      }),
    );
    send({ trace: trace('1') });
    expect(told[1]).toMatchObject({ decision: 'deny', ticket: 'CHG-1' });
  });

  it('do not answer for another tool, another trace or, when they name nothing, for a second call', () => {
    const { told, send } = observing();
    send(policy({ trace: trace('5'), tool: { name: 'other' }, policy: { decision: 'allow' } }));
    send({ trace: trace('1') });
    send(
      policy({ trace: { trace_id: 'b'.repeat(32) }, tool: { name: 'send' }, policy: { decision: 'allow' } }),
    );
    send({ trace: trace('2') });
    send({ kind: 'policy', tool: {}, policy: { decision: 'allow' } });
    send({ trace: trace('3') });
    send({ trace: trace('4') });
    expect(told.filter(({ fresh }) => fresh.call).map(({ decision }) => decision)).toEqual([
      'none',
      'none',
      'allow',
      'none',
    ]);
  });

  it('lose against what the call itself says', () => {
    const { told, send } = observing();
    send(policy({ tool: { name: 'send' }, policy: { decision: 'allow' } }));
    send({ policy: { decision: 'deny' } });
    expect(told[1]?.decision).toBe('deny');
  });
});

describe('time', () => {
  it('never lies after the append time, nor more than a day before it', () => {
    const nano = (ms: number) => `${ms}000000`;
    expect(clampTimeMs(nano(startMs - 5), startMs)).toBe(startMs - 5);
    expect(clampTimeMs(nano(Date.UTC(2200, 0)), startMs)).toBe(startMs);
    expect(clampTimeMs('0', startMs)).toBe(startMs - 86_400_000);
    expect(clampTimeMs('99999999999999999999', startMs)).toBe(startMs);
  });

  it('of a sender with a wild clock closes nobody else’s session', () => {
    const run = runner();
    run.session('mine', [readTicket]);
    run.send({ ...callEvent('acme', 'wild', 0, Date.UTC(2200, 0), readTicket) }, run.now());
    run.session('mine', [search]);
    expect(run.engine().stats()).toMatchObject({ sessions: 2, clampedTimes: 1 });
  });

  it('closes idle sessions in stream time and ended sessions at once', () => {
    const run = runner();
    run.session('old', [readTicket]);
    run.wait(31 * 60_000);
    run.session('new', [readTicket]);
    expect(run.engine().stats().sessions).toBe(1);
    const event = omit(callEvent('acme', 'new', 9, run.now(), readTicket), 'tool');
    run.send({
      ...event,
      kind: 'session',
      session: { key: 'new', source: 'conversation_id', confidence: 'high', transition: 'end' },
    });
    expect(run.engine().stats().sessions).toBe(0);
  });
});

describe('alerts', () => {
  it('of one matter come once per session and window, and again in the next session', () => {
    const run = runner();
    learnWorkday(run);
    const first = by(run.session('one', [readTicket, post, note, post, note, post]), 'novel-chain');
    expect(first.map(({ dedup_key: key }) => key)).toEqual([
      ...new Set(first.map(({ dedup_key: key }) => key)),
    ]);
    expect(by(run.session('two', [readTicket, post]), 'novel-chain').length).toBeGreaterThan(0);
  });

  it('have ids that depend on nothing but detector, tenant, matter and event', () => {
    const ids = () => {
      const run = runner();
      learnWorkday(run);
      return run.session('attack', [readTicket, secrets, post]).map(({ alert_id: id }) => id);
    };
    expect(ids()).toEqual(ids());
    expect(new Set(ids()).size).toBe(ids().length);
  });

  it('survive hostile names: bounded texts, no control characters', () => {
    const run = runner();
    learnWorkday(run);
    const name = `\u001b[31m\u202e\n${'x'.repeat(240)}`;
    const [alert] = run.session('attack', [
      readTicket,
      { ...post, tool: name, to: [`${'d'.repeat(200)}.example`] },
    ]);
    expect(alert?.reason).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(alert?.reason.length).toBeLessThan(600);
  });
});

const pool: readonly Call[] = [
  readTicket,
  search,
  note,
  reply,
  secrets,
  post,
  { ...reply, argumentsBytes: 900_000, to: ['big.example'] },
  { tool: 'same', arguments: '1', result: '1' },
  { tool: 'fail', category: 'tool_error' },
];

/** Workdays first, then arbitrary interleavings: enough for every detector to have something to say. */
const history = fc
  .array(
    fc.tuple(
      fc.integer({ min: 0, max: 5 }),
      fc.integer({ min: 0, max: pool.length - 1 }),
      fc.integer({ min: 0, max: 2 }),
    ),
    {
      minLength: 20,
      maxLength: 80,
    },
  )
  .map((steps): DetectRecord[] => {
    const run = runner();
    for (const tenant of ['t0', 't1']) learnWorkday(run, 24, tenant);
    steps.forEach(([session, call, tenant], seq) => {
      run.wait(700);
      const event = callEvent(`t${tenant}`, `s${session}`, seq, run.now(), pool[call] ?? readTicket);
      run.send({ ...event, event_id: uuidOf(`${seq} ${tenant} ${session}`) });
    });
    return run.records;
  });

function alertsOf(records: readonly DetectRecord[], restartAt = -1, config = detectConfig()): Alert[] {
  let engine = createEngine(config);
  const state = new Map<string, Uint8Array>();
  return records.flatMap((record, index) => {
    if (index % 37 === 36) collectState(engine.snapshot(), state);
    if (index === restartAt) {
      collectState(engine.snapshot(), state);
      engine = createEngine(config);
      engine.restore([...state].map(([name, value]) => ({ name, value })));
    }
    return engine.process(record);
  });
}

describe('determinism', () => {
  it('gives the same alerts for the same records', () => {
    let total = 0;
    fc.assert(
      fc.property(history, (records) => {
        const alerts = alertsOf(records);
        total += alerts.length;
        expect(alertsOf(records)).toEqual(alerts);
      }),
      { numRuns: 20 },
    );
    expect(total).toBeGreaterThan(20);
  });

  it('gives the same alerts when it is restored from incremental snapshots at any point', () => {
    fc.assert(
      fc.property(history, fc.nat(), (records, at) => {
        expect(alertsOf(records, at % records.length)).toEqual(alertsOf(records));
      }),
      { numRuns: 30 },
    );
  });

  it('also evicts the same sessions and tenants after a restart', () => {
    const config = detectConfig({
      sessions_max: 16,
      tenants_max: 4,
      novel_chain: { threshold: 0.3, learning_sessions: 2 },
      loop: { identical_calls: 2, error_run: 2 },
    });
    const records: DetectRecord[] = [];
    for (let index = 0; index < 400; index += 1) {
      const session = (index * 13) % 4;
      const call = pool[session + 5] ?? readTicket;
      const tenant = `t${(index * 7) % (index % 3 === 0 ? 5 : 2)}`;
      const timeMs = startMs + index * 1000;
      records.push({
        event: callEvent(tenant, `s${session}`, index, timeMs, call),
        appendTimeMs: timeMs,
      });
    }
    const straight = alertsOf(records, -1, config);
    for (const at of [50, 123, 250, 399]) expect(alertsOf(records, at, config)).toEqual(straight);
    expect(straight.length).toBeGreaterThan(0);
  });

  it('keeps tenants apart: what others do changes nothing', () => {
    fc.assert(
      fc.property(history, (records) => {
        const own = records.filter(({ event }) => event.tenant === 't0');
        expect(alertsOf(records).filter(({ tenant }) => tenant === 't0')).toEqual(alertsOf(own));
      }),
      { numRuns: 20 },
    );
  });
});

describe('snapshots', () => {
  it('hold only what changed since the last one', () => {
    const run = runner();
    learnWorkday(run, 10, 'acme');
    learnWorkday(run, 10, 'globex');
    expect([...run.engine().snapshot()].length).toBeGreaterThan(20);
    expect([...run.engine().snapshot()]).toEqual([]);
    run.session('one', [readTicket], 'acme');
    const names = [...run.engine().snapshot()].map(({ name }) => name);
    expect(names.filter((name) => !name.startsWith('shared/')).sort()).toEqual(
      ['engine', `session/acme/${hex('one').slice(0, 32)}`, 'tenant/acme'].sort(),
    );
  });

  it('remove sessions that were closed', () => {
    const run = runner();
    run.session('short', [readTicket]);
    const state = collectState(run.engine().snapshot());
    run.wait(31 * 60_000);
    run.session('next', [readTicket]);
    collectState(run.engine().snapshot(), state);
    expect([...state.keys()].filter((name) => name.startsWith('session/'))).toHaveLength(1);
  });

  it.each([
    ['another version', Buffer.from('detect-state/99 loop/1\nx')],
    ['rubbish', Buffer.from('\u0000\u0001')],
    ['nothing', Buffer.alloc(0)],
  ])('of %s are refused', (_name, value) => {
    const engine = createEngine(detectConfig());
    expect(() => engine.restore([{ name: 'tenant/acme', value }])).toThrow(SnapshotVersionError);
    expect(engine.stats().tenants).toBe(0);
  });

  it('of this version but cut short are refused', () => {
    const run = runner();
    run.session('s', [readTicket]);
    const entries = [...run.engine().snapshot()].flatMap(({ name, value }) =>
      value === undefined ? [] : [{ name, value: value.subarray(0, value.length - 9) }],
    );
    expect(() => createEngine(detectConfig()).restore(entries)).toThrow(SnapshotVersionError);
  });
});

describe('floods', () => {
  it('of made-up tenants leave the established tenants their knowledge', () => {
    const run = runner(detectConfig({ tenants_max: 200 }));
    learnWorkday(run);
    for (let index = 0; index < 10_000; index += 1)
      run.engine().process({
        event: callEvent(`flood-${index}`, 's', 0, run.now(), readTicket),
        appendTimeMs: run.now(),
      });
    expect(run.engine().stats().tenants).toBe(200);
    expect(by(run.session('attack', [readTicket, secrets, post]), 'novel-chain').length).toBeGreaterThan(0);
  });

  it('of sessions in one tenant close no session of another', () => {
    const run = runner(detectConfig({ sessions_max: 1000 }));
    learnWorkday(run);
    run.session('attack', [readTicket, secrets]);
    const before = run.engine().stats().sessions;
    for (let index = 0; index < 10_000; index += 1)
      run.engine().process({
        event: callEvent('noisy', `s-${index}`, 0, run.now(), readTicket),
        appendTimeMs: run.now(),
      });
    expect(run.engine().stats().sessions).toBe(1000);
    const late = run.send(callEvent('acme', 'attack', 2, run.now(), post));
    // The chain it tells of began before the flood.
    expect(by(late, 'novel-chain')[0]?.observed).toContain('read_secret');
    expect(before).toBeLessThan(1000);
  });

  it('of tools, destinations, grants and actors stay within bounds', () => {
    const run = runner();
    learnWorkday(run);
    const names = (index: number) => ({
      actor: { id: `actor-${index}`, type: 'agent' as const },
      scope: { grants: [`g${index}`, `h${index}:x`] },
    });
    let largest = 0;
    for (let index = 0; index < 10_000; index += 1) {
      const call = { tool: `tool-${index}`, action: 'egress' as const, to: [`host-${index}.example`] };
      const event = { ...callEvent('acme', `s-${index % 500}`, index, run.now(), call), ...names(index) };
      run.engine().process({ event, appendTimeMs: run.now() });
    }
    for (const { value } of run.engine().snapshot()) largest = Math.max(largest, value?.length ?? 0);
    expect(largest).toBeLessThan(3_000_000);
    expect(by(run.session('usual', [readTicket, search, reply]), 'novel-chain')).toEqual([]);
  });
});
