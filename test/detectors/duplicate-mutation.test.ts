import { describe, expect, it } from 'vitest';
import { duplicateMutation } from '../../detectors/duplicate-mutation.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { only, stateBytes, times } from './one-detector.ts';
import { detectConfig, type Call } from './sessions.ts';

const pay: Call = { tool: 'create_payment', server: 'bank', action: 'write', arguments: 'pay 10' };
const start = () => only(duplicateMutation(detectConfig().duplicate_mutation));
const key = (idempotency_key: string): Partial<CustodyEvent> => ({ idempotency_key });

describe('one idempotency key', () => {
  it('that two calls succeed under is told, with both calls', () => {
    const run = start();
    expect(run.call('s', pay, key('k1'))).toEqual([]);
    const [alert, ...more] = run.call('t', pay, key('k1'));
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ title: 'One idempotency key done twice', severity: 'medium' });
    expect(alert?.evidence).toHaveLength(2);
    expect(alert?.observed).toContain('1 s after the first');
  });

  it('is worth less where the answer is the same: the server may have kept it', () => {
    const run = start();
    run.call('s', { ...pay, result: 'paid' }, key('k1'));
    const alerts = run.call('s', { ...pay, result: 'paid' }, key('k1'));
    expect(alerts.map(({ severity }) => severity)).toEqual(['low']);
  });

  it.each<[string, Call, Call, string, string]>([
    ['is used again after a failure', { ...pay, category: 'error' }, pay, 'k1', 'k1'],
    ['is another one', pay, pay, 'k1', 'k2'],
    ['is of another tool', pay, { ...pay, tool: 'create_refund' }, 'k1', 'k1'],
    ['is on reads', { ...pay, action: 'read' }, { ...pay, action: 'read' }, 'k1', 'k1'],
  ])('is silent when it %s', (_what, first, second, one, other) => {
    const run = start();
    expect([...run.call('s', first, key(one)), ...run.call('s', second, key(other))]).toEqual([]);
  });

  it('may come again after a day', () => {
    const run = start();
    run.call('s', pay, key('k1'));
    run.wait(25 * 3_600_000);
    expect(run.call('t', pay, key('k1'))).toEqual([]);
  });

  it('is not taken for two calls when two vantage points tell of one', () => {
    const run = start();
    run.call('s', pay, key('k1'));
    const seen = run.call('s-gateway', pay, {
      ...key('k1'),
      source: { collector: 'audit_http', signal: 'audit', dialect: 'gateway', vantage: 'gateway' },
    });
    expect(seen).toEqual([]);
  });
});

describe('a change that is tried again without a key', () => {
  it('is told after a time-out, when the second attempt succeeds', () => {
    const run = start();
    expect(run.call('s', { ...pay, category: 'timeout' })).toEqual([]);
    const [alert] = run.call('s', pay);
    expect(alert).toMatchObject({
      title: 'Change tried again without an idempotency key',
      severity: 'medium',
    });
  });

  it('is told when the sender says that it is a retry', () => {
    expect(start().call('s', pay, { retry_count: 1 })).toHaveLength(1);
  });

  it.each<[string, Call, Call, number, Partial<CustodyEvent>]>([
    [
      'a read that is tried again',
      { ...pay, action: 'read', category: 'timeout' },
      { ...pay, action: 'read' },
      0,
      {},
    ],
    ['other arguments', { ...pay, category: 'timeout' }, { ...pay, arguments: 'pay 11' }, 0, {}],
    ['a second attempt an hour later', { ...pay, category: 'timeout' }, pay, 3_600_000, {}],
    ['a tool that said itself that it failed', { ...pay, category: 'tool_error' }, pay, 0, {}],
    ['a continuation', { ...pay, category: 'timeout' }, pay, 0, { mcp: { continuation: true } }],
  ])('is silent on %s', (_what, first, second, waitMs, more) => {
    const run = start();
    run.call('s', first);
    run.wait(waitMs);
    expect(run.call('s', second, more)).toEqual([]);
  });
});

describe('the state', () => {
  it('stays bounded under a flood of keys and outlives a restart', () => {
    const run = start();
    times(6000, (index) => run.call(`s${index % 50}`, pay, key(`k${index}`)));
    expect(stateBytes(run)).toBeLessThan(2_000_000);
    const later = start();
    later.call('s', pay, key('k'));
    later.restart();
    expect(later.call('t', pay, key('k'))).toHaveLength(1);
  });
});
