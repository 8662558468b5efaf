import { describe, expect, it } from 'vitest';
import { unapprovedPrivilege } from '../../detectors/unapproved-privilege.ts';
import { alertSchema } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { sizeOf, watching } from './watching.ts';
import { callEvent, detectConfig, hex, omit, startMs, type Call } from './sessions.ts';

const config = detectConfig().unapproved_privilege;
const start = (registry?: object) => watching(unapprovedPrivilege(config), registry);
const wipe: Call = { tool: 'delete_records', server: 'crm', action: 'write' };
const grant: Call = { tool: 'add_collaborator', server: 'git', action: 'write' };
const ticket = (id: string): Partial<CustodyEvent> => ({
  policy: { decision: 'allow', ticket: id, rule: 'r1' },
});
const request = (more: Partial<CustodyEvent> = {}): Partial<CustodyEvent> => ({
  phase: 'request',
  result: undefined,
  policy: undefined,
  ...more,
});

describe('a destructive or privileged call without approval', () => {
  it.each<[string, Call, Partial<CustodyEvent>, string]>([
    ['destructive by name', wipe, {}, 'Destructive call without approval'],
    ['privileged by name', grant, {}, 'Privileged call without approval'],
    [
      'destructive by the server’s own hint',
      { tool: 'tidy', action: 'write' },
      { tool: { name: 'tidy', action: 'write', annotations: { destructive: true } } },
      'Destructive call without approval',
    ],
    ['failing', { ...wipe, category: 'tool_error' }, {}, 'Destructive call without approval'],
    ['of an actor of unknown kind', wipe, { actor: { id: 'x' } }, 'Destructive call without approval'],
  ])('is told: %s', (_what, call, more, title) => {
    const watch = start();
    const [alert, ...others] = watch.call('s', call, more);
    expect(others).toEqual([]);
    expect(alert).toMatchObject({ title, severity: 'medium', distance: 'neither ticket nor approver' });
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('is told once for a session and tool', () => {
    const { call } = start();
    expect(call('s', wipe)).toHaveLength(1);
    expect(call('s', wipe)).toEqual([]);
    expect(call('s', grant)).toHaveLength(1);
    expect(call('t', wipe)).toHaveLength(1);
  });

  it('says that no policy is named where it was allowed without one', () => {
    expect(start().call('s', wipe)[0]?.reason).toContain('no policy is named');
    expect(start().call('s', wipe, { policy: { decision: 'allow', rule: 'r1' } })[0]?.reason).not.toContain(
      'no policy',
    );
  });

  it.each<[string, object, Call]>([
    [
      'the registry requires a ticket',
      { requires_ticket: true },
      { tool: 'deploy', server: 'crm', action: 'write' },
    ],
    [
      'the registry requires an approval',
      { requires_approval: true },
      { tool: 'deploy', server: 'crm', action: 'write' },
    ],
    [
      'it is registered as both',
      { destructive: true, privileged: true },
      { tool: 'deploy', server: 'crm', action: 'write' },
    ],
  ])('is high where %s', (_what, flags, call) => {
    const registry = { servers: [{ name: 'crm', tools: [{ name: 'deploy', ...flags }] }] };
    expect(start(registry).call('s', call)).toMatchObject([{ severity: 'high' }]);
  });

  it('is high where it is privileged and a value of its arguments came from what strangers write, with that call as evidence', () => {
    const registry = {
      servers: [
        { name: 'web', tools: [{ name: 'read_page', read_only: true, open_world: true }] },
        { name: 'crm', tools: [{ name: 'list_records', read_only: true, open_world: false }] },
      ],
    };
    const values = [
      { path: 'id', hash: hex('x').slice(0, 13), size_bytes: 9, origin: 'output' as const, source_call: 0 },
    ];
    const watch = start(registry);
    watch.call('s', { tool: 'read_page', server: 'web' });
    const [alert] = watch.call('s', grant, { arguments: { values } });
    expect(alert).toMatchObject({ severity: 'high' });
    expect(alert?.reason).toContain('came from web/read_page (call 1)');
    expect(alert?.evidence).toHaveLength(2);
    watch.call('t', { tool: 'list_records', server: 'crm' });
    expect(watch.call('t', grant, { arguments: { values } })).toMatchObject([{ severity: 'medium' }]);
    watch.call('u', { tool: 'read_page', server: 'web' });
    expect(watch.call('u', wipe, { arguments: { values } })).toMatchObject([{ severity: 'medium' }]);
  });

  it('is high where its ticket is not registered, is over, or is for something else', () => {
    const registry = {
      tickets: [
        { id: 'CHG-1', until: new Date(startMs - 1000).toISOString() },
        { id: 'CHG-2', tools: ['git/*'] },
        { id: 'CHG-3', tools: ['crm/delete_*'], agents: ['agent-*'] },
      ],
    };
    for (const id of ['CHG-0', 'CHG-1', 'CHG-2']) {
      const [alert] = start(registry).call('s', wipe, ticket(id));
      expect(alert).toMatchObject({ severity: 'high', distance: 'the ticket does not count' });
      expect(alert?.reason).toContain(id);
    }
    expect(start(registry).call('s', wipe, ticket('CHG-3'))).toEqual([]);
  });

  it('is told of a request that nobody answers, after a minute or at the end of the session', () => {
    const [waited, ended] = [start(), start()];
    for (const { call } of [waited, ended]) expect(call('s', wipe, request())).toEqual([]);
    expect(waited.call('s', { tool: 'read' })).toEqual([]);
    waited.run.wait(61_000);
    expect(waited.call('s', { tool: 'read' })).toMatchObject([
      { tool_name: 'delete_records', server_name: 'crm' },
    ]);
    expect(ended.end('s')).toMatchObject([{ tool_name: 'delete_records' }]);
  });

  it('is told when the answer comes, and not when the answer is a refusal', () => {
    const [made, refused] = [start(), start()];
    const parts = (part: 'request' | 'result', category: 'ok' | 'denied') => {
      const whole = callEvent('acme', 's', 1, startMs, wipe);
      const named = { ...whole, tool: { ...whole.tool, call_id: 'c1' } };
      return part === 'request'
        ? { ...omit(named, 'result', 'policy'), phase: part }
        : {
            ...omit(named, 'arguments', 'policy'),
            phase: part,
            event_id: callEvent('acme', 's', 2, 0, wipe).event_id,
            result: { category },
          };
    };
    for (const { run } of [made, refused]) expect(run.send(parts('request', 'ok'))).toEqual([]);
    expect(made.run.send(parts('result', 'ok'))).toHaveLength(1);
    expect(refused.run.send(parts('result', 'denied'))).toEqual([]);
    expect(refused.end('s')).toEqual([]);
  });

  it('is told in every session, whatever people have said before: who wants quiet writes a suppression', () => {
    const { call, end, judge } = start();
    for (let day = 0; day < 10; day += 1) {
      const [alert] = call(`s-${day}`, wipe);
      expect(alert).toMatchObject({ severity: 'medium' });
      end(`s-${day}`);
      if (day % 2 === 0) judge(alert?.incident_id ?? '', 'benign_true_positive');
    }
  });

  it.each<[string, object | undefined, number]>([
    ['medium', undefined, 1],
    ['high', { servers: [{ name: 'crm', tools: [{ name: 'delete_records', requires_ticket: true }] }] }, 0],
  ])('keeps the session from being learned from where it is high only: %s', (severity, registry, learned) => {
    let learnedCount = 0;
    const detector = { ...unapprovedPrivilege(config), learn: () => void (learnedCount += 1) };
    const { call, end } = watching(detector, registry);
    expect(call('s', wipe)).toMatchObject([{ severity }]);
    end('s');
    expect(learnedCount).toBe(learned);
  });

  it('is the same after a restart between request and end', () => {
    const [whole, broken] = [start(), start()];
    for (const { call } of [whole, broken]) call('s', wipe, request());
    broken.run.restart();
    const one = whole.end('s');
    expect(one).toHaveLength(1);
    expect(broken.end('s')).toEqual(one);
  });
});

describe('nothing is told', () => {
  const approved: Partial<CustodyEvent> = { policy: { decision: 'allow', approver: 'jo' } };
  it.each<[string, Call, Partial<CustodyEvent>]>([
    ['with a ticket', wipe, ticket('CHG-9')],
    ['with an approver', wipe, approved],
    ['of a call that was refused', { ...wipe, decision: 'deny', category: 'denied' }, {}],
    ['of one that was given up', { ...wipe, category: 'cancelled' }, {}],
    ['of reading what sounds privileged', { tool: 'list_ssh_keys', action: 'read' }, {}],
    ['of harmless writing', { tool: 'write_note', action: 'write' }, {}],
    ['of a person', wipe, { actor: { id: 'jo', type: 'human' } }],
    ['of a service', wipe, { actor: { id: 'cron', type: 'service' } }],
  ])('%s', (_what, call, more) => expect(start().call('s', call, more)).toEqual([]));

  it('where a policy event told ticket or approver before', () => {
    for (const policy of [{ ticket: 'CHG-9' }, { approver: 'jo' }]) {
      const { bare, call } = start();
      bare('s', {
        kind: 'policy',
        tool: { name: 'delete_records' },
        policy: { decision: 'allow', ...policy },
      });
      expect(call('s', wipe, { policy: undefined })).toEqual([]);
    }
  });

  it('but where the actor approves itself, or only the client says so', () => {
    const self = { policy: { decision: 'allow' as const, approver: 'agent-1' } };
    expect(start().call('s', wipe, self)).toHaveLength(1);
    const said = { ...approved, fact_sources: { 'policy.approver': 'client_asserted' as const } };
    expect(start().call('s', wipe, said)).toHaveLength(1);
  });

  it('but where the registry requires an approval and there is a mere ticket', () => {
    const registry = {
      servers: [{ name: 'crm', tools: [{ name: 'delete_records', requires_approval: true }] }],
    };
    expect(start(registry).call('s', wipe, ticket('CHG-9'))).toMatchObject([{ severity: 'high' }]);
    expect(start(registry).call('s', wipe, approved)).toEqual([]);
    const known = { ...registry, tickets: [{ id: 'CHG-9', approver: 'jo' }] };
    expect(start(known).call('s', wipe, ticket('CHG-9'))).toEqual([]);
  });
});

it('grows no state without end', () => {
  const detector = unapprovedPrivilege(config);
  const session = detector.newSessionState();
  const watch = watching({ ...detector, newSessionState: () => session });
  for (let index = 0; index < 500; index += 1)
    watch.call('s', { tool: `delete_${index}`, action: 'write' }, index % 2 === 0 ? request() : {});
  expect(sizeOf(session)).toBeLessThan(2000);
});
