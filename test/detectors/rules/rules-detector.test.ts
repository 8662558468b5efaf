import { describe, expect, it } from 'vitest';
import { createEngine } from '../../../detectors/engine/engine.ts';
import { compileRuleSet, type RuleSet } from '../../../detectors/rules/rule-set.ts';
import { rulesDetector } from '../../../detectors/rules/rules-detector.ts';
import { expandEvents } from '../../../detectors/rules/short-event.ts';
import { alertSchema, type Alert } from '../../../schemas/alert.ts';
import { collectState, detectConfig } from '../sessions.ts';
import { plainRule } from './plain-rule.ts';

const minimal = { ...plainRule, alert: { reason: '{{actor}} did {{count}}' } };
const setOf = (...rules: readonly Record<string, unknown>[]): RuleSet => {
  const { set, problems } = compileRuleSet({
    schema: 'custody.rules/v1',
    rules: rules.map((rule) => ({ ...minimal, ...rule })),
  });
  expect(problems).toEqual([]);
  return set;
};
type Short = Readonly<Record<string, unknown>>;

function runner(initial: RuleSet) {
  let set = initial;
  const make = () => createEngine(detectConfig(), { detectors: [rulesDetector(() => set)] });
  let engine = make();
  let sent = 0;
  return {
    use: (next: RuleSet) => (set = next),
    restart() {
      const pieces = collectState(engine.snapshot());
      engine = make();
      engine.restore([...pieces].map(([name, value]) => ({ name, value })));
    },
    send(...shorts: readonly Short[]): Alert[] {
      return expandEvents(shorts).flatMap(({ event, timeMs }) => {
        sent += 1;
        const event_id = `00000000-0000-4000-8000-${String(sent).padStart(12, '0')}`;
        return engine.process({ event: { ...event, event_id }, appendTimeMs: timeMs });
      });
    },
  };
}
const write = { condition: 'call.action == "write"' };
const every = (count: number, seconds: number, short: Short): Short[] =>
  Array.from({ length: count }, (_, index) => ({ ...short, at: `${index * seconds}s` }));

