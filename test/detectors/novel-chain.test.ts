import { describe, expect, it } from 'vitest';
import { alertSchema } from '../../schemas/alert.ts';
import type { DetectConfig } from '../../schemas/config.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import {
  by,
  callEvent,
  detectConfig,
  learnWorkday,
  note,
  omit,
  readTicket,
  reply,
  runner,
  search,
  type Call,
} from './sessions.ts';

const secrets: Call = { tool: 'read_secret', server: 'vault' };
const post: Call = { tool: 'http_post', server: 'web', action: 'egress', to: ['drop.example'] };
const replyToStranger: Call = { ...reply, to: ['stranger.example'] };

function learned(config = detectConfig()) {
  const run = runner(config);
  const alerts = learnWorkday(run);
  return { run, alerts };
}

describe('novel chain', () => {
  it('learns a working day of 28 short sessions without an alert', () => {
    expect(learned().alerts).toEqual([]);
  });

  it('alerts on tools never combined here that send to a place never seen', () => {
    const { run } = learned();
    const [alert] = by(run.session('attack', [readTicket, secrets, post]), 'novel-chain').filter(
      ({ severity }) => severity === 'high',
    );
    expect(alert).toMatchObject({ title: 'Novel tool chain allowed', tenant: 'acme', session_key: 'attack' });
    expect(alert?.score).toBeGreaterThan(0.95);
    expect(alert?.reason).toContain('drop.example');
    expect(alertSchema.parse(alert)).toEqual(alert);
    expect(alert?.evidence.at(-1)).toBe(callEvent('acme', 'attack', 2, 0, post).event_id);
  });

  it('alerts on known tools in an order nobody had, without any destination', () => {
    const { run } = learned();
    const alerts = by(run.session('attack', [note, reply, { ...search, action: 'write' }]), 'novel-chain');
    expect(alerts.map(({ reason }) => reason).join()).toContain('mail/send_reply → wiki/search_docs');
  });

  it('alerts on the first send to a stranger when destinations hardly ever change', () => {
    const { run } = learned();
    expect(by(run.session('attack', [readTicket, search, replyToStranger]), 'novel-chain')).toHaveLength(1);
  });

  it('says so when the call was executed and no policy decision is known', () => {
    const { run } = learned();
    const unknown = (event: CustodyEvent): CustodyEvent => omit(event, 'policy');
    const alerts = run.session('attack', [readTicket, { ...post, change: unknown }]);
    expect(by(alerts, 'novel-chain')[0]?.reason).toContain('no policy decision is known');
  });

  it('never alerts on a denied call', () => {
    const { run } = learned();
    const alerts = run.session('attack', [
      readTicket,
      { ...secrets, decision: 'deny' },
      { ...post, decision: 'deny' },
    ]);
    expect(alerts).toEqual([]);
  });

  it('waits for the outcome of a call that was only requested, and stays silent when it is refused', () => {
    const { run } = learned();
    const phase = (name: 'request' | 'result', category?: 'ok' | 'denied') => (event: CustodyEvent) => {
      return {
        ...omit(event, 'policy', 'result'),
        phase: name,
        mcp: { request_id: '7' },
        ...(category === undefined ? {} : { result: { category } }),
      };
    };
    const request = { ...post, change: phase('request') };
    expect(run.session('refused', [request, { ...post, change: phase('result', 'denied') }])).toEqual([]);
    const answered = run.session('answered', [request, { ...post, change: phase('result', 'ok') }]);
    expect(by(answered, 'novel-chain')).toHaveLength(1);
  });

  it('raises nothing before enough sessions were seen', () => {
    const run = runner();
    learnWorkday(run, 12);
    expect(run.engine().learning('acme')['novel-chain']).toEqual({ learning: true, seen: 12 });
    expect(run.session('early', [readTicket, secrets, post])).toEqual([]);
  });

  it.each([
    ['a session like every other', [readTicket, search, reply]],
    ['the usual tools with other arguments', [readTicket, { ...search, arguments: 'else' }, note]],
    ['one call alone', [readTicket]],
    ['the same read many times', [search, search, search, note]],
  ])('stays silent on %s', (_name, calls) => {
    expect(by(learned().run.session('benign', calls), 'novel-chain')).toEqual([]);
  });

  it('does not page for a new combination of reads that leads to nothing', () => {
    const alerts = learned().run.session('reads', [search, readTicket]);
    expect(alerts).toEqual([]);
  });

  it('keeps a never-seen tool that only reads at severity low', () => {
    const alerts = learned().run.session('reads', [readTicket, secrets]);
    expect(alerts.map(({ severity }) => severity)).toEqual(['low']);
  });

  it('stays silent for a tenant to which new combinations are everyday business', () => {
    const run = runner();
    for (let day = 0; day < 60; day += 1)
      run.session(`task-${day}`, [{ tool: `read_${day}` }, { tool: `write_${day}`, action: 'write' }]);
    expect(run.session('task-60', [{ tool: 'read_60' }, { tool: 'write_60', action: 'write' }])).toEqual([]);
  });

  it('is not taught by the attacks it alerts on', () => {
    const { run } = learned();
    for (let attempt = 0; attempt < 40; attempt += 1)
      expect(
        by(run.session(`attack-${attempt}`, [readTicket, secrets, post]), 'novel-chain').length,
      ).toBeGreaterThan(0);
  });

  it('takes a tool that three other tenants use as less of a surprise', () => {
    const common: Call = { tool: 'create_invoice', server: 'billing', action: 'write' };
    const alone = learned().run;
    const alertsAlone = by(alone.session('first-use', [readTicket, common]), 'novel-chain');
    const afterOthers = (config: DetectConfig, waitMs: number) => {
      const run = runner(config);
      for (const tenant of ['t1', 't2', 't3']) run.session('s', [readTicket, common], tenant);
      run.wait(waitMs);
      learnWorkday(run);
      return by(run.session('first-use', [readTicket, common]), 'novel-chain');
    };
    const epochMs = 600_000;
    const sharing = detectConfig({ shared_statistics: { enabled: true, epoch_ms: epochMs } });
    expect(alertsAlone).toHaveLength(1);
    expect(afterOthers(sharing, 2 * epochMs)).toEqual([]);
    expect(afterOthers(sharing, 0)).toHaveLength(1);
    expect(afterOthers(detectConfig(), 2 * epochMs)).toHaveLength(1);
  });
});
