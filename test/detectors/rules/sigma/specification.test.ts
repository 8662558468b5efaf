import { describe, expect, it } from 'vitest';
import { alertsOf, imported } from './imported.ts';

// Sentences of the Sigma specification 2 (rules, modifiers, correlations) that a conversion easily gets wrong.

const rule = (detection: string) => `
title: A rule
logsource: { product: mcp, service: tool_call }
detection: ${detection}
`;

const attributes = {
  port: '443',
  code: 404,
  dry_run: 'True',
  size: '17',
  note: 'ÄRGER',
  blob: `x${btoa('a*b')}`,
  path: 'C:\\tmp\\a',
};
const matches = (search: string) =>
  alertsOf(rule(`{ s: ${search}, condition: s }`), { tool: 'x/y', event: { attributes } }).length === 1;

describe('values', () => {
  it.each<[string, boolean]>([
    // All values are treated as case-insensitive strings.
    ['{ attributes.port: 443 }', true],
    ['{ attributes.port: "443" }', true],
    ['{ attributes.code: "404" }', true],
    ['{ attributes.code|startswith: 4 }', true],
    ['{ attributes.code|contains: 5 }', false],
    ['{ attributes.dry_run: true }', true],
    ['{ attributes.dry_run: "TRUE" }', true],
    ['{ attributes.dry_run: false }', false],
    ['{ attributes.note: ärger }', true],
    ['{ attributes.note|contains: "Rge" }', true],
    ['{ attributes.note|cased: ärger }', false],
    // Numbers are compared as numbers, also where a sender wrote them as text.
    ['{ attributes.size|gt: 5 }', true],
    ['{ attributes.size|lt: 5 }', false],
    ['{ attributes.size|gte: "17" }', true],
    ['{ attributes.code|gt: 403.5 }', true],
    ['{ attributes.note|gt: 5 }', false],
    // A plain backslash is written once or twice; before a wildcard it is doubled.
    [String.raw`{ attributes.path: 'C:\tmp\a' }`, true],
    [String.raw`{ attributes.path: 'C:\\tmp\\a' }`, true],
    [String.raw`{ attributes.path: 'C:\tmp\\*' }`, true],
    [String.raw`{ attributes.path: 'C:\tmp\*' }`, false],
    // What is encoded is the value, not its escapes.
    [String.raw`{ attributes.blob|base64|contains: 'a\*b' }`, true],
  ])('%s: %s', (search, expected) => {
    expect(matches(search)).toBe(expected);
  });

  it('that is no number is not greater, and not of it is so', () => {
    const negated = rule('{ s: { attributes.note|gt: 5 }, condition: not s }');
    expect(alertsOf(negated, { tool: 'x/y', event: { attributes } })).toEqual(['rule/a-rule']);
  });

  it.each([
    ['{ attributes.blob|base64|contains: "a*b" }', 'attributes.blob|base64|contains'],
    ['{ item_count|base64: 5 }', 'item_count|base64'],
    ['{ ticket|exists|neq: true }', 'ticket|exists|neq'],
    ['{ ticket|exists|all: true }', 'ticket|exists|all'],
    ['{ tool_name|re|m: ^a }', 'tool_name|re|m'],
    ['{ tool_name|windash|contains: -a }', 'tool_name|windash|contains'],
    ['{ tool_name|fieldref: server_name }', 'tool_name|fieldref'],
    ['{ tool_name|expand: "%admins%" }', 'tool_name|expand'],
    ['{ tool_name|utf16le|base64: a }', 'tool_name|utf16le|base64'],
    ['{ tool_name|hour: 4 }', 'tool_name|hour'],
    ['{ tool_name|all: a }', 'tool_name|all'],
    [String.raw`{ tool_name|re: '\Aab' }`, 'tool_name|re'],
    ['{ "|all": [a, b] }', '|all'],
  ])('with modifiers that would be read otherwise are refused by name: %s', (search, key) => {
    const { rules, problems } = imported(rule(`{ s: ${search}, condition: s }`));
    expect(rules).toEqual([]);
    expect(problems.map(({ path }) => path)).toEqual([`detection.s.${key}`]);
  });
});

