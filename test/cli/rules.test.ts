import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { builtinRulesDir, readRuleFiles } from '../../pipeline/rule-files.ts';
import { expandEvents } from '../../detectors/rules/short-event.ts';
import { captured } from './captured.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'custody-rules-'))));
afterEach(() => {
  rmSync(dir, { recursive: true });
});

async function custody(...words: readonly string[]) {
  const { code, stdout: out, stderr: err } = await captured('rules', ...words);
  return { code, out, err };
}
const file = (name: string, text: string) => {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
};
const good = `id: big-export
title: Big export
version: 1
description: d
severity: high
maturity: stable
match:
  condition: call.action == "read" && event.item_count > 100
alert: { reason: "{{actor}} exported {{event.item_count}}" }
tests:
  - { name: big, events: [{ tool: crm/export, action: read, items: 101 }], expect: alert }
  - { name: small, events: [{ tool: crm/export, action: read, items: 100 }], expect: quiet }
`;

describe('custody rules lint', () => {
  it('finds nothing wrong with the rules that come with the product', async () => {
    const { code, out } = await custody('lint', 'builtin');
    expect(out).toMatch(/^\d+ rules, 0 suppressions, 0 problems\n$/);
    expect(code).toBe(0);
  });

  it('names file, line, rule and key of what is wrong', async () => {
    const path = file(
      'a.yaml',
      `${good}---\n${good.replace('item_count >', 'item_cnt >').replace('big-export', 'other')}`,
    );
    const { code, out } = await custody('lint', path);
    expect(code).toBe(1);
    expect(out).toContain(`${path}:21: rule other: match.condition: there is no member item_cnt`);
  });

  it.each([
    [
      'an unknown key',
      good.replace('severity: high', 'severity: high\nsevirity: x'),
      'sevirity: no such key',
    ],
    [
      'a stable rule without a quiet case',
      good.replace('expect: quiet', 'expect: alert'),
      'needs a case that expects quiet',
    ],
    ['an id twice', `${good}---\n${good}`, 'has this id'],
    ['a rule without a match', good.replace(/match:\n.*\n/, ''), 'needs a match'],
    [
      'braces that are not closed',
      good.replace('{{actor}} exported', '{{actor exported').replace(' {{event.item_count}}', ''),
      'rule big-export: alert.reason: {{ has no }} (at character 1)',
    ],
    ['no YAML', 'id: [', 'not valid YAML'],
    ['no mapping', '- id: x', 'a rule is a mapping of keys'],
    [
      'too many aliases',
      `a: &a [x]\nb: &b [${'*a,'.repeat(99)}]\nc: &c [${'*b,'.repeat(99)}]\nd: [${'*c,'.repeat(99)}]`,
      'alias',
    ],
  ])('tells of %s', async (_name, text, message) => {
    const { code, out } = await custody('lint', file('a.yaml', text));
    expect(out).toContain(message);
    expect(code).toBe(1);
  });

  it('warns of suppressions that ended and refuses those without a reason', async () => {
    const suppressions = file(
      's.yaml',
      `- { id: old, reason: job, expires: 2020-01-01, match: { detector: loop } }
- { id: none, expires: 2099-01-01, match: { detector: loop } }
- { id: fine, reason: job, expires: 2099-01-01, match: { detector: loop } }
`,
    );
    const { code, out } = await custody(
      'lint',
      file('a.yaml', good),
      '--suppressions',
      suppressions,
      '--json',
    );
    expect(JSON.parse(out)).toMatchObject({
      problems: [{ rule: 'none', line: 2 }],
      warnings: [{ rule: 'old', line: 1 }],
      suppressions: 2,
    });
    expect(code).toBe(1);
    const { out: text } = await custody('lint', file('a.yaml', good), '--suppressions', suppressions);
    expect(text).toContain(`${suppressions}:2: suppression none: reason: `);
  });

  it('ends with 0 when all there is to say is that a suppression ended', async () => {
    const suppressions = file(
      's.yaml',
      '- { id: old, reason: job, expires: 2020-01-01, match: { detector: loop } }\n',
    );
    const { code, out } = await custody('lint', file('a.yaml', good), '--suppressions', suppressions);
    expect(code).toBe(0);
    expect(out).toBe(
      `warning: ${suppressions}:1: suppression old: expires: it ended 2020-01-01 and does nothing any more
1 rules, 1 suppressions, 0 problems, 1 warnings
`,
    );
  });

  it('says in one sentence when a directory is not there', async () => {
    const { code, err } = await custody('lint', join(dir, 'none'));
    expect(err).toMatch(/^custody: cannot read rules .*none: ENOENT\n$/);
    expect(code).toBe(2);
  });
});

describe('custody rules test', () => {
  it('passes every case of the rules that come with the product', async () => {
    const { code, out } = await custody('test', 'builtin');
    expect(out).toMatch(/^\d+ rules, \d+ cases, 0 failed\n$/);
    expect(code).toBe(0);
  });

  it('shows the failing case and the part that was false', async () => {
    const { code, out } = await custody('test', file('a.yaml', good.replace('items: 101', 'items: 99')));
    expect(code).toBe(1);
    expect(out).toContain('big-export: big: expected alert, got quiet');
    expect(out).toContain('event.item_count > 100 is false (event.item_count = 99)');
  });

  it('shows how an event counted where the condition held', async () => {
    const { out } = await custody(
      'test',
      file('a.yaml', good.replace('alert:', 'group_by: [actor.user_id]\nalert:')),
    );
    expect(out).toContain(
      '  event 0: match is true\n  event 0: group_by actor.user_id is absent: not counted\n',
    );
  });

  it('says which word of a case is none', async () => {
    const { out } = await custody('test', file('a.yaml', good.replace('items: 101', 'itms: 101')));
    expect(out).toContain('big-export: big: events.0.itms: no such word');
  });
});

