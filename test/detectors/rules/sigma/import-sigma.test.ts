import { describe, expect, it } from 'vitest';
import { alertsOf, imported } from './imported.ts';

const rule = (detection: string, service = 'tool_call') => `
title: A rule
status: test
logsource: { product: mcp, service: ${service} }
detection: ${detection}
level: high
`;

const matches = (detection: string, event: Readonly<Record<string, unknown>>) =>
  alertsOf(rule(detection), event).length === 1;
const shell = { tool: 'Ops/Run_Shell', action: 'execute', to: ['Evil.example.NET', '10.1.2.3'] };

describe('a Sigma detection', () => {
  it.each<[string, boolean]>([
    ['{ s: { tool_name: run_shell }, condition: s }', true],
    ['{ s: { tool_name|cased: run_shell }, condition: s }', false],
    ['{ s: { tool_name|cased: Run_Shell }, condition: s }', true],
    ['{ s: { tool.name: [x, run_shell] }, condition: s }', true],
    ['{ s: { tool_name: "run*" }, condition: s }', true],
    ['{ s: { tool_name: "run?shell" }, condition: s }', true],
    ['{ s: { tool_name: "run\\\\*" }, condition: s }', false],
    ['{ s: { tool_name|contains: SHELL }, condition: s }', true],
    ['{ s: { tool_name|contains|all: [run, shell] }, condition: s }', true],
    ['{ s: { tool_name|contains|all: [run, bash] }, condition: s }', false],
    ['{ s: { tool_name|contains: "n_*e" }, condition: s }', true],
    ['{ s: { tool_name|startswith: run }, condition: s }', true],
    ['{ s: { tool_name|endswith: run }, condition: s }', false],
    ['{ s: { tool_name|re: "^Run_[A-Z]" }, condition: s }', true],
    ['{ s: { tool_name|re: "^run_[A-Z]" }, condition: s }', false],
    ['{ s: { tool_name|re|i: "^run_[s-t]\\\\w+$" }, condition: s }', true],
    ['{ s: { tool_name|re: "(?i)^RUN" }, condition: s }', true],
    ['{ s: { destinations|endswith: .example.net }, condition: s }', true],
    ['{ s: { destinations|cidr: 10.0.0.0/8 }, condition: s }', true],
    ['{ s: { destinations|cidr: 192.168.0.0/16 }, condition: s }', false],
    ['{ s: { destinations|contains|all: [evil, "10."] }, condition: s }', true],
    ['{ s: { argument_bytes|gte: 120 }, condition: s }', true],
    ['{ s: { argument_bytes|gt: 120 }, condition: s }', false],
    ['{ s: { argument_bytes|lt: 121 }, condition: s }', true],
    ['{ s: { argument_bytes|lte: 119 }, condition: s }', false],
    ['{ s: { argument_bytes: 120 }, condition: s }', true],
    ['{ s: { ticket|exists: false }, condition: s }', true],
    ['{ s: { tool_name|exists: true }, condition: s }', true],
    ['{ s: { ticket: null }, condition: s }', true],
    ['{ s: { ticket: [null, CHG-1] }, condition: s }', true],
    ['{ s: { ticket|neq: CHG-1 }, condition: s }', true],
    ['{ s: { tool_name|neq: run_shell }, condition: s }', false],
    ['{ s: { attributes.team: red }, condition: s }', true],
    ['{ s: { attributes.count|gt: 3 }, condition: s }', true],
    ['{ s: { attributes.other: red }, condition: s }', false],
    ['{ s: { tool_name|base64: x }, condition: s }', false],
    ['{ s: { attributes.blob|base64|contains: whoami }, condition: s }', true],
  ])('%s: %s', (detection, expected) => {
    const attributes = { team: 'Red', count: 4, blob: `echo ${btoa('whoami')} | x` };
    expect(matches(detection, { ...shell, event: { attributes } })).toBe(expected);
  });

  it.each<[string, boolean]>([
    ['a and b', false],
    ['a or b', true],
    ['not b', true],
    ['a and not b', true],
    ['not a or not b', true],
    ['not (a or b)', false],
    ['a and (b or c_1)', true],
    ['b or a and c_1', true],
    ['1 of c_*', true],
    ['all of c_*', false],
    ['1 of them', true],
    ['all of them', false],
    ['any of c_* and not b', true],
    ['A', false],
  ])('condition "%s" is %s', (condition, expected) => {
    const searches = `a: { tool_name: run_shell }, b: { tool_name: other }, c_1: { action: execute }, c_2: { action: read }`;
    // Every search must be used.
    const text = rule(`{ ${searches}, condition: ["${condition}", "b and b and c_1 and c_2 and a"] }`);
    if (condition === 'A') expect(imported(text).problems[0]).toMatchObject({ path: 'detection.condition' });
    else expect(alertsOf(text, shell).length === 1).toBe(expected);
  });

  it('takes a list of maps as alternatives, and not over an absent field as true', () => {
    expect(matches('{ s: [{ tool_name: other }, { action: execute }], condition: s }', shell)).toBe(true);
    expect(
      matches(
        '{ s: { tool_name: run_shell }, f: { agent_id: x, ticket: y }, condition: s and not f }',
        shell,
      ),
    ).toBe(true);
  });

  it.each([
    [
      'tool_registry',
      { kind: 'registry', event: { change: { item_type: 'tool', item: 'x' } } },
      'change_item: x',
    ],
    ['auth', { kind: 'auth', actor: 'mia' }, 'agent_id: mia'],
    ['policy', { kind: 'policy', decision: 'deny' }, 'decision: deny'],
    ['session', { kind: 'session', transition: 'start' }, 'transition: start'],
  ])('of service %s is about its kinds of events', (service, event, search) => {
    const text = rule(`{ s: { ${search} }, condition: s }`, service);
    expect(alertsOf(text, event)).toEqual(['rule/a-rule']);
    expect(alertsOf(text, { ...event, kind: 'context' })).toEqual([]);
  });
});

