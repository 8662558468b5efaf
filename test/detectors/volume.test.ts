import { describe, expect, it } from 'vitest';
import { volume } from '../../detectors/volume.ts';
import { alertSchema } from '../../schemas/alert.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { only, stateBytes, times } from './one-detector.ts';
import { detectConfig, type Call } from './sessions.ts';

const start = () => only(volume(detectConfig().volume));
const send = (to: string, bytes: number): Call => ({
  tool: 'post_message',
  server: 'chat',
  action: 'egress',
  to: [to],
  argumentsBytes: bytes,
});
const hourMs = 3_600_000;
const asked = (destination: string): Partial<CustodyEvent> => ({
  destination_origins: [{ destination, origin: 'prompt' }],
});

/** Sessions of the last days, each with a few sends to usual places. */
function teach(run: ReturnType<typeof start>, sessions = 30) {
  return times(sessions, (index) => {
    run.wait(2 * hourMs);
    const alerts = times(3, (part) =>
      run.call(`day-${index}`, send(`usual-${(index + part) % 8}.example`, 1500)),
    );
    return [...alerts.flat(), ...run.end(`day-${index}`)];
  }).flat();
}

describe('a slow drip to a new destination', () => {
  it('is told when many sends of many sessions add up', () => {
    const run = start();
    expect(teach(run)).toEqual([]);
    const alerts = times(20, (index) => {
      run.wait(60_000);
      const found = run.call(`drip-${index}`, send('drop.example', 1900));
      return [...found, ...run.end(`drip-${index}`)];
    }).flat();
    const [alert, ...more] = alerts;
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ title: 'Many small sends to a new destination', severity: 'medium' });
    expect(alert?.observed).toMatch(/^8 sends, 14\.8 KiB in \d+ min to drop\.example, from 8 sessions$/);
    expect(alert?.evidence.length).toBeGreaterThan(1);
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('is told in questions too, when they carry more than a question needs', () => {
    const run = start();
    teach(run);
    const fetch: Call = { ...send('drop.example', 2500), tool: 'fetch_page', action: 'read' };
    expect(times(20, (index) => run.call(`q-${index}`, fetch)).flat()).toHaveLength(1);
  });

  it('is worth less when a person named the destination, and hardly anything while nothing is known', () => {
    const run = start();
    teach(run);
    const named = times(20, () => run.call('s', send('asked.example', 1900), asked('asked.example'))).flat();
    expect(named.map(({ severity }) => severity)).toEqual(['low']);
    const cold = start();
    const early = times(20, () => cold.call('s', send('drop.example', 1900))).flat();
    expect(early.map(({ severity }) => severity)).toEqual(['info']);
  });

  it.each<[string, Call, number]>([
    ['seven sends', send('drop.example', 4000), 7],
    ['many sends that are small in all', send('drop.example', 500), 20],
    ['reading many pages', { ...send('docs.example', 200), tool: 'fetch_page', action: 'read' }, 200],
  ])('is no %s', (_what, call, count) => {
    const run = start();
    teach(run);
    expect(times(count, (index) => run.call(`s-${index % 5}`, call)).flat()).toEqual([]);
  });

  it('is none to a usual destination', () => {
    const run = start();
    teach(run);
    expect(times(20, () => run.call('s', send('usual-1.example', 1900))).flat()).toEqual([]);
  });

  it('is none where the registry allows the destination or it is our own', () => {
    const run = start();
    teach(run);
    run.decide({
      zones: [{ name: 'ours', trust: 'internal', destinations: ['ours.example'] }],
      destinations: [{ hosts: ['fine.example'], allow: true }],
    });
    const to = (host: string) => times(20, () => run.call('s', send(host, 1900))).flat();
    expect([...to('app.ours.example'), ...to('fine.example')]).toEqual([]);
    expect(to('drop.example')).toHaveLength(1);
  });

  it('does not become usual by the sessions that drip, within the day', () => {
    const run = start();
    teach(run);
    const drip = times(40, (index) => [
      ...run.call(`d-${index}`, send('drop.example', 300)),
      ...run.end(`d-${index}`),
    ]).flat();
    expect(drip).toHaveLength(0);
    expect(times(3, () => run.call('d', send('drop.example', 1000))).flat()).toHaveLength(1);
  });
});

describe('limits', () => {
  const megabyte = 1024 * 1024;

  it.each<[string, Call, number]>([
    ['one call sent 17.0 MiB', send('usual-1.example', 17 * megabyte), 1],
    ['the session sent 40.0 MiB', send('usual-1.example', 10 * megabyte), 4],
  ])('are told: %s', (observed, call, count) => {
    const run = start();
    const alerts = times(count, () => run.call('s', call)).flat();
    expect(alerts.map((alert) => alert.observed)).toEqual([observed]);
  });

  it('hold for what goes into one vendor zone, over all sessions', () => {
    const run = start();
    run.decide({ zones: [{ name: 'crm-cloud', trust: 'vendor', destinations: ['crm.example'] }] });
    const alerts = times(7, (index) => run.call(`s-${index}`, send('crm.example', 10 * megabyte))).flat();
    expect(alerts.map(({ observed }) => observed)).toEqual(['into zone crm-cloud went of late 70.0 MiB']);
  });

  it('hold for records read in one session', () => {
    const run = start();
    const list: Call = { tool: 'list_customers', server: 'crm' };
    const alerts = times(3, () => run.call('s', list, { item_count: 40_000 })).flat();
    expect(alerts.map(({ title }) => title)).toEqual(['Very many records read in one session']);
  });

  it('do not hold for what stays here', () => {
    const run = start();
    const store: Call = {
      tool: 'write_file',
      server: 'disk',
      action: 'write',
      argumentsBytes: 40 * megabyte,
    };
    expect(times(3, () => run.call('s', store)).flat()).toEqual([]);
  });
});

describe('the state', () => {
  it('stays bounded under a flood of destinations', () => {
    const run = start();
    times(4000, (index) => run.call(`s${index % 20}`, send(`h${index}.example`, 3000)));
    expect(stateBytes(run)).toBeLessThan(1_500_000);
  });

  it('outlives a restart', () => {
    const run = start();
    teach(run);
    times(5, () => run.call('s', send('drop.example', 1900)));
    run.restart();
    expect(times(5, () => run.call('s', send('drop.example', 1900))).flat()).toHaveLength(1);
  });
});
