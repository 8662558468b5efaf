import { describe, expect, it } from 'vitest';
import { glob, inCidr } from '../../../detectors/rules/cel-functions.ts';
import { eventVocabulary } from '../../../detectors/rules/condition.ts';
import { regexProblem } from '../../../detectors/rules/regex-cost.ts';
import { detected } from './detected.ts';

const vocabulary = eventVocabulary();
const holds = (text: string, given: Readonly<Record<string, unknown>> = {}) =>
  vocabulary.compile(text).holds(vocabulary.sourceOf(detected(given)));

describe('a condition', () => {
  it.each([
    ['event.tol.name == "x"', /no member tol/],
    ['has(event.tool.nam)', /no member event.tool.nam/],
    ['event.tool.name > 3', /no such overload/],
    ['event.item_count', /of type int, not bool/],
    ['event.tool.name ==', /EOF/],
    ['nobody == "x"', /nobody/i],
    ['event.tool.name.matches("(a+)+$")', /repeats what repeats/],
    ['event.tool.name.matches(event.server.name)', /literal string/],
    ['event.destinations.exists(d, event.destinations.exists(e, e == d))', /inside another macro/],
    ['timestamp("2026-01-01T00:00:00Z").getHours() == 3', /no function (timestamp|getHours)/],
    ['event.destinations.exists(d, d.inCidr("10.0.0.0"))', /block/],
  ])('that cannot be used is refused when it is compiled: %s', (text, message) => {
    expect(() => vocabulary.compile(text)).toThrow(message);
  });

  it('over an absent member is false, and so is its opposite', () => {
    expect(holds('event.item_count > 5')).toBe(false);
    expect(holds('!(event.item_count > 5)')).toBe(false);
    expect(holds('event.item_count > 5 || event.kind == "tool_call"')).toBe(true);
  });

  it('asks with has() for any part of a path', () => {
    expect(holds('has(event.policy.approver)')).toBe(false);
    expect(holds('!has(event.policy.approver)')).toBe(true);
    expect(holds('has(event.policy.approver)', { policy: { approver: 'mia' } })).toBe(true);
  });

  it('takes its time from the event', () => {
    expect(holds('time.hour == 2 && time.weekday == 6', { timeMs: Date.UTC(2026, 0, 11, 2, 30) })).toBe(true);
  });
});

describe('a regular expression', () => {
  it.each([
    '(a|b)*',
    '(a*)*',
    '(?=a)b',
    '(a)\\1',
    'a.*b.*c',
    'a?'.repeat(11),
    '[',
    'x{65}',
    'a{1,64}'.repeat(3),
  ])('is refused when matching could take for ever: %s', (pattern) =>
    expect(regexProblem(pattern)).toBeDefined(),
  );

  it.each(['^a.*b.*$', '\\bselect\\b.*\\bfrom\\b', '(?:\\d{1,3}\\.){3}\\d{1,3}', '[a-z]{2,8}@', '(a|b|c)d+'])(
    'is allowed when its cost is bounded: %s',
    (pattern) => expect(regexProblem(pattern)).toBeUndefined(),
  );

  it('that is allowed ends quickly on text made to hold it up', () => {
    const begin = process.cpuUsage();
    expect(/^a.*b.*c$/.test(`a${'b'.repeat(2047)}`)).toBe(false);
    expect(/a.*b/.test('a'.repeat(2048))).toBe(false);
    const { user } = process.cpuUsage(begin);
    expect(user).toBeLessThan(1_000_000);
  });
});

describe('functions of conditions', () => {
  it.each([
    ['build-7', 'BUILD-*', true],
    ['build', 'build-*', false],
    ['a*b', 'a\\*b', true],
    ['axb', 'a\\*b', false],
    ['abc', 'a?c', true],
    ['a'.repeat(2000), `${'*a'.repeat(60)}b`, false],
  ])('glob: %s against %s', (text, pattern, expected) => expect(glob(text, pattern)).toBe(expected));

  it.each([
    ['10.1.2.3', '10.0.0.0/8', true],
    ['11.1.2.3', '10.0.0.0/8', false],
    ['fd00::1', 'fd00::/8', true],
    ['[fd00::1]', 'fd00::/8', true],
    ['::1', '0.0.0.0/0', false],
    ['1.2.3.4', '0.0.0.0/0', true],
    ['host.example', '10.0.0.0/8', false],
    ['1:2:3:4:5:6:7::8', '::/0', false],
  ])('inCidr: %s in %s', (address, block, expected) => expect(inCidr(address, block)).toBe(expected));
});
