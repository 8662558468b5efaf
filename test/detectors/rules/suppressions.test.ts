import { describe, expect, it } from 'vitest';
import { compileSuppressions, suppress } from '../../../detectors/rules/suppressions.ts';
import type { Alert } from '../../../schemas/alert.ts';
import { by, note, runner } from '../sessions.ts';

const nowMs = Date.UTC(2026, 5, 1);
const loopOf = () => {
  const calls = Array.from({ length: 4 }, () => ({ ...note, arguments: 'same', result: 'same' }));
  const [first] = by(runner().session('s', calls), 'loop');
  if (first === undefined) throw new Error('the loop was not told');
  return first;
};
const alert: Alert = loopOf();
const compiled = (...list: readonly Record<string, unknown>[]) =>
  compileSuppressions({
    schema: 'custody.suppressions/v1',
    suppressions: list.map((each, index) => ({
      id: `s-${index}`,
      reason: 'known job',
      expires: '2026-07-01',
      ...each,
    })),
  });
const mode = (...list: readonly Record<string, unknown>[]) => {
  const { suppressions, problems } = compiled(...list);
  expect(problems).toEqual([]);
  return suppress(alert, suppressions, nowMs).mode;
};

describe('a suppression', () => {
  it('silences what it matches, of any detector, and says why', () => {
    const { suppressions } = compiled({ match: { detector: 'loop', tool: 'write_note' } });
    expect(suppress(alert, suppressions, nowMs)).toMatchObject({
      mode: 'suppressed',
      suppressed_by: 's-0: known job',
    });
  });

  it.each([
    ['another tool', { match: { detector: 'loop', tool: 'other' } }],
    ['another tenant', { match: { tenant: 'other' } }],
    ['an end that has come', { match: { detector: 'loop' }, expires: '2026-06-01' }],
    ['a condition that is false', { match: { condition: 'alert.score > 0.99' } }],
    ['a condition over what is absent', { match: { condition: 'alert.user_id != "x"' } }],
  ])('does nothing with %s', (_name, suppression) => {
    expect(mode(suppression)).toBeUndefined();
  });

  it('matches by a condition over the alert', () => {
    expect(mode({ match: { condition: 'alert.detector.id == "loop" && alert.severity == "medium"' } })).toBe(
      'suppressed',
    );
  });

  it.each([
    ['no reason', { reason: '', match: { detector: 'x' } }, 'reason'],
    ['no end', { expires: undefined, match: { detector: 'x' } }, 'expires'],
    ['nothing it matches', { match: {} }, 'match'],
    ['a condition over events', { match: { condition: 'event.kind == "x"' } }, 'match.condition'],
    ['an unknown key', { match: { detectr: 'x' } }, 'match.detectr'],
  ])('is refused with %s', (_name, suppression, path) => {
    const { suppressions, problems } = compiled(suppression);
    expect(suppressions.list).toEqual([]);
    expect(problems[0]).toMatchObject({ rule: 's-0', path });
  });
});