describe('rules', () => {
  it('alerts under the id and version of the rule, as its mode says', () => {
    const set = setOf({ id: 'w', version: 3, mode: 'shadow', runbook: 'https://x.example/r', match: write });
    const [alert] = runner(set).send({ tool: 'crm/update', action: 'write', decision: 'allow' });
    expect(alert).toMatchObject({
      detector: { id: 'rule/w', version: 3 },
      mode: 'shadow',
      runbook: 'https://x.example/r',
      tool_name: 'update',
      reason: 'agent-1 did 1',
    });
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('counts one call once, however many observers tell of it', () => {
    const set = setOf({ id: 'w', match: write, correlation: { type: 'threshold', count: 2, within: '5m' } });
    const call = { tool: 'crm/update', action: 'write', event: { tool: { call_id: 'c1' } } };
    const run = runner(set);
    expect(run.send({ ...call, phase: 'request' }, { ...call, phase: 'result' })).toEqual([]);
    expect(
      run.send({ at: '9s', tool: 'crm/update', action: 'write', event: { tool: { call_id: 'c2' } } }),
    ).toHaveLength(1);
  });

  it('alerts at the count within the window, in one group, and then needs as many again', () => {
    const set = setOf({ id: 'w', match: write, correlation: { type: 'threshold', count: 3, within: '1m' } });
    expect(runner(set).send(...every(3, 30, { tool: 'a/b', action: 'write' }))).toHaveLength(1);
    expect(runner(set).send(...every(3, 31, { tool: 'a/b', action: 'write' }))).toEqual([]);
    const sessions = every(3, 1, { tool: 'a/b', action: 'write' }).map((each, index) => ({
      ...each,
      session: `s${index}`,
    }));
    expect(runner(set).send(...sessions)).toEqual([]);
    expect(runner(set).send(...every(9, 1, { tool: 'a/b', action: 'write' }))).toHaveLength(1);
  });

  it('counts different values', () => {
    const correlation = { type: 'value_count', value: 'event.server.name', count: 3, within: '1m' };
    const set = setOf({ id: 'w', match: write, correlation });
    const call = (server: string) => ({ tool: `${server}/b`, action: 'write' });
    expect(runner(set).send(call('a'), call('b'), call('a'), call('b'))).toEqual([]);
    expect(runner(set).send(call('a'), call('b'), call('c'))).toHaveLength(1);
  });

  const steps = [
    { name: 'one', condition: 'call.tool == "one"' },
    { name: 'two', condition: 'call.tool == "two"' },
    { name: 'three', condition: 'call.tool == "three"' },
  ];
  it.each([
    [true, ['one', 'two', 'three'], 1],
    [true, ['one', 'one', 'x', 'two', 'three'], 1],
    [true, ['two', 'one', 'three'], 0],
    [false, ['three', 'one', 'two'], 1],
    [false, ['three', 'one'], 0],
  ])('follows a sequence (ordered: %s) through %s', (ordered, tools, alerts) => {
    const set = setOf({ id: 's', correlation: { type: 'sequence', ordered, within: '1m', steps } });
    const raised = runner(set).send(...tools.map((tool) => ({ tool })));
    expect(raised).toHaveLength(alerts);
    if (alerts === 1) expect(raised[0]?.evidence).toHaveLength(3);
  });

  it('takes the latest begin of a sequence, and nothing beyond the window', () => {
    const set = setOf({ id: 's', correlation: { type: 'sequence', within: '1m', steps: steps.slice(0, 2) } });
    expect(runner(set).send({ at: '0s', tool: 'one' }, { at: '61s', tool: 'two' })).toEqual([]);
    const again = [
      { at: '0s', tool: 'one' },
      { at: '50s', tool: 'one' },
      { at: '100s', tool: 'two' },
    ];
    expect(runner(set).send(...again)).toHaveLength(1);
  });

  const absence = {
    id: 'a',
    match: { condition: 'call.tool == "begin"' },
    correlation: { type: 'absence', within: '10m', until: { condition: 'call.tool == "end"' } },
  };
  it('tells what did not follow when stream time has gone by, about the event it waited for', () => {
    const [alert, ...more] = runner(setOf(absence)).send(
      { at: '0s', tool: 'x/begin', actor: 'ag' },
      { at: '11m', tool: 'x/other', session: 's2', actor: 'zz' },
    );
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ session_key: 's1', actor_id: 'ag', tool_name: 'begin' });
    expect(alert?.evidence).toHaveLength(2);
  });

  it('says nothing when it followed in time, even if told late', () => {
    const run = runner(setOf(absence));
    const end = { at: '9m', tool: 'x/end' };
    expect(run.send({ at: '0s', tool: 'x/begin' }, end, { at: '30m', tool: 'x/o', session: 's2' })).toEqual(
      [],
    );
    const late = runner(setOf(absence));
    expect(
      late.send({ at: '0s', tool: 'x/begin' }, { at: '610s', tool: 'x/o' }, end, { at: '30m', tool: 'x/o' }),
    ).toEqual([]);
  });

  it('sends as many alerts a day as the budget allows, then one that says so; the rest is recorded as suppressed', () => {
    const set = setOf({ id: 'w', match: write, alert_budget: { max_per_day: 2 } });
    const calls = every(5, 1, { action: 'write' }).map((each, index) => ({ ...each, tool: `t/t${index}` }));
    const alerts = runner(set).send(...calls);
    expect(alerts.map(({ mode, title }) => [mode, title])).toEqual([
      [undefined, 'T'],
      [undefined, 'T'],
      ['suppressed', 'T'],
      [undefined, 'Alert budget spent: T'],
      ['suppressed', 'T'],
      ['suppressed', 'T'],
    ]);
    expect(alerts[2]?.suppressed_by).toBe('alert budget: 2 a day');
    const nextDay = [...calls, { at: '1d', tool: 't/other', action: 'write' }];
    expect(
      runner(set)
        .send(...nextDay)
        .at(-1)?.mode,
    ).toBeUndefined();
  });

  it('keeps the state of rules that stay when others come into force, and through a restart', () => {
    const correlation = { type: 'threshold', count: 3, within: '5m' };
    const stays = { id: 'stays', match: write, correlation };
    const changes = { id: 'changes', match: write, correlation };
    const run = runner(setOf(stays, changes));
    run.send({ at: '0s', tool: 'a/b', action: 'write' }, { at: '1s', tool: 'a/b', action: 'write' });
    run.use(setOf(stays, { ...changes, version: 2 }));
    run.restart();
    const raised = run.send({ at: '2s', tool: 'a/b', action: 'write' });
    expect(raised.map(({ detector }) => detector.id)).toEqual(['rule/stays']);
  });

  it('bounds what a hostile sender can make it remember', () => {
    const set = setOf({ id: 'w', match: write, correlation: { type: 'threshold', count: 3, within: '1h' } });
    const detector = rulesDetector(() => set);
    const tenant = detector.newTenantState('acme');
    const engine = createEngine(detectConfig(), {
      detectors: [{ ...detector, newTenantState: () => tenant }],
    });
    const shorts = Array.from({ length: 900 }, (_, index) => ({
      tool: 'a/b',
      action: 'write',
      session: `s${index}`,
    }));
    for (const { event, timeMs } of expandEvents(shorts)) engine.process({ event, appendTimeMs: timeMs });
    expect(tenant.rules.get('w@1')?.groups.size).toBe(512);
  });
});
