import { describe, expect, it } from 'vitest';
import { unusualHours } from '../../detectors/unusual-hours.ts';
import {
  addCalls,
  hourNumber,
  hourOfWeek,
  newWeekHistogram,
  shareAt,
} from '../../detectors/learning/week-histogram.ts';
import { alertSchema } from '../../schemas/alert.ts';
import { sizeOf, watching } from './watching.ts';
import { detectConfig, note, search, startMs, type Call } from './sessions.ts';

const config = detectConfig().unusual_hours;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const shift: readonly Call[] = [search, search, note];

/** Works every hour from 9 to 16 on the days given (0 = Monday), `startMs` being a Monday at 9. */
function working(days: number, isOff: (day: number) => boolean = (day) => day % 7 > 4, registry?: object) {
  const watch = watching(unusualHours(config), registry);
  const at = (day: number, hour: number) =>
    watch.run.wait(startMs + day * dayMs + (hour - 9) * hourMs - watch.run.now());
  const alerts = [];
  for (let day = 0; day < days; day += 1) {
    if (isOff(day)) continue;
    for (let hour = 9; hour < 17; hour += 1) {
      at(day, hour);
      alerts.push(...watch.history(2, shift, {}, `day-${day}-${hour}`));
    }
  }
  return { ...watch, at, alerts };
}

describe('an unusual hour', () => {
  it('is told of a call with consequences on a Sunday night', () => {
    const { at, call, alerts } = working(19);
    expect(alerts).toEqual([]);
    at(20, 2);
    const [alert] = call('night', note);
    expect(alert).toMatchObject({ severity: 'medium', title: 'Work at an unusual hour' });
    expect(alert?.observed).toBe('agent-1 called desk/write_note (write) on Sunday at 02:00 UTC');
    expect(alert?.reason).toMatch(/0 of its \d+ past calls were in this hour/);
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it.each<[string, number, number, number, Call]>([
    ['in the first days', 4, 3, 23, note],
    ['that only reads', 19, 20, 2, search],
    ['at the edge of the working day', 19, 21, 17, note],
    ['on the first Friday', 4, 4, 11, note],
    ['on the first Saturday of a young history', 5, 5, 11, note],
  ])('is not told of work %s', (_what, days, day, hour, what) => {
    const { at, call } = working(days);
    at(day, hour);
    expect(call('late', what)).toEqual([]);
  });

  it('is not told of an agent that works around the clock', () => {
    const watch = watching(unusualHours(config));
    const alerts = [];
    for (let hour = 0; hour < 24 * 21; hour += 1) {
      watch.run.wait(startMs + hour * hourMs - watch.run.now());
      if (hour % 3 === 0) alerts.push(...watch.history(2, shift, {}, `hour-${hour}`));
    }
    expect(alerts).toEqual([]);
  });

  it('is told of a new agent by when the others of the tenant work', () => {
    const { at, call } = working(19);
    at(20, 2);
    const [alert] = call('night', note, { actor: { id: 'agent-new' } });
    expect(alert?.reason).toContain('all agents');
  });

  it('is told outside registered hours whatever the history, and never within them', () => {
    const hours = { agents: [{ id: 'agent-1', hours: [{ days: 'mon-sun', from: '22:00', to: '06:00' }] }] };
    const { at, call } = working(19, undefined, hours);
    at(20, 2);
    expect(call('night', note)).toEqual([]);
    at(21, 11);
    expect(call('day', note)).toMatchObject([{ title: 'Work outside registered hours', severity: 'medium' }]);
  });

  it('is the same after a restart in the middle of the history', () => {
    const [whole, broken] = [working(12), working(12)];
    broken.run.restart();
    for (const { at, history } of [whole, broken]) {
      for (let day = 14; day < 19; day += 1) {
        at(day, 10);
        history(4, shift, {}, `later-${day}`);
      }
      at(20, 2);
    }
    const one = whole.call('night', note);
    expect(one).toHaveLength(1);
    expect(broken.call('night', note)).toEqual(one);
  });
});

describe('how often', () => {
  it('is told when an agent begins far more sessions in an hour than ever', () => {
    const { at, call } = working(12);
    at(14, 10);
    const alerts = Array.from({ length: 40 }, (_, index) => call(`burst-${index}`, search));
    expect(alerts.flat()).toMatchObject([{ title: 'Far more sessions than usual', severity: 'low' }]);
    expect(alerts.findIndex(({ length }) => length > 0)).toBe(12);
  });

  it('is not told of a few more', () => {
    const { at, call } = working(12);
    at(14, 10);
    expect(Array.from({ length: 12 }, (_, index) => call(`more-${index}`, search)).flat()).toEqual([]);
  });
});

describe('the histogram', () => {
  it('begins the week on Monday', () => expect(hourOfWeek(hourNumber(startMs))).toBe(9));

  it('halves with every month, so that habits follow a change', () => {
    const histogram = newWeekHistogram();
    const hour = hourNumber(startMs);
    addCalls(histogram, hour, 800);
    addCalls(histogram, hour + 24 * 90 + 5, 10);
    expect(histogram.total).toBe(110);
    expect(shareAt(histogram, hour + 24 * 91)).toBeGreaterThan(0.05);
  });
});

it('keeps its state small whatever the names', () => {
  const detector = unusualHours(config);
  const tenant = detector.newTenantState('acme');
  const watch = watching({ ...detector, newTenantState: () => tenant });
  for (let index = 0; index < 1500; index += 1)
    watch.history(1, [note], { actor: { id: `made-up-${index}` } }, `s-${index}`);
  expect(tenant.agents.size).toBe(128);
  expect(sizeOf(tenant)).toBeLessThan(128 * 200);
});