describe('custody rules explain', () => {
  const event = () =>
    JSON.stringify(expandEvents([{ tool: 'crm/export', action: 'read', items: 500 }])[0]?.event);

  it('shows each part of the condition with its value', async () => {
    const { code, out } = await custody('explain', '--event', file('e.json', event()), file('a.yaml', good));
    expect(code).toBe(0);
    expect(out).toContain('big-export alerts: Big export');
    expect(out).toMatch(/true +event\.item_count > 100\n +500 +event\.item_count/);
  });

  it('prints the same as JSON', async () => {
    const { out } = await custody(
      'explain',
      '--event',
      file('e.json', event()),
      '--json',
      file('a.yaml', good),
    );
    expect(JSON.parse(out)).toMatchObject([{ rule: 'big-export', alerts: true }]);
  });

  it.each([
    ['JSON', '{"tool":"crm/export","action":"read","items":500}'],
    ['a JSON a line', '{"tool":"crm/list"}\n{"tool":"crm/export","action":"read","items":500}\n'],
    ['a mapping of YAML', '{ tool: crm/export, action: read, items: 500 }\n'],
    ['a list of YAML', '- &e { tool: crm/export, action: read, items: 500 }\n- *e\n'],
  ])('takes short events as in cases, as %s', async (_name, text) => {
    const { code, out } = await custody('explain', '--event', file('e', text), file('a.yaml', good));
    expect(code).toBe(0);
    expect(out).toMatch(/true +event\.item_count > 100\n +500 +event\.item_count/);
  });

  it('says how the last event counted with those before it', async () => {
    const correlation = 'correlation: { type: threshold, count: 3, within: 1h }\nalert:';
    const rule = file('a.yaml', good.replace('alert:', correlation));
    const events = file('e', '- &e { tool: crm/export, action: read, items: 500 }\n- *e\n');
    const { out } = await custody('explain', '--event', events, rule);
    expect(out).toContain('  correlation: 2 of 3 within 1h (session.key = s1)\n');
    const { out: json } = await custody('explain', '--event', events, '--json', rule);
    expect(JSON.parse(json)).toMatchObject([
      { alerts: false, correlation: '2 of 3 within 1h (session.key = s1)' },
    ]);
  });

  it.each<[string, (text: string) => string, RegExp]>([
    [
      'another schema',
      (text) => text.replace('"schema":"', '"schema":"x'),
      /event 1 of .*: schema: .*custody/,
    ],
    [
      'a member of another type',
      (text) => text.replace('"name":"export"', '"name":5'),
      /event 1 of .*: tool\.name: expected string, received number/,
    ],
    ['an unknown member', (text) => text.replace('"tool":', '"tol":'), /event 1 of .*: tol: no such key/],
    ['a line that is no JSON', (text) => `${text}\nx`, /event 2 of .*: it is neither JSON nor a mapping/],
    ['no event at all', () => '', /events of .*: there are none/],
    ['a word that is none', () => '{ tol: crm/export }', /short events of .*: events\.0\.tol: no such word/],
    ['no mapping', () => 'export', /event 1 of .*: it is neither JSON nor a mapping/],
  ])('names the member and the reason for %s', async (_name, change, message) => {
    const { code, err } = await custody(
      'explain',
      '--event',
      file('e', change(event())),
      file('a.yaml', good),
    );
    expect(err).toMatch(message);
    expect(err.split('\n')).toHaveLength(2);
    expect(code).toBe(2);
  });

  it.each([
    [['--event', 'E', '--rule', 'none'], /there is no such rule/],
    [[], /name one of --event and --id/],
    [['--id', "x' OR 1=1"], /not a UUID/],
  ])('refuses %j', async (words, message) => {
    const path = file('e.json', event());
    const { code, err } = await custody(
      'explain',
      ...words.map((word) => (word === 'E' ? path : word)),
      file('a.yaml', good),
    );
    expect(err).toMatch(message);
    expect(code).toBe(2);
  });
});

describe('custody rules import-sigma', () => {
  const sigma =
    'title: Shell\nlogsource: { product: mcp }\ndetection: { s: { tool_name: sh }, condition: s }\n';

  it('prints rules that lint takes', async () => {
    const { code, out } = await custody('import-sigma', file('x.yml', sigma));
    expect(code).toBe(0);
    expect((await custody('lint', file('a.yaml', out))).out).toBe('1 rules, 0 suppressions, 0 problems\n');
  });

  it('prints nothing of a rule that it cannot say, and where it fails', async () => {
    const { code, out, err } = await custody(
      'import-sigma',
      file('x.yml', sigma.replace('tool_name', 'x|windash')),
    );
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('x.yml:1: detection.s.x|windash: the modifier windash is not supported');
  });
});

describe('the rules that come with the product', () => {
  const { rules, document } = readRuleFiles(['builtin']);

  it('each have references, cases both ways and a place in the overview', () => {
    const overview = readFileSync(join(builtinRulesDir(), 'README.md'), 'utf8');
    expect(rules.length).toBeGreaterThanOrEqual(20);
    for (const { rule } of rules) {
      const { id, references, tests } = rule.rule;
      expect(Object.values(references).flat(), id).not.toEqual([]);
      expect(new Set(tests.map(({ expect: expected }) => expected)), id).toEqual(new Set(['alert', 'quiet']));
      expect(overview, id).toContain(`\`${id}\``);
    }
  });

  it('fit into one record of the log', () => {
    expect(JSON.stringify(document).length).toBeLessThan(768 * 1024);
    expect(JSON.stringify(document)).not.toContain('"tests"');
  });
});
