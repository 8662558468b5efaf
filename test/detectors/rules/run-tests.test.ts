import { describe, expect, it } from 'vitest';
import { compileRule } from '../../../detectors/rules/compile-rule.ts';
import { runRuleTests } from '../../../detectors/rules/run-tests.ts';
import { detectConfig } from '../sessions.ts';
import { plainRule } from './plain-rule.ts';

type Json = Readonly<Record<string, unknown>>;

/** Of the one case: how each event counted. The case always fails, for one that passes shows nothing. */
function counted(parts: Json, events: readonly Json[], test: Json = {}): (string | undefined)[] {
  return failedCase(parts, events, test).events.map(({ correlation }) => correlation);
}

function failedCase(parts: Json, events: readonly Json[], test: Json) {
  const compiled = compileRule({
    ...plainRule,
    tests: [{ name: 'c', events, expect: 'alert', alerts: 99, ...test }],
    ...parts,
  });
  if ('problems' in compiled) throw new Error(JSON.stringify(compiled.problems));
  const [result] = runRuleTests(compiled.rule, detectConfig());
  if (result?.passed !== false) throw new Error('the case should fail');
  return result;
}

const refund = { tool: 'shop/refund', user: 'mia' };
const match = { condition: 'call.tool == "refund"' };
const threshold = { match, correlation: { type: 'threshold', count: 3, within: '10m' } };
const byUser = { ...threshold, group_by: ['event.actor.user_id'] };
const mia = '(event.actor.user_id = mia)';

describe('a case that fails', () => {
  it('names the member of group_by that is absent', () => {
    expect(counted(byUser, [{ tool: 'shop/refund' }, refund])).toEqual([
      'group_by event.actor.user_id is absent: not counted',
      `1 of 3 within 10m ${mia}`,
    ]);
  });

  it('says so of a rule without correlation too', () => {
    expect(counted({ match, group_by: ['event.actor.user_id'] }, [{ tool: 'shop/refund' }])).toEqual([
      'group_by event.actor.user_id is absent: not counted',
    ]);
  });

  it('counts with each event how many are in the window, and those of other groups apart', () => {
    expect(counted(byUser, [refund, { ...refund, user: 'jo' }, refund, { ...refund, at: '20m' }])).toEqual([
      `1 of 3 within 10m ${mia}`,
      '1 of 3 within 10m (event.actor.user_id = jo)',
      `2 of 3 within 10m ${mia}`,
      `1 of 3 within 10m ${mia}`,
    ]);
  });

  it('says nothing of events that do not match', () => {
    expect(counted(byUser, [{ tool: 'shop/list' }])).toEqual([undefined]);
  });

  it('tells the alert from the silence after it', () => {
    const lines = counted({ ...threshold, group_by: [] }, [refund, refund, refund, refund, refund, refund]);
    expect(lines[2]).toBe('3 of 3 within 10m: alert');
    expect(lines[5]).toBe('3 of 3 within 10m: the same was told within 30m (repeat_after), so no alert');
  });

  it('tells of the silence of a rule without correlation', () => {
    expect(counted({ match, group_by: [] }, [refund, refund])).toEqual([
      undefined,
      'counted: the same was told within 30m (repeat_after), so no alert',
    ]);
  });

  it('counts different values, and says which value is absent', () => {
    const correlation = { type: 'value_count', value: 'event.actor.user_id', count: 3, within: '1h' };
    const events = [refund, refund, { tool: 'shop/refund' }, { ...refund, user: 'jo' }];
    expect(counted({ match, correlation, group_by: [] }, events)).toEqual([
      '1 of 3 different values within 1h',
      '1 of 3 different values within 1h',
      'correlation.value event.actor.user_id is absent: not counted',
      '2 of 3 different values within 1h',
    ]);
  });

  it.each([
    [true, [0, 1], '0 of 2 steps within 1h, waits for step get'],
    [true, [1, 0], '1 of 2 steps within 1h, waits for step put'],
    [false, [0, 0], '1 of 2 steps within 1h, waits for step get'],
    [false, [0, 1], '2 of 2 steps within 1h: alert'],
  ])('names the step that a sequence waits for: ordered %s, %j', (ordered, order, last) => {
    const steps = ['get', 'put'].map((name) => ({ name, condition: `call.tool == "${name}"` }));
    const events = order.map((index) => [{ tool: 'put' }, { tool: 'get' }][index] ?? {});
    const shown = counted(
      { correlation: { type: 'sequence', ordered, within: '1h', steps }, group_by: [] },
      ordered ? events.slice(0, 1) : events,
    );
    expect(shown.at(-1)).toBe(last);
  });

  it('says that match leaves the steps of a sequence out', () => {
    const steps = ['get', 'put'].map((name) => ({ name, condition: `call.tool == "${name}"` }));
    const correlation = { type: 'sequence', within: '1h', steps };
    expect(counted({ match: { condition: 'decision == "deny"' }, correlation }, [{ tool: 'get' }])).toEqual([
      'match is false: its steps are not looked at',
    ]);
  });

  it('says when an absence would be told, what settles it and which event tells it', () => {
    const correlation = {
      type: 'absence',
      within: '10m',
      until: { condition: 'call.tool == "approve"' },
    };
    const waits = 'waits for until within 10m; told by the first event more than 10m and 30s later';
    const rule = { match, correlation, group_by: [] };
    expect(counted(rule, [refund, { tool: 'x/approve', at: '1m' }])).toEqual([waits, 'settles what waits']);
    expect(counted(rule, [refund, { tool: 'x/other', at: '20m' }])).toEqual([
      waits,
      'what was waited for did not come in time: alert',
    ]);
  });

  it('counts its events from 0 with a registry in force too', () => {
    const { events } = failedCase(byUser, [refund, refund], { registry: { version: 1 } });
    expect(events.map(({ index }) => index)).toEqual([0, 1]);
  });
});