describe('what is not supported', () => {
  it.each<[string, string]>([
    [
      '{ s: { tool_name|base64offset|contains: x }, condition: s }',
      'detection.s.tool_name|base64offset|contains',
    ],
    ['{ s: { tool_nam: x }, condition: s }', 'detection.s.tool_nam'],
    ['{ s: { tool: { name: x } }, condition: s }', 'detection.s.tool'],
    ['{ s: [word], condition: s }', 'detection.s.0'],
    ['{ s: word, condition: s }', 'detection.s'],
    ['{ s: { tool_name: x }, condition: s | count() > 5 }', 'detection.condition'],
    ['{ s: { tool_name: x }, condition: 2 of them }', 'detection.condition'],
    ['{ s: { tool_name: x }, condition: s and }', 'detection.condition'],
    ['{ s: { tool_name: x }, condition: (s }', 'detection.condition'],
    ['{ s: { tool_name: x }, t: { tool_name: y }, condition: s }', 'detection.t'],
    ['{ s: { tool_name: x }, timeframe: 5m, condition: s }', 'detection.timeframe'],
    ['{ s: { tool_name|cased: "x*" }, condition: s }', 'detection.s.tool_name|cased'],
    ['{ s: { tool_name|gt: 4 }, condition: s }', 'detection.s.tool_name|gt'],
    ['{ s: { item_count|contains: 4 }, condition: s }', 'detection.s.item_count|contains'],
    ['{ s: { destinations|cidr: host }, condition: s }', 'detection.s.destinations|cidr'],
    ['{ s: { tool_name|re: "(a+)+" }, condition: s }', 'match.condition'],
    ['{ s: { event: x }, condition: s }', 'detection.s.event'],
  ])('is an error that names the place: %s', (detection, path) => {
    const { rules, problems } = imported(rule(detection));
    expect(rules).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ path });
  });

  it.each([
    ['logsource.product', 'logsource: { product: windows }'],
    ['logsource.service', 'logsource: { product: mcp, service: other }'],
    ['logsource.category', 'logsource: { product: mcp, category: process_creation }'],
    ['status', 'status: deprecated\nlogsource: { product: mcp }'],
    ['level', 'level: urgent\nlogsource: { product: mcp }'],
  ])('in %s is an error too', (path, head) => {
    const text = `title: A\n${head}\ndetection: { s: { tool_name: x }, condition: s }`;
    expect(imported(text).problems[0]).toMatchObject({ path });
  });
});

const base = (name: string, tool: string) => `
title: Base ${name}
name: ${name}
logsource: { product: mcp, service: tool_call }
detection: { s: { tool_name: ${tool} }, condition: s }
`;
const correlated = (correlation: string, ...bases: readonly string[]) =>
  [...bases, `title: Together\ncorrelation: ${correlation}`].join('\n---\n');
const call = (tool: string, at: string, actor = 'a') => ({ tool: `x/${tool}`, at, actor });

