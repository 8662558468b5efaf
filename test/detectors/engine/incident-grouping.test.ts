import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  changeIncident,
  joinIncident,
  newIncidentTable,
  type JoinContext,
} from '../../../detectors/engine/incident-grouping.ts';
import type { Alert, Severity } from '../../../schemas/alert.ts';
import { alertSchema } from '../../../schemas/alert.ts';
import { detectConfig, runner, startMs, uuidOf, type Call } from '../sessions.ts';
import { bad, incidentEvent, plantedDetector } from './planted.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

interface Planned {
  readonly session?: string;
  readonly actor?: string;
  readonly matter?: string;
  readonly detector?: string;
  readonly severity?: Severity;
  readonly consequence?: boolean;
}

let count = 0;
function alertOf({ session, actor, matter, detector = 'd', severity = 'medium' }: Planned): Alert {
  count += 1;
  return alertSchema.parse({
    schema: 'custody.alert/v1',
    alert_id: uuidOf(`alert ${count}`),
    detector: { id: detector, version: 1 },
    time_unix_nano: '1',
    tenant: 'acme',
    title: 't',
    severity,
    score: 0.5,
    reason: 'r',
    observed: 'o',
    normal: 'n',
    distance: 'd',
    dedup_key: matter ?? `matter ${count}`,
    evidence: [uuidOf('e')],
    references: { owasp: [], atlas: [], attack: [] },
    ...(session === undefined ? {} : { session_key: session }),
    ...(actor === undefined ? {} : { actor_id: actor }),
  });
}

function grouping() {
  const table = newIncidentTable();
  return {
    table,
    join: (atMs: number, planned: Planned, current?: JoinContext['current']) =>
      joinIncident(table, alertOf(planned), {
        timeMs: startMs + atMs,
        consequence: planned.consequence ?? false,
        current,
      }),
    resolve: (incident_id: string) =>
      changeIncident(table, { incident_id, status: 'resolved', changed_by: 'ann' }),
    reopen: (incident_id: string) =>
      changeIncident(table, { incident_id, status: 'in_progress', changed_by: 'ann' }),
  };
}

describe('an alert joins', () => {
  it('the incident of its session, whatever it is about, within a day of the last alert', () => {
    const { join } = grouping();
    const first = join(0, { session: 's' });
    expect(join(23 * hourMs, { session: 's' }).id).toBe(first.id);
    expect(join(46 * hourMs, { session: 's' }).id).toBe(first.id);
    expect(join(70 * hourMs, { session: 's' }).id).not.toBe(first.id);
  });

  it('the incident about the same matter in another session, within a day', () => {
    const { join } = grouping();
    const first = join(0, { session: 's', matter: 'm' });
    expect(join(23 * hourMs, { session: 't', matter: 'm' }).id).toBe(first.id);
    expect(join(23 * hourMs, { session: 'u', matter: 'm', detector: 'other' }).id).not.toBe(first.id);
    expect(join(48 * hourMs, { session: 'v', matter: 'm' }).id).not.toBe(first.id);
  });

  it('what its actor was last seen in, within half an hour, only when it has no session', () => {
    const { join } = grouping();
    const first = join(0, { session: 's', actor: 'a' });
    expect(join(29 * minuteMs, { actor: 'a' }).id).toBe(first.id);
    expect(join(29 * minuteMs, { actor: 'b' }).id).not.toBe(first.id);
    expect(join(29 * minuteMs, { session: 't', actor: 'a' }).id).not.toBe(first.id);
    const { join: other } = grouping();
    const begun = other(0, { actor: 'a' });
    expect(other(31 * minuteMs, { actor: 'a' }).id).not.toBe(begun.id);
  });

  it('nothing when it shares nothing: then it begins an incident', () => {
    const { join } = grouping();
    const ids = [join(0, {}), join(0, {}), join(0, { session: 's' }), join(0, { actor: 'a' })];
    expect(new Set(ids.map(({ id }) => id)).size).toBe(4);
    for (const { related } of ids) expect(related).toEqual([]);
  });
});

