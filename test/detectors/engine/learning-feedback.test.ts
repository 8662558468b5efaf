import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Alert } from '../../../schemas/alert.ts';
import { alertSchema } from '../../../schemas/alert.ts';
import type { Disposition } from '../../../schemas/incident.ts';
import { detectConfig, runner, search, type Call } from '../sessions.ts';
import { bad, incidentEvent, plantedDetector } from './planted.ts';

const idleMs = detectConfig().session_idle_ms;
const dayMs = 24 * 3_600_000;
const odd: Call = { tool: 'odd_tool' };

function arena(config: Record<string, unknown> = {}) {
  const run = runner(detectConfig(config), { detectors: [plantedDetector()] });
  const tick: Call = { tool: 'tick' };
  let ticks = 0;
  return {
    ...run,
    /** Learned by the tenant; sessions that only let time go by are left out. */
    learned: (tenant = 'acme') => run.engine().learning(tenant)['planted']?.seen ?? 0,
    judge(alert: Alert | undefined, disposition: Disposition, tenant = 'acme') {
      const incident_id = alert?.incident_id ?? '';
      run.send(incidentEvent(tenant, run.now(), { incident_id, disposition }));
    },
    /** Lets the open sessions of a tenant become idle; the session it needs for that stays open. */
    closeAll(tenant = 'acme', afterMs = idleMs) {
      run.wait(afterMs + 1000);
      ticks += 1;
      run.session(`tick-${ticks}`, [tick], tenant);
    },
    stats: () => run.engine().stats(),
  };
}

const dismissals: Disposition[] = ['false_positive', 'benign_true_positive'];

describe('what a session shows is learned', () => {
  it('when it closes without an alert, and not before', () => {
    const run = arena();
    run.session('quiet', [odd, search]);
    expect(run.learned()).toBe(0);
    run.closeAll();
    expect(run.learned()).toBe(2);
  });

  it.each(['info', 'low'] as const)('when its alerts are of severity %s', (severity) => {
    const run = arena();
    const [alert] = run.session('quiet', [odd, bad(severity, 'm')]);
    expect(alert?.incident_id).toBeDefined();
    run.closeAll();
    expect(run.learned()).toBe(2);
    expect(run.stats().heldSessions).toBe(0);
  });

  it('when its alert is on trial: that is of no incident and holds nothing back', () => {
    const run = arena();
    const [alert] = run.session('quiet', [odd, bad('critical', 'm', { mode: 'shadow' })]);
    expect(alert).toMatchObject({ mode: 'shadow' });
    expect(alert?.incident_id).toBeUndefined();
    run.closeAll();
    expect(run.learned()).toBe(2);
  });

  it.each(['medium', 'high', 'critical'] as const)('not under an alert of severity %s', (severity) => {
    const run = arena();
    run.session('attack', [odd, bad(severity, 'm')]);
    expect(run.stats().quarantinedSessions).toBe(1);
    run.closeAll();
    expect(run.learned()).toBe(0);
    expect(run.stats()).toMatchObject({ heldSessions: 1, quarantinedSessions: 0 });
  });
});

