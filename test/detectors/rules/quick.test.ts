import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventVocabulary } from '../../../detectors/rules/condition.ts';
import { readRuleFiles } from '../../../pipeline/rule-files.ts';
import { detected } from './detected.ts';

const vocabulary = eventVocabulary();
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const some = (...words: string[]) => maybe(fc.constantFrom(...words));

/** Events and calls with and without each member that built-in rules ask for. */
const facts = fc
  .record({
    kind: fc.constantFrom('tool_call', 'policy', 'session', 'registry', 'mcp_message'),
    scope: maybe(
      fc.record(
        {
          grants: fc.array(fc.constantFrom('write:*', 'org:admin', 'read:x', '*'), { maxLength: 3 }),
          ttl_sec: fc.constantFrom(0, 600, 601, 900, 901),
          credential_class: fc.constantFrom('none', 'oauth'),
        },
        { requiredKeys: [] },
      ),
    ),
    policy: maybe(
      fc.record(
        {
          decision: fc.constantFrom('allow', 'deny', 'warn'),
          verdict: fc.constantFrom('allow', 'deny'),
          approver: fc.constantFrom('mia', 'agent-1'),
          reason: fc.constantFrom('PDP timed out', 'role'),
        },
        { requiredKeys: [] },
      ),
    ),
    server: maybe(
      fc.record({ name: some('a', 'b'), address: some('http://crm/mcp', '/tmp/x', 'https://x') }),
    ),
    item_count: maybe(fc.constantFrom(0, 1000, 1001, 5001)),
    destinations: maybe(fc.array(fc.constantFrom('a.example', '10.1.1.1'), { maxLength: 2 })),
    arguments: maybe(
      fc.record({ summary: some('{"p":"/home/x/.aws/credentials"}', 'please enter your password') }),
    ),
    mcp: maybe(
      fc.record({ protocol_version: some('2024-11-05', '2025-06-18'), transport: some('http', 'stdio') }),
    ),
    attributes: maybe(fc.record({ note: fc.constantFrom('x', 1, true) }, { requiredKeys: [] })),
    decision: fc.constantFrom('allow', 'deny', 'none'),
    action: fc.constantFrom('read', 'write', 'execute', 'egress', 'unknown'),
    hasCall: fc.boolean(),
    traits: fc.boolean(),
    origin: fc.constantFrom('output', 'prompt'),
    untrusted: maybe(fc.boolean()),
    ticket: maybe(fc.constant('CHG-1')),
  })
  .map((given) => detected(given));

const written = [
  'event.item_count + 1 > 1000',
  '!(event.item_count > 1000) || event.scope.ttl_sec > 600',
  'event.item_count > 1000 || event.scope.ttl_sec > 600',
  '!has(event.scope.grants) && event.kind != "policy"',
  'has(event.policy) == false',
  'event.destinations.all(d, d.endsWith(".example"))',
  'event.destinations.exists(d, d.inCidr("10.0.0.0/8")) || event.item_count > 1000',
  'event.destinations[1] == "a.example"',
  'size(event.destinations) == 2 && event.destinations.size() > 0',
  '"write:*" in event.scope.grants',
  '"note" in event.attributes && event.attributes["note"] == "x"',
  'values.exists(v, v.source.untrusted)',
  'values.all(v, v.source.untrusted || v.origin == "prompt")',
  'contacts.exists(c, has(c.zone))',
  'event.server.name + "/" + event.server.address == "a//tmp/x"',
  'event.server.name > "a"',
  'event.server.address.matches("^/tmp/") && event.server.address.glob("/T?P/*")',
  'session.sensitive.exists(s, s == "secret") ? true : event.item_count > 0',
  'registry.server.zone == "x" || !registry.in_force',
];

describe('the quick form of a condition', () => {
  const builtin = readRuleFiles(['builtin']).set.rules.flatMap(({ match, steps, until }) =>
    [match, ...steps, until].flatMap((each) => (each === undefined ? [] : [each.condition.text])),
  );

  it.each([...written, ...builtin])('says what CEL says: %s', (text) => {
    const condition = vocabulary.compile(text);
    fc.assert(
      fc.property(facts, (event) => {
        const source = vocabulary.sourceOf(event);
        expect(condition.holds(source)).toBe(condition.slow(source) === true);
      }),
      { numRuns: 150 },
    );
  });
});
