import { describe, expect, it } from 'vitest';
import { denialProbing } from '../../detectors/denial-probing.ts';
import { alertSchema } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { sizeOf, watching } from './watching.ts';
import { detectConfig, hex, type Call } from './sessions.ts';

const config = detectConfig().denial_probing;
const refused = { policy: { decision: 'deny' as const }, result: { category: 'denied' as const } };
const start = () => watching(denialProbing(config));
const value = (path: string, text: string, size_bytes = 12) => ({
  path,
  hash: hex(text).slice(0, 13),
  size_bytes,
});

describe('probing', () => {
  it('is told at the fourth different tool refused to one actor, over all its sessions', () => {
    const { call } = start();
    const alerts = Array.from({ length: 6 }, (_, index) =>
      call(`s-${index}`, { tool: `tool_${index}` }, refused),
    );
    expect(alerts.map(({ length }) => length)).toEqual([0, 0, 0, 1, 0, 0]);
    const [alert] = alerts.flat();
    expect(alert).toMatchObject({
      severity: 'medium',
      observed: 'agent-1 was refused 4 different tools in 3 s',
      title: 'Refused one tool after the other',
    });
    expect(alert?.evidence).toHaveLength(4);
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('is told of one tool refused with ever other arguments', () => {
    const { call } = start();
    const alerts = Array.from({ length: 8 }, (_, index) =>
      call('ids', { tool: 'get_invoice', arguments: `invoice ${index}` }, refused),
    );
    expect(alerts.flat().map(({ title }) => title)).toEqual(['Refused one resource after the other']);
  });

  it('counts a decision and the call it is about once', () => {
    const { call, bare } = start();
    const alerts = Array.from({ length: 3 }, (_, index) => [
      ...bare('s', { kind: 'policy', tool: { name: `tool_${index}` }, policy: { decision: 'deny' } }),
      ...call('s', { tool: `tool_${index}`, server: 'desk' }, refused),
    ]);
    expect(alerts.flat()).toEqual([]);
  });

  it.each<[string, number, Partial<CustodyEvent>, number]>([
    ['three tools', 3, refused, 0],
    ['four tools over an hour', 4, refused, 900_000],
    ['who is not logged in', 12, { result: { category: 'denied', code: '401' }, policy: {} }, 0],
    ['tools that fail', 12, { result: { category: 'error' } }, 0],
  ])('is not %s', (_what, count, more, waitMs) => {
    const { run, call } = start();
    for (let index = 0; index < count; index += 1) {
      expect(call('s', { tool: `tool_${index}` }, more)).toEqual([]);
      run.wait(waitMs);
    }
  });

  it('is not what is refused to the actor all the time', () => {
    const { run, call, history } = start();
    for (let index = 0; index < 6; index += 1) {
      history(1, [{ tool: `tool_${index}`, change: (event) => ({ ...event, ...refused }) }]);
      run.wait(1_200_000);
    }
    const usual = Array.from({ length: 6 }, (_, index) => call('again', { tool: `tool_${index}` }, refused));
    expect(usual.flat()).toEqual([]);
  });

  it('is the same after a restart in the middle of it', () => {
    const [whole, broken] = [start(), start()];
    const probe = ({ call }: typeof whole, from: number) =>
      [0, 1].flatMap((index) => call('s', { tool: `tool_${from + index}` }, refused));
    expect([...probe(whole, 0), ...probe(broken, 0)]).toEqual([]);
    broken.run.restart();
    const [one, other] = [probe(whole, 2), probe(broken, 2)];
    expect(one).toHaveLength(1);
    expect(other).toEqual(one);
  });

  it('grows no state without end', () => {
    const detector = denialProbing(config);
    const tenant = detector.newTenantState('acme');
    const watch = watching({ ...detector, newTenantState: () => tenant });
    for (let index = 0; index < 3000; index += 1)
      watch.call('s', { tool: `tool_${index}` }, { ...refused, actor: { id: `made-up-${index % 700}` } });
    expect(tenant.actors.size).toBe(128);
    expect(sizeOf(tenant)).toBeLessThan(12_000);
  });
});

describe('a way around a refusal', () => {
  const target = { values: [value('path', 'the secret'), value('mode', 'x', 1)] };
  const write: Call = { tool: 'move_file', action: 'write' };
  const deny = (watch: ReturnType<typeof start>, more: Partial<CustodyEvent> = {}) =>
    watch.call('s', { tool: 'delete_file', action: 'write' }, { ...refused, arguments: target, ...more });

  it('is another tool that changes the same thing', () => {
    const watch = start();
    deny(watch);
    const [alert] = watch.call('s', write, { arguments: { values: [value('source', 'the secret')] } });
    expect(alert).toMatchObject({ title: 'Refused, then done with another tool', severity: 'medium' });
    expect(alert?.evidence).toHaveLength(2);
  });

  it('is high where the other tool is destructive', () => {
    const watch = start();
    deny(watch, { tool: { name: 'archive', action: 'write' } });
    const [alert] = watch.call('s', { tool: 'purge_all', action: 'write' }, { arguments: target });
    expect(alert).toMatchObject({ severity: 'high' });
  });

  it('is another tool that sends to the same destination', () => {
    const watch = start();
    deny(watch, { destinations: ['evil.example'] });
    expect(watch.call('s', { tool: 'post', action: 'egress', to: ['evil.example'] })).toHaveLength(1);
  });

  it.each<[string, (watch: ReturnType<typeof start>) => unknown]>([
    ['reading it', (watch) => watch.call('s', { tool: 'read_file' }, { arguments: target })],
    [
      'changing something else',
      (watch) => watch.call('s', write, { arguments: { values: [value('a', 'b')] } }),
    ],
    ['the same flag', (watch) => watch.call('s', write, { arguments: { values: [value('mode', 'x', 1)] } })],
    ['another session', (watch) => watch.call('t', write, { arguments: target })],
    [
      'the same tool, allowed now',
      (watch) => watch.call('s', { tool: 'delete_file', action: 'write' }, { arguments: target }),
    ],
    [
      'another tool that is refused as well',
      (watch) => watch.call('s', write, { arguments: target, ...refused }),
    ],
    ['empty arguments twice', (watch) => watch.call('s', { ...write, argumentsBytes: 2, arguments: '{}' })],
  ])('is not %s', (_what, send) => {
    const watch = start();
    deny(watch);
    if (_what.startsWith('empty'))
      watch.call('s', { tool: 'list', argumentsBytes: 2, arguments: '{}' }, refused);
    expect(send(watch)).toEqual([]);
  });
});