describe('a dismissal', () => {
  it.each(dismissals)('(%s) releases a session that is closed', (disposition) => {
    const run = arena();
    const [alert] = run.session('s', [odd, bad('high', 'm')]);
    run.closeAll();
    run.judge(alert, disposition);
    expect(run.learned()).toBe(2);
    expect(run.stats().heldSessions).toBe(0);
  });

  it.each(dismissals)('(%s) of a session that is open lets it be learned when it closes', (disposition) => {
    const run = arena();
    const [alert] = run.session('s', [odd, bad('high', 'm')]);
    run.judge(alert, disposition);
    expect(run.stats().quarantinedSessions).toBe(0);
    expect(run.learned()).toBe(0);
    run.closeAll();
    expect(run.learned()).toBe(2);
    expect(run.stats().heldSessions).toBe(0);
  });

  it('twice teaches once', () => {
    const run = arena();
    const [alert] = run.session('s', [odd, bad('high', 'm')]);
    run.closeAll();
    run.judge(alert, 'false_positive');
    run.judge(alert, 'false_positive');
    run.judge(alert, 'benign_true_positive');
    expect(run.learned()).toBe(2);
  });

  it('does not cover what the open session does afterwards', () => {
    const run = arena();
    const [alert] = run.session('s', [odd, bad('high', 'm')]);
    run.judge(alert, 'false_positive');
    const [later] = run.session('s', [odd, odd, bad('high', 'another')]).slice(-1);
    expect(later?.incident_id).toBe(alert?.incident_id);
    expect(run.stats().quarantinedSessions).toBe(1);
    run.closeAll();
    expect(run.learned()).toBe(0);
    expect(run.stats().heldSessions).toBe(1);
  });

  it('of one of the two incidents of a session releases nothing; of both it does', () => {
    const run = arena();
    const [first] = run.session('s', [bad('high', 'm')]);
    run.send(incidentEvent('acme', run.now(), { incident_id: first?.incident_id ?? '', status: 'resolved' }));
    const [second] = run.session('s', [odd, bad('high', 'n')]).slice(-1);
    expect(second?.incident_id).not.toBe(first?.incident_id);
    run.closeAll();
    run.judge(first, 'false_positive');
    expect(run.learned()).toBe(0);
    expect(run.stats().heldSessions).toBe(1);
    run.judge(second, 'false_positive');
    expect(run.learned()).toBeGreaterThan(0);
  });

  it('of an open incident by status alone, without a disposition, releases nothing', () => {
    const run = arena();
    const [alert] = run.session('s', [bad('high', 'm')]);
    run.closeAll();
    for (const status of ['acknowledged', 'in_progress', 'resolved'] as const)
      run.send(incidentEvent('acme', run.now(), { incident_id: alert?.incident_id ?? '', status }));
    expect(run.learned()).toBe(0);
    expect(run.stats().heldSessions).toBe(1);
  });
});

describe('a confirmation', () => {
  it('drops a closed session for good, whatever is said later', () => {
    const run = arena();
    const [alert] = run.session('s', [odd, bad('high', 'm')]);
    run.closeAll();
    run.judge(alert, 'true_positive');
    expect(run.stats().heldSessions).toBe(0);
    run.judge(alert, 'false_positive');
    expect(run.learned()).toBe(0);
  });

  it('of an open session means that it is not even kept when it closes', () => {
    const run = arena();
    const [alert] = run.session('s', [odd, bad('high', 'm')]);
    run.judge(alert, 'true_positive');
    run.closeAll();
    expect(run.stats()).toMatchObject({ heldSessions: 0, quarantinedSessions: 0 });
    run.judge(alert, 'false_positive');
    expect(run.learned()).toBe(0);
  });

  it('of an open session can be taken back until it closes: the last word counts', () => {
    const run = arena();
    const [alert] = run.session('s', [odd, bad('high', 'm')]);
    run.judge(alert, 'true_positive');
    run.judge(alert, 'false_positive');
    run.closeAll();
    expect(run.learned()).toBe(2);

    const [other] = run.session('t', [odd, bad('high', 'n')]);
    run.judge(other, 'false_positive');
    run.judge(other, 'true_positive');
    expect(run.stats().quarantinedSessions).toBe(1);
    run.closeAll();
    expect(run.learned()).toBe(3);
    expect(run.stats()).toMatchObject({ heldSessions: 0, quarantinedSessions: 0 });
  });

  it('after a dismissal drops a session that waits for another incident', () => {
    const run = arena();
    const [first] = run.session('s', [bad('high', 'm')]);
    run.send(incidentEvent('acme', run.now(), { incident_id: first?.incident_id ?? '', status: 'resolved' }));
    const [second] = run.session('s', [odd, bad('high', 'n')]).slice(-1);
    run.closeAll();
    run.judge(first, 'false_positive');
    run.judge(first, 'true_positive');
    run.judge(second, 'false_positive');
    expect(run.learned()).toBe(0);
    expect(run.stats().heldSessions).toBe(0);
  });

  it('that is taken back with undetermined leaves the session waiting', () => {
    const run = arena();
    const [alert] = run.session('s', [odd, bad('high', 'm')]);
    run.judge(alert, 'true_positive');
    run.judge(alert, 'undetermined');
    run.closeAll();
    run.judge(alert, 'undetermined');
    expect(run.stats().heldSessions).toBe(1);
    run.judge(alert, 'false_positive');
    expect(run.learned()).toBe(2);
  });

  it('of one of two incidents outweighs the dismissal of the other', () => {
    const run = arena();
    const [first] = run.session('s', [bad('high', 'm')]);
    run.send(incidentEvent('acme', run.now(), { incident_id: first?.incident_id ?? '', status: 'resolved' }));
    const [second] = run.session('s', [odd, bad('high', 'n')]).slice(-1);
    run.judge(first, 'true_positive');
    run.judge(second, 'false_positive');
    run.closeAll();
    expect(run.learned()).toBe(0);
    expect(run.stats().heldSessions).toBe(0);
  });
});

