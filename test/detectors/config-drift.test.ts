import { describe, expect, it } from 'vitest';
import { configDrift } from '../../detectors/config-drift.ts';
import { alertSchema } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { only, times } from './one-detector.ts';

const start = () => only(configDrift());
const endpoint: NonNullable<CustodyEvent['change']> = {
  item_type: 'endpoint',
  item: 'crm',
  field: 'url',
  after: 'https://crm.other.example/mcp',
};
const drift = (more: Partial<CustodyEvent> = {}, run = start()) =>
  run.tell({ kind: 'registry', actor: { id: 'jo', type: 'human' }, change: endpoint, ...more });

describe('config-drift', () => {
  it('tells of a new endpoint that nobody approved', () => {
    const [alert, ...more] = drift();
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ title: 'New endpoint without approval', severity: 'medium' });
    expect(alert?.reason).toBe(
      'By jo: new endpoint crm (url): https://crm.other.example/mcp; no approver and no change ticket.',
    );
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it.each(['zone', 'limit'] as const)('tells of a changed %s', (item_type) => {
    const alerts = drift({ change: { item_type, item: 'crm', before: '1', after: '2' } });
    expect(alerts.map(({ severity }) => severity)).toEqual(['medium']);
  });

  it('does not take the word of who made the change', () => {
    const [alert] = drift({ policy: { approver: 'jo' } });
    expect(alert?.observed).toContain('approved only by jo, who made it');
  });

  it.each<[string, Partial<CustodyEvent>]>([
    ['a change with a ticket', { policy: { ticket: 'CHG-7' } }],
    ['a change that somebody else approved', { policy: { approver: 'kim' } }],
    ['a change that was denied', { policy: { decision: 'deny' } }],
    [
      'an address of a person in a change with a ticket',
      { policy: { ticket: 'C' }, pii: { redactions: { email: 1 } } },
    ],
  ])('stays silent on %s', (_what, more) => {
    expect(drift(more)).toEqual([]);
  });

  it('stays silent on a registry event that tells no change', () => {
    expect(start().tell({ kind: 'registry', actor: { id: 'jo' } })).toEqual([]);
  });

  it('tells of a secret, approved or not', () => {
    const [alert, ...more] = drift({ policy: { ticket: 'CHG-7' }, pii: { redactions: { aws_key: 1 } } });
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ title: 'Secret in configuration', severity: 'high' });
    expect(alert?.reason).toContain('aws_key');
  });

  it('takes no ticket that is not registered, where tickets are', () => {
    const run = start();
    run.decide({ tickets: [{ id: 'CHG-1' }] });
    expect(drift({ policy: { ticket: 'CHG-2' } }, run)).toHaveLength(1);
    expect(drift({ policy: { ticket: 'CHG-1' } }, run)).toEqual([]);
  });

  it('tells of the same change once, and of others each', () => {
    const run = start();
    const alerts = times(20, (index) =>
      drift({ change: { ...endpoint, item: `crm-${index % 5}` } }, run),
    ).flat();
    expect(alerts).toHaveLength(5);
  });
});