describe('a Sigma correlation', () => {
  it('of type event_count counts within group and timespan, and its rule alone says nothing', () => {
    const text = correlated(
      '{ type: event_count, rules: [one], group-by: [agent_id], timespan: 1m, condition: { gte: 3 } }',
      base('one', 'one'),
    );
    const times = ['0s', '10s', '20s'];
    expect(alertsOf(text, ...times.map((at) => call('one', at)))).toEqual(['rule/together']);
    expect(alertsOf(text, ...times.map((at, index) => call('one', at, `a${index}`)))).toEqual([]);
    expect(alertsOf(text, call('one', '0s'), call('one', '40s'), call('one', '80s'))).toEqual([]);
  });

  it('lets its rules speak for themselves with generate', () => {
    const text = correlated(
      '{ type: event_count, generate: true, rules: [one], timespan: 1m, condition: { gt: 1 } }',
      base('one', 'one'),
    );
    expect(alertsOf(text, call('one', '0s'), call('one', '1s'))).toEqual(['rule/one', 'rule/together']);
  });

  it('of type value_count counts different values', () => {
    const text = correlated(
      '{ type: value_count, rules: [one], group-by: [agent_id], timespan: 1m, condition: { field: session_id, gte: 2 } }',
      base('one', 'one'),
    );
    const from = (session: string, at: string) => ({ ...call('one', at), session });
    expect(alertsOf(text, from('s1', '0s'), from('s1', '1s'))).toEqual([]);
    expect(alertsOf(text, from('s1', '0s'), from('s2', '1s'))).toEqual(['rule/together']);
  });

  it('of type temporal takes any order, of type temporal_ordered only its own', () => {
    const bases = [base('one', 'one'), base('two', 'two')];
    const of = (type: string) =>
      correlated(`{ type: ${type}, rules: [one, two], group-by: [agent_id], timespan: 5m }`, ...bases);
    const backwards = [call('two', '0s'), call('one', '1s')];
    expect(alertsOf(of('temporal'), ...backwards)).toEqual(['rule/together']);
    expect(alertsOf(of('temporal_ordered'), ...backwards)).toEqual([]);
    expect(alertsOf(of('temporal_ordered'), call('one', '0s'), call('two', '1s'))).toEqual(['rule/together']);
  });

  it.each<[string, string]>([
    ['{ type: event_count, rules: [one], timespan: 1m, condition: { lt: 3 } }', 'correlation.condition'],
    ['{ type: event_count, rules: [nobody], timespan: 1m, condition: { gte: 3 } }', 'correlation.rules'],
    ['{ type: event_count, rules: [one], timespan: 1M, condition: { gte: 3 } }', 'correlation.timespan'],
    ['{ type: event_count, rules: [one], timespan: 8d, condition: { gte: 3 } }', 'correlation.timespan'],
    [
      '{ type: event_count, rules: [one], group-by: [destinations], timespan: 1m, condition: { gte: 3 } }',
      'correlation.group-by.0',
    ],
    [
      '{ type: value_count, rules: [one], timespan: 1m, condition: { gte: 3 } }',
      'correlation.condition.field',
    ],
    ['{ type: value_sum, rules: [one], timespan: 1m, condition: { gte: 3 } }', 'correlation.type'],
    ['{ type: temporal, rules: [one], timespan: 1m }', 'correlation.rules'],
    [
      '{ type: temporal, rules: [one, one], timespan: 1m, aliases: { x: { one: tool } } }',
      'correlation.aliases',
    ],
  ])('that is not supported is an error that names the place: %s', (correlation, path) => {
    expect(imported(correlated(correlation, base('one', 'one'))).problems[0]).toMatchObject({ path });
  });
});

it('carries title, level, status, tags and origin over, and says what it leaves out', () => {
  const { rules, notes } = imported(`
title: A rule
id: 11111111-2222-4333-8444-555555555555
status: stable
author: Jo
date: 2026-01-01
tags: [attack.execution, attack.t1059.004, atlas.aml.t0053, saf.t1102]
references: [https://example.com/a]
falsepositives: [Builds]
level: informational
logsource: { product: mcp, service: tool_call }
detection: { s: { tool_name: x }, condition: s }`);
  expect(rules[0]).toMatchObject({
    id: 'a-rule',
    severity: 'info',
    maturity: 'test',
    references: { attack: ['T1059.004'], atlas: ['AML.T0053'], saf: ['SAF-T1102'] },
    false_positives: ['Builds'],
  });
  expect(String(rules[0]?.['description'])).toMatch(/11111111[^]*Jo[^]*attack.execution[^]*example.com/);
  expect(notes.map(({ message }) => message)).toEqual([
    'date has no place in a rule and was left out',
    expect.stringContaining('stable') as unknown,
  ]);
});