describe('nobody else decides', () => {
  it('an id of another tenant does nothing here, and a change never makes a tenant', () => {
    const run = arena();
    const [alert] = run.session('s', [odd, bad('high', 'm')]);
    run.session('s', [odd, bad('high', 'm')], 'rival');
    run.closeAll();
    run.closeAll('rival');
    const before = run.stats();
    run.judge(alert, 'false_positive', 'rival');
    run.judge(alert, 'false_positive', 'nobody');
    expect(run.learned()).toBe(0);
    expect(run.learned('rival')).toBe(0);
    expect(run.stats()).toEqual({ ...before, events: before.events + 2 });
  });

  it('two tenants with the same sessions and findings have incidents of different ids', () => {
    const run = arena();
    const [ours] = run.session('s', [bad('high', 'm')]);
    const [theirs] = run.session('s', [bad('high', 'm')], 'rival');
    expect(ours?.incident_id).not.toBe(theirs?.incident_id);
  });

  it("dismissing noise does not teach an attacker's session that hid in it", () => {
    const run = arena();
    const [noise] = run.session('noisy', [bad('medium', 'well-known-noise')]);
    // The attacker sets off the same noise first, so that its session is taken for one more of the same.
    const [decoy, real] = run.session('attack', [
      bad('medium', 'well-known-noise'),
      bad('high', 'theft'),
      odd,
    ]);
    expect(decoy?.incident_id).toBe(noise?.incident_id);
    expect(real?.incident_id).not.toBe(noise?.incident_id);
    expect(real?.related_incidents).toEqual([noise?.incident_id]);
    run.closeAll();
    run.judge(noise, 'false_positive');
    expect(run.learned()).toBe(1);
    expect(run.stats().heldSessions).toBe(1);
    run.judge(real, 'true_positive');
    expect(run.learned()).toBe(1);
    expect(run.stats().heldSessions).toBe(0);
  });

  it('a change of an incident moves no clock: no session closes because of it', () => {
    const run = arena();
    const [alert] = run.session('s', [bad('high', 'm')]);
    const laterMs = run.now() + idleMs * 3;
    run.send(
      incidentEvent('acme', laterMs, { incident_id: alert?.incident_id ?? '', status: 'acknowledged' }),
      laterMs,
    );
    expect(run.stats().sessions).toBe(1);
  });
});

describe('an alert about another session, raised because time went by', () => {
  it('holds that one back while it is open, and not the one that was seen', () => {
    const run = arena();
    run.session('s', [odd]);
    const [alert] = run.session('t', [bad('high', 'm', { about: 's' })]);
    expect(alert?.session_key).toBe('s');
    run.closeAll();
    expect(run.learned()).toBe(1);
    run.judge(alert, 'false_positive');
    expect(run.learned()).toBe(2);
  });

  it('holds it back further when it waits already: the dismissal of the first alert is not enough', () => {
    const run = arena();
    const [first] = run.session('s', [odd, bad('high', 'm')]);
    run.closeAll();
    run.send(incidentEvent('acme', run.now(), { incident_id: first?.incident_id ?? '', status: 'resolved' }));
    const [second] = run.session('t', [bad('high', 'n', { about: 's' })]);
    expect(second?.related_incidents).toEqual([first?.incident_id]);
    run.judge(first, 'false_positive');
    expect(run.learned()).toBe(0);
    run.judge(second, 'false_positive');
    expect(run.learned()).toBe(2);
  });
});