describe('an alert that links two incidents', () => {
  it("goes to its session's and names the other; the matter stays with the incident that has it", () => {
    const { join } = grouping();
    const matter = join(0, { session: 'old', matter: 'm' });
    const session = join(1, { session: 's' });
    expect(join(2, { session: 's', matter: 'm' })).toMatchObject({ id: session.id, related: [matter.id] });
    expect(join(3, { session: 'new', matter: 'm' }).id).toBe(matter.id);
  });

  it('without a session, goes to that of its matter and names that of its actor', () => {
    const { join } = grouping();
    const matter = join(0, { matter: 'm', actor: 'x' });
    const actor = join(1, { actor: 'y' });
    expect(join(2, { matter: 'm', actor: 'y' })).toMatchObject({ id: matter.id, related: [actor.id] });
  });
});

describe('a serious finding is not hidden in noise that its session only shares', () => {
  it.each([
    ['critical', false],
    ['high', false],
    ['medium', true],
    ['low', true],
  ] as const)('of severity %s: joins %s', (severity, joins) => {
    const { join } = grouping();
    const noise = join(0, { session: 'noisy', matter: 'm' });
    expect(join(1, { session: 's', matter: 'm' })).toMatchObject({ id: noise.id, isOwn: false });
    const finding = join(2, { session: 's', severity });
    expect(finding.id === noise.id).toBe(joins);
    if (joins) return;
    expect(finding).toMatchObject({ isOwn: true, related: [noise.id] });
    // From then on the session has its own; its noise goes there too and names the noisy one.
    expect(join(3, { session: 's', matter: 'm' })).toMatchObject({ id: finding.id, related: [noise.id] });
    expect(join(4, { session: 'noisy', severity: 'critical' }).id).toBe(noise.id);
  });

  it('joins when it is that very matter', () => {
    const { join } = grouping();
    const first = join(0, { session: 'noisy', matter: 'm', severity: 'critical' });
    expect(join(1, { session: 's', matter: 'm', severity: 'critical' }).id).toBe(first.id);
  });

  it('stays in an incident that the session itself began under another name', () => {
    const { join } = grouping();
    const { id, isOwn } = join(0, { session: 'trace name', severity: 'high' });
    expect(isOwn).toBe(true);
    const later = join(1, { session: 'conversation', severity: 'high' }, { id, isOwn });
    expect(later).toMatchObject({ id, isOwn: true });
  });
});

describe('a resolved incident', () => {
  it('takes no further alert: the next one begins another that names it', () => {
    const { join, resolve } = grouping();
    const first = join(0, { session: 's', matter: 'm', actor: 'a' });
    resolve(first.id);
    const next = join(1, { session: 's', matter: 'm', actor: 'a' });
    expect(next.id).not.toBe(first.id);
    expect(next.related).toEqual([first.id]);
    expect(join(2, { session: 's' }).id).toBe(next.id);
    expect(join(3, { actor: 'a' }).id).toBe(next.id);
  });

  it('takes alerts again when it was opened again before another began', () => {
    const { join, resolve, reopen } = grouping();
    const first = join(0, { session: 's' });
    resolve(first.id);
    reopen(first.id);
    expect(join(1, { session: 's' }).id).toBe(first.id);
  });

  it('that is not known is no reason to fail', () => {
    const { resolve } = grouping();
    expect(() => resolve(uuidOf('nothing'))).not.toThrow();
  });
});

describe('the risk of an incident', () => {
  const risk = (planned: readonly Planned[]) => {
    const { join } = grouping();
    return planned.map((each, index) => join(index, { session: 's', ...each }).risk).at(-1);
  };

  it.each([
    ['info', 2],
    ['low', 10],
    ['medium', 35],
    ['high', 60],
    ['critical', 85],
  ] as const)('begins with the severity: %s is %i', (severity, expected) => {
    expect(risk([{ severity }])).toBe(expected);
  });

  it('is higher when several detectors agree, and hardly when one repeats itself', () => {
    expect(risk([{ detector: 'a' }, { detector: 'b' }])).toBe(57);
    expect(risk([{ detector: 'a' }, { detector: 'b' }, { detector: 'c' }])).toBe(72);
    expect(risk([{ detector: 'a' }, { detector: 'a' }])).toBe(36);
    expect(risk(Array.from({ length: 100 }, () => ({ detector: 'a' })))).toBe(45);
  });

  it('is ten points higher when something was really done', () => {
    expect(risk([{ severity: 'high', consequence: true }])).toBe(70);
  });

  it('is a whole number in [0, 100], never falls, and does not depend on the order of the alerts', () => {
    const severities = ['info', 'low', 'medium', 'high', 'critical'] as const;
    const planned = fc.record({
      severity: fc.constantFrom(...severities),
      detector: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      consequence: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(planned, { minLength: 1, maxLength: 30 }), (alerts) => {
        const { join } = grouping();
        const risks = alerts.map((each, index) => join(index, { session: 's', ...each }).risk);
        risks.forEach((value, index) => {
          expect(Number.isInteger(value)).toBe(true);
          expect(value).toBeGreaterThanOrEqual(risks[index - 1] ?? 0);
          expect(value).toBeLessThanOrEqual(100);
        });
        expect(risk([...alerts].reverse())).toBe(risks.at(-1));
      }),
    );
  });
});

