import { describe, expect, it } from 'vitest';
import { compileRule } from '../../../detectors/rules/compile-rule.ts';
import { lintProblems } from '../../../detectors/rules/lint.ts';
import { plainRule } from './plain-rule.ts';

type Json = Readonly<Record<string, unknown>>;

function problems(parts: Json): string[] {
  const compiled = compileRule({
    ...plainRule,
    match: { condition: 'call.tool == "x"' },
    ...parts,
  });
  const found = 'problems' in compiled ? compiled.problems : lintProblems(compiled.rule);
  return found.map(({ path, message }) => `${path}: ${message}`);
}
const step = (name: string) => ({ name, condition: 'call.tool == "x"' });

describe('lint', () => {
  it.each<[string, Json, string]>([
    [
      'braces that are not closed',
      { alert: { reason: '{{actor}} did {{call.tool' } },
      'alert.reason: {{ has no }} (at character 15)',
    ],
    [
      'braces that are not closed in any text',
      { alert: { reason: 'x', dedup_key: '{{ actor }' } },
      'alert.dedup_key: {{ has no }} (at character 1)',
    ],
    [
      'a list as the value that is counted',
      { correlation: { type: 'value_count', value: 'event.destinations', count: 2, within: '1h' } },
      'correlation.value: it is a list, and one value is counted: name one element, such as event.destinations[0]',
    ],
    [
      'a map as the value that is counted',
      { correlation: { type: 'value_count', value: 'event.attributes', count: 2, within: '1h' } },
      'correlation.value: it is a map, and one value is counted: name one member',
    ],
    [
      'an object as the value that is counted',
      { correlation: { type: 'value_count', value: 'event.actor', count: 2, within: '1h' } },
      'correlation.value: it is a group of members, and one value is counted: name one member',
    ],
    [
      'steps with one name',
      { correlation: { type: 'sequence', within: '1h', steps: [step('a'), step('b'), step('a')] } },
      'correlation.steps.2.name: another step has this name',
    ],
    [
      'a reference of no known family',
      { references: { attack: ['T1567', 'FOO99'] } },
      'references.attack.1: FOO99 is of no known family; known are ids such as T1567, TA0010',
    ],
    [
      'a reference under the wrong catalogue',
      { references: { owasp: ['AML.T0053'] } },
      'references.owasp.0: AML.T0053 is of no known family; known are ids such as MCP01:2025, LLM01:2025, ASI01, API1:2023, A01:2021',
    ],
    [
      'a duration in words, once',
      { correlation: { type: 'threshold', count: 2, within: '5 minutes' } },
      'correlation.within: a duration such as 90s, 15m, 24h or 7d',
    ],
    ['a duration in words, once, of the silence too', { repeat_after: '1 hour' }, 'repeat_after: a duration'],
    ['a silence that is too short', { repeat_after: '10m' }, 'repeat_after: at least 30m'],
    [
      'a window that is too long',
      { correlation: { type: 'threshold', count: 2, within: '8d' } },
      'correlation.within: at most 7d',
    ],
  ])('refuses %s', (_name, parts, expected) => {
    const found = problems(parts);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  it.each<[string, Json]>([
    [
      'an element of a list',
      { correlation: { type: 'value_count', value: 'event.destinations[0]', count: 2, within: '1h' } },
    ],
    [
      'an attribute, whatever it is',
      { correlation: { type: 'value_count', value: 'event.attributes["a"]', count: 2, within: '1h' } },
    ],
    [
      'a number',
      { correlation: { type: 'value_count', value: 'size(event.destinations)', count: 2, within: '1h' } },
    ],
    ['braces that are closed, over lines too', { alert: { reason: '{{actor}}: {{\n call.tool\n}} }}' } }],
    [
      'ids of every catalogue',
      {
        references: {
          owasp: ['MCP01:2025', 'LLM10:2025', 'ASI07', 'API9:2023', 'A10:2021'],
          atlas: ['AML.T0034.002', 'AML.TA0002'],
          attack: ['T1562.008', 'TA0010'],
          saf: ['SAF-T1102'],
        },
      },
    ],
  ])('takes %s', (_name, parts) => {
    expect(problems(parts)).toEqual([]);
  });

  it('does not reach what is in force already: a rule that only lint refuses still compiles', () => {
    expect(
      'rule' in
        compileRule({
          ...{ id: 'r', title: 'T', version: 1, description: 'd', severity: 'medium', maturity: 'test' },
          match: { condition: 'call.tool == "x"' },
          references: { attack: ['FOO99'] },
          alert: { reason: '{{actor' },
        }),
    ).toBe(true);
  });
});