describe('held sessions are bounded', () => {
  it('the oldest goes first, is counted, and a later dismissal of it teaches nothing', () => {
    const run = arena();
    const alerts = Array.from({ length: 33 }, (_, number) => {
      const [alert] = run.session(`s-${number}`, [odd, bad('high', `m-${number}`)]);
      run.closeAll();
      return alert;
    });
    expect(run.stats()).toMatchObject({ heldSessions: 32, unjudgedSessions: 1 });
    const before = run.learned();
    run.judge(alerts[0], 'false_positive');
    expect(run.learned()).toBe(before);
    run.judge(alerts[1], 'false_positive');
    expect(run.learned()).toBe(before + 2);
  });

  it('one that nobody judges for thirty days goes when the next is held', () => {
    const run = arena();
    run.session('s', [bad('high', 'm')]);
    run.closeAll();
    run.wait(31 * dayMs);
    run.session('t', [bad('high', 'n')]);
    run.closeAll();
    expect(run.stats()).toMatchObject({ heldSessions: 1, unjudgedSessions: 1 });
  });

  it('a session with more incidents than are kept is never learned from', () => {
    const run = arena();
    const alerts: (Alert | undefined)[] = [];
    for (let number = 0; number < 20; number += 1) {
      const [alert] = run
        .session('s', [...Array.from({ length: number }, () => odd), bad('high', `m-${number}`)])
        .slice(-1);
      alerts.push(alert);
      run.send(
        incidentEvent('acme', run.now(), { incident_id: alert?.incident_id ?? '', status: 'resolved' }),
      );
    }
    expect(new Set(alerts.map((alert) => alert?.incident_id)).size).toBe(20);
    for (const alert of alerts) run.judge(alert, 'false_positive');
    run.closeAll();
    expect(run.learned()).toBe(0);
  });
});

describe('any course of work on incidents', () => {
  const step = fc.oneof(
    fc.record({
      session: fc.nat(3),
      severity: fc.constantFrom('low', 'medium', 'high' as const),
      matter: fc.nat(3),
    }),
    fc.record({
      alert: fc.nat(),
      disposition: fc.constantFrom(
        'true_positive',
        'false_positive',
        'benign_true_positive',
        'undetermined' as const,
      ),
      status: fc.constantFrom('open', 'resolved', undefined),
    }),
    fc.constant('close' as const),
  );

  it('gives the same alerts and lessons when it is restored from a snapshot anywhere, and holds within bounds', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(40), (steps, restartAt) => {
        const play = (restarts: boolean) => {
          const run = arena();
          const alerts: Alert[] = [];
          steps.forEach((each, index) => {
            if (restarts && index === restartAt % steps.length) run.restart();
            if (each === 'close') run.closeAll();
            else if ('session' in each) {
              const filler = Array.from({ length: index }, () => search);
              const key = `s-${each.session}`;
              alerts.push(...run.session(key, [...filler, bad(each.severity, `m-${each.matter}`)]));
            } else {
              const incident_id = alerts[each.alert % Math.max(1, alerts.length)]?.incident_id;
              if (incident_id === undefined) return;
              const { disposition, status } = each;
              run.send(
                incidentEvent('acme', run.now(), {
                  incident_id,
                  disposition,
                  ...(status === undefined ? {} : { status }),
                }),
              );
            }
          });
          const { heldSessions, quarantinedSessions, sessions } = run.stats();
          expect(heldSessions).toBeLessThanOrEqual(32);
          return { alerts, learned: run.learned(), heldSessions, quarantinedSessions, sessions };
        };
        expect(play(true)).toEqual(play(false));
      }),
      { numRuns: 40 },
    );
  });
});

describe('a restart from a snapshot', () => {
  it('at any place changes neither alerts, nor what is held, nor what is learned', () => {
    const play = (restartAt: number) => {
      const run = arena();
      const alerts: Alert[] = [];
      const steps: (() => void)[] = [
        () => alerts.push(...run.session('a', [odd, bad('high', 'm')])),
        () => alerts.push(...run.session('b', [odd, bad('medium', 'm'), bad('high', 'n')])),
        () => run.judge(alerts[0], 'true_positive'),
        () => run.judge(alerts[0], 'undetermined'),
        () => run.closeAll(),
        () => run.send(incidentEvent('acme', run.now(), { incident_id: id(alerts[0]), status: 'resolved' })),
        () => alerts.push(...run.session('c', [odd, bad('high', 'm')])),
        () => run.judge(alerts[0], 'false_positive'),
        () => run.closeAll(),
        () => run.judge(alerts.at(-1), 'benign_true_positive'),
        () => run.judge(alerts[2], 'true_positive'),
      ];
      steps.forEach((step, index) => {
        if (index === restartAt) run.restart();
        step();
      });
      const { heldSessions, quarantinedSessions, sessions } = run.stats();
      return { alerts, learned: run.learned(), heldSessions, quarantinedSessions, sessions };
    };
    const id = (alert: Alert | undefined) => alert?.incident_id ?? '';
    const expected = play(-1);
    expect(expected.alerts).toHaveLength(4);
    for (const alert of expected.alerts) expect(alertSchema.parse(alert)).toEqual(alert);
    expect(expected.learned).toBeGreaterThan(0);
    for (let restartAt = 1; restartAt <= 10; restartAt += 1) expect(play(restartAt)).toEqual(expected);
  });
});