describe('grouping is bounded', () => {
  it('in incidents and places, however many sessions, matters and actors are made up', () => {
    const { join, table } = grouping();
    const long = 'x'.repeat(200);
    for (let number = 0; number < 5000; number += 1)
      join(number, { session: `${long}${number}`, matter: `${long}${number}`, actor: `${long}${number}` });
    expect(table.incidents.size).toBe(128);
    expect(table.places.size).toBe(512);
    expect([...table.places.keys()].every((place) => place.length === 22)).toBe(true);
  });

  it('in detectors of one incident: the risk stays a number in range', () => {
    const { join, table } = grouping();
    for (let number = 0; number < 500; number += 1)
      join(number, { session: 's', detector: `rule/${number}` });
    const [incident] = table.incidents.values();
    expect(incident?.weights.size).toBe(16);
    expect(join(500, { session: 's' }).risk).toBe(100);
  });

  it('in sessions and in time: a matter that never ends becomes a new incident', () => {
    const { join } = grouping();
    const ids = Array.from({ length: 70 }, (_, number) =>
      join(number, { session: `s${number}`, matter: 'm' }),
    );
    expect(new Set(ids.slice(0, 32).map(({ id }) => id)).size).toBe(1);
    expect(ids[32]?.id).not.toBe(ids[0]?.id);
    expect(ids[32]?.related).toEqual([ids[0]?.id]);
    expect(new Set(ids.map(({ id }) => id)).size).toBe(3);

    const { join: slow } = grouping();
    const daily = Array.from({ length: 10 }, (_, day) =>
      slow(day * 23 * hourMs, { session: `s${day}`, matter: 'm' }),
    );
    expect(new Set(daily.map(({ id }) => id)).size).toBe(2);
  });
});

describe('in the engine', () => {
  const send: Call = { tool: 'send', action: 'egress' };
  const run = () =>
    runner(detectConfig(), { detectors: [plantedDetector('planted'), plantedDetector('second')] });

  it('alerts of two detectors in a session are one incident whose risk grows', () => {
    const alerts = run().session('s', [
      bad('medium', 'm'),
      bad('high', 'n', { by: 'second' }),
      { ...send, change: bad('low', 'o').change ?? ((event) => event) },
    ]);
    expect(new Set(alerts.map((alert) => alert.incident_id)).size).toBe(1);
    expect(alerts.map((alert) => alert.risk_score)).toEqual([35, 74, 85]);
    for (const alert of alerts) expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('the order of unrelated tenants changes no incident', () => {
    const one = run();
    const alone = one.session('s', [bad('high', 'm'), bad('high', 'n')]);
    const two = run();
    two.session('s', [bad('high', 'm')], 'rival');
    const [first] = two.session('s', [bad('high', 'm')]);
    two.session('s', [bad('high', 'q')], 'rival');
    expect(first?.incident_id).toBe(alone[0]?.incident_id);
  });

  it('resolving an incident through the log ends it from that place on', () => {
    const engine = run();
    const [first] = engine.session('s', [bad('high', 'm')]);
    const incident_id = first?.incident_id ?? '';
    engine.send(incidentEvent('acme', engine.now(), { incident_id, status: 'resolved' }));
    const [, second] = engine.session('s', [send, send, bad('high', 'n'), bad('high', 'o')]);
    expect(second?.incident_id).not.toBe(incident_id);
    const [third] = engine.session('t', [bad('high', 'm')]);
    expect(third?.related_incidents).toContain(incident_id);
  });
});