const base = (name: string) => `
title: Base ${name}
name: ${name}
logsource: { product: mcp, service: tool_call }
detection: { s: { tool_name: ${name} }, condition: s }
`;
const together = (correlation: string, more = '') =>
  [base('one'), base('two'), `title: Together\ncorrelation: ${correlation}\n${more}`].join('\n---\n');
const both = [
  { tool: 'x/one', at: '0s' },
  { tool: 'x/two', at: '1s' },
];

describe('a correlation', () => {
  it('says beside itself that its rules generate alerts of their own', () => {
    const count =
      '{ type: event_count, rules: [one], group-by: [agent_id], timespan: 1m, condition: { gte: 2 } }';
    const twice = [
      { tool: 'x/one', at: '0s' },
      { tool: 'x/one', at: '1s' },
    ];
    expect(alertsOf(together(count), ...twice)).toEqual(['rule/together']);
    expect(alertsOf(together(count, 'generate: true'), ...twice)).toEqual(['rule/one', 'rule/together']);
    expect(imported(together(count, 'generate: true')).notes).toEqual([]);
    expect(imported(together(count, 'generate: perhaps')).problems).toContainEqual(
      expect.objectContaining({ path: 'generate' }),
    );
  });

  const temporal = (type: string, condition: string) =>
    together(
      `{ type: ${type}, rules: [one, two], group-by: [agent_id], timespan: 5m, condition: ${condition} }`,
    );

  it.each(['{ gte: 2 }', '{ eq: 2 }', '{ gt: 1 }', 'two and one', 'one AND two'])(
    'of type temporal may say that it needs all of its rules: %s',
    (condition) => {
      expect(alertsOf(temporal('temporal', condition), ...both)).toEqual(['rule/together']);
      expect(alertsOf(temporal('temporal', condition), ...both.slice(1))).toEqual([]);
    },
  );

  it.each<[string, string]>([
    ['temporal', '{ gte: 1 }'],
    ['temporal', '{ gte: 3 }'],
    ['temporal', '{ gte: 2, lte: 5 }'],
    ['temporal', 'one or two'],
    ['temporal', 'one and not two'],
    ['temporal', 'one and one'],
    ['temporal_ordered', 'two and one'],
  ])('of type %s that needs something else is refused: %s', (type, condition) => {
    const { rules, problems } = imported(temporal(type, condition));
    expect(rules).toEqual([]);
    expect(problems.map(({ path }) => path)).toEqual(['correlation.condition']);
  });

  it.each(['value_sum', 'value_avg', 'value_percentile', 'value_median'])(
    'of type %s is refused by name',
    (type) => {
      const { problems } = imported(
        together(`{ type: ${type}, rules: [one], timespan: 5m, condition: { field: item_count, gte: 3 } }`),
      );
      expect(problems.map(({ path }) => path)).toEqual(['correlation.type']);
    },
  );
});

it('a filter is refused, for its rule would be imported without it', () => {
  const { problems } = imported(
    `title: F\nlogsource: { product: mcp }\nfilter: { rules: [one], selection: { agent_id: x }, condition: not selection }`,
  );
  expect(problems.map(({ path }) => path)).toEqual(['filter']);
});

it('tags of the frameworks are read as their publishers write them', () => {
  const { rules } = imported(
    `${rule('{ s: { tool_name: x }, condition: s }')}tags: [safe.t1001, saf.saf-t1706, owasp.asi02, owasp.mcp02-2025]`,
  );
  expect(rules[0]).toMatchObject({
    references: { saf: ['SAF-T1001', 'SAF-T1706'], owasp: ['ASI02', 'MCP02:2025'] },
  });
});

it('a title of the length Sigma allows is cut with a note', () => {
  const { rules, notes } = imported(
    rule('{ s: { tool_name: x }, condition: s }').replace('A rule', 'a'.repeat(256)),
  );
  expect(rules[0]?.['title']).toHaveLength(200);
  expect(notes.map(({ message }) => message)).toEqual(['the title was cut to 200 characters']);
});
