import { describe, expect, it } from 'vitest';
import { firstSeen } from '../../detectors/first-seen.ts';
import { alertSchema } from '../../schemas/alert.ts';
import { keyOf, sizeOf, watching } from './watching.ts';
import { detectConfig, note, readTicket, reply, search, type Call } from './sessions.ts';

const config = detectConfig().first_seen;
const usual: readonly Call[] = [readTicket, search, reply];
const wipe: Call = { tool: 'delete_records', server: 'crm', action: 'write' };

function settled(sessions = 25, registry?: object) {
  const watch = watching(firstSeen(config), registry);
  const alerts = watch.history(sessions, usual);
  return { ...watch, alerts };
}

describe('a tool an actor never used', () => {
  it('is medium where it can do harm and first uses have become rare', () => {
    const { call, alerts } = settled();
    expect(alerts.filter(({ severity }) => severity !== 'info')).toEqual([]);
    const [alert] = call('new', note);
    expect(alert).toMatchObject({
      severity: 'medium',
      title: 'Tool this actor never used',
      observed: 'agent-1 used tool desk/write_note (write) for the first time',
      normal: '0 of 25 sessions of this actor used it, with 3 tools; no actor did',
    });
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('is low where it only reads', () => {
    expect(
      settled()
        .call('new', { tool: 'list_pages', server: 'wiki' })
        .map(({ severity }) => severity),
    ).toEqual(['low']);
  });

  it('is info while the actor is new, and nothing where it only reads', () => {
    const { call } = settled(10);
    expect(call('new', note).map(({ severity }) => severity)).toEqual(['info']);
    expect(call('new', { tool: 'list_pages' })).toEqual([]);
    expect(call('new', reply, { actor: { id: 'agent-2', type: 'agent' } })).toEqual([]);
  });

  it('is info for an agent that tries a new one every few sessions', () => {
    const watch = watching(firstSeen(config));
    const severities: string[] = [];
    for (let round = 0; round < 30; round += 1) {
      watch.history(4, usual, {}, `round-${round}`);
      severities.push(
        ...watch.history(1, [{ tool: `write_${round}`, action: 'write' }]).map(({ severity }) => severity),
      );
    }
    expect(new Set(severities)).toEqual(new Set(['info']));
  });

  it('is not learned from the session it was told in, and from another one once somebody says it was fine', () => {
    const { call, end, judge } = settled();
    const [alert] = call('new', note);
    end('new');
    expect(call('newer', note)).toHaveLength(1);
    judge(alert?.incident_id ?? '', 'false_positive');
    end('newer');
    expect(call('newest', note)).toEqual([]);
  });

  it.each<[string, object]>([
    ['the registry lists for the agent', { agents: [{ id: 'agent-*', tools: { allow: ['desk/*'] } }] }],
  ])('is nothing where %s', (_what, registry) => {
    expect(settled(25, registry).call('new', note)).toEqual([]);
  });

  it('is told where the registry names the agent but no tools', () => {
    expect(settled(25, { agents: [{ id: 'agent-*' }] }).call('new', note)).toHaveLength(1);
  });

  it('is nothing where the call was refused', () => {
    const { call } = settled();
    expect(call('new', { ...note, category: 'denied', decision: 'deny' })).toEqual([]);
  });

  it('is nothing where nobody tells who acts', () => {
    const watch = watching(firstSeen(config));
    expect(watch.history(60, [note], { actor: {} })).toEqual([]);
  });
});

describe('an actor', () => {
  it('that uses a destructive tool which a few others have for themselves is medium', () => {
    const watch = watching(firstSeen(config));
    watch.history(30, [wipe]);
    const [alert] = watch.call('new', wipe, { actor: { id: 'agent-9', type: 'agent' } });
    expect(alert).toMatchObject({ severity: 'medium', title: 'Actor that never used this tool' });
    expect(alert?.normal).toBe('crm/delete_records was used by 1 actor in 30 sessions');
  });

  it('nobody knows is low, a registered one nothing', () => {
    const stranger = { actor: { id: 'agent-9', type: 'agent' as const } };
    expect(settled().call('new', search, stranger)).toMatchObject([
      { severity: 'low', title: 'Actor never seen' },
    ]);
    expect(settled(25, { agents: [{ id: 'agent-9' }] }).call('new', search, stranger)).toEqual([]);
  });

  it('is nothing where every session has another', () => {
    const watch = watching(firstSeen(config));
    const alerts = Array.from({ length: 60 }, (_, index) =>
      watch.history(1, [search], { actor: { id: `run-${index}` } }),
    );
    expect(alerts.flat()).toEqual([]);
  });
});

it('gives the same first uses after a restart in the middle of the history', () => {
  const [whole, broken] = [watching(firstSeen(config)), watching(firstSeen(config))];
  for (const [index, watch] of [whole, broken].entries()) {
    watch.history(12, usual);
    if (index === 1) watch.run.restart();
    watch.history(12, usual);
  }
  const one = whole.call('new', note);
  expect(one).toHaveLength(1);
  expect(broken.call('new', note)).toEqual(one);
});

it('holds back a flood of made-up tools and actors, and keeps its state small', () => {
  const detector = firstSeen(config);
  const tenant = detector.newTenantState('acme');
  const watch = watching({ ...detector, newTenantState: () => tenant });
  watch.history(25, usual);
  let alerts = 0;
  for (let index = 0; index < 6000; index += 1) {
    watch.run.wait(-1000);
    alerts += watch.call(
      `s-${index >> 6}`,
      { tool: `tool_${index}`, action: 'write' },
      { actor: { id: `a-${index % 900}` } },
    ).length;
    if (index % 64 === 63)
      watch.bare(`s-${index >> 6}`, {
        kind: 'session',
        session: { ...keyOf(`s-${index >> 6}`), transition: 'end' },
      });
  }
  expect(alerts).toBeLessThanOrEqual(60);
  expect(tenant.actors.size).toBeLessThanOrEqual(512);
  expect(tenant.tools.size).toBeLessThanOrEqual(1024);
  expect(tenant.pairs.size).toBeLessThanOrEqual(4096);
  expect(sizeOf(tenant)).toBeLessThan(12_000);
  expect(watch.call('known', reply)).toEqual([]);
});
