import { describe, expect, it } from 'vitest';
import { bulkChange } from '../../detectors/bulk-change.ts';
import { alertSchema } from '../../schemas/alert.ts';
import { only, stateBytes, times } from './one-detector.ts';
import { detectConfig, type Call } from './sessions.ts';

const update: Call = { tool: 'update_rows', server: 'crm', action: 'write' };
const start = () => only(bulkChange(detectConfig().bulk_change));

describe('bulk-change', () => {
  it('tells of one call that changes more than 1000 things without a ticket', () => {
    const [alert, ...more] = start().call('s', update, { item_count: 4200 });
    expect(more).toEqual([]);
    expect(alert).toMatchObject({
      title: 'Bulk change without a change ticket',
      severity: 'high',
      session_key: 's',
      observed: 'one call of crm/update_rows changed 4200 items without a change ticket',
      distance: '4.2 times the limit',
    });
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('adds up what one tool changes in a session', () => {
    const run = start();
    const alerts = times(6, () => run.call('s', update, { item_count: 200 })).flat();
    expect(alerts.map(({ observed }) => observed)).toEqual([
      '6 calls of crm/update_rows in this session changed 1200 items without a change ticket',
    ]);
    expect(alerts[0]?.evidence).toHaveLength(6);
  });

  it('is worse where things are removed for good', () => {
    const [alert] = start().call('s', { ...update, tool: 'delete_rows' }, { item_count: 1500 });
    expect(alert?.severity).toBe('critical');
  });

  it.each<[string, Call, number, object]>([
    ['a read of 50000 rows', { ...update, tool: 'list_rows', action: 'read' }, 50_000, {}],
    ['exactly 1000 things', update, 1000, {}],
    ['a change with a ticket', update, 4200, { policy: { decision: 'allow', ticket: 'CHG-1' } }],
    ['a change that was denied', update, 4200, { policy: { decision: 'deny' } }],
  ])('stays silent on %s', (_what, call, items, more) => {
    expect(start().call('s', call, { item_count: items, ...more })).toEqual([]);
  });

  it('takes no ticket that nobody has registered, where tickets are registered', () => {
    const run = start();
    run.decide({ tickets: [{ id: 'CHG-1', tools: ['update_rows'] }] });
    const ticketed = (ticket: string) => ({
      item_count: 4200,
      policy: { decision: 'allow' as const, ticket },
    });
    expect(run.call('s', update, ticketed('CHG-1'))).toEqual([]);
    expect(run.call('t', update, ticketed('CHG-2'))).toHaveLength(1);
    expect(run.call('u', { ...update, tool: 'update_prices' }, ticketed('CHG-1'))).toHaveLength(1);
  });

  it('goes by the limit that the registry gives a tool', () => {
    const run = start();
    run.decide({ tools: [{ name: 'update_rows', limits: { item_count: 50 } }] });
    expect(run.call('s', update, { item_count: 51 })).toHaveLength(1);
    expect(run.call('t', { ...update, tool: 'other' }, { item_count: 51 })).toEqual([]);
  });

  it('counts a call once, however many tell of it', () => {
    const run = start();
    const trace = { trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) };
    const told = (vantage: 'client' | 'server') => ({
      item_count: 600,
      trace,
      source: { collector: 'otlp_http' as const, signal: 'span' as const, dialect: 'test', vantage },
    });
    expect(run.call('s', update, told('client'))).toEqual([]);
    expect(run.call('s', update, told('server'))).toEqual([]);
    expect(run.engine().stats().mergedObservations).toBe(1);
  });

  it('keeps its state small under a flood of tools', () => {
    const run = start();
    times(3000, (index) => run.call('s', { ...update, tool: `t${index}` }, { item_count: 1 }));
    expect(stateBytes(run)).toBeLessThan(100_000);
  });
});
