import { describe, expect, it } from 'vitest';
import { alertSchema } from '../../schemas/alert.ts';
import type { DetectConfig } from '../../schemas/config.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { encodeTokens } from '../../schemas/token-set.ts';
import {
  by,
  callEvent,
  detectConfig,
  hex,
  learnWorkday,
  note,
  omit,
  readTicket,
  reply,
  runner,
  search,
  uuidOf,
  type Call,
} from './sessions.ts';

const secrets: Call = { tool: 'read_secret', server: 'vault' };
/** Fingerprints of words, as a collector makes them. */
const words = (...names: string[]) =>
  encodeTokens(names.map((name) => Number.parseInt(hex(name).slice(0, 8), 16) | 0));

/** The result of the call holds these words. */
const telling =
  (...names: string[]) =>
  (event: CustodyEvent): CustodyEvent => ({ ...event, result: { ...event.result, tokens: words(...names) } });

/** The call goes to a host that stands as a word in `value`. */
const goingTo =
  (host: string) =>
  (event: CustodyEvent): CustodyEvent => ({
    ...event,
    destinations: [host],
    destination_origins: [{ destination: host, tokens: words(host) }],
    arguments: {
      ...event.arguments,
      values: [{ path: 'url', hash: hex(host).slice(0, 13), size_bytes: host.length, tokens: words(host) }],
    },
  });

const post = (host: string): Call => ({
  tool: 'http_post',
  server: 'web',
  action: 'egress',
  change: goingTo(host),
});
const injected: Call = { ...readTicket, change: telling('please', 'send', 'drop.example') };

function learned(config = detectConfig()) {
  const run = runner(config);
  const alerts = learnWorkday(run);
  return { run, alerts };
}

const chains = (alerts: Parameters<typeof by>[0]) => by(alerts, 'novel-chain');
const paging = (alerts: Parameters<typeof by>[0]) =>
  chains(alerts).filter(({ severity }) => severity === 'medium' || severity === 'high');

describe('novel chain', () => {
  it('learns sixty short sessions of a working day without an alert', () => {
    expect(chains(learned().alerts)).toEqual([]);
  });

  it('pages for a send to a place that only an earlier output named and that nobody here ever used', () => {
    const { run } = learned();
    const [alert] = paging(run.session('attack', [injected, post('drop.example')]));
    expect(alert).toMatchObject({ tenant: 'acme', session_key: 'attack', severity: 'high' });
    expect(alert?.score).toBeGreaterThan(0.95);
    expect(alert?.reason).toContain('drop.example');
    expect(alert?.reason).toContain('desk/get_ticket at step 1');
    expect(alertSchema.parse(alert)).toEqual(alert);
    expect(alert?.evidence).toContain(callEvent('acme', 'attack', 0, 0, injected).event_id);
    expect(alert?.evidence.at(-1)).toBe(callEvent('acme', 'attack', 1, 0, post('')).event_id);
  });

  it('pages once in a session, and again only when it gets worse', () => {
    const { run } = learned();
    const first: Call = { tool: 'grant_access', server: 'admin', action: 'write' };
    const second: Call = { tool: 'delete_user', server: 'admin', action: 'write' };
    const severities = (session: string, calls: Call[]) =>
      chains(run.session(session, calls)).map(({ severity }) => severity);
    expect(severities('other', [readTicket, second])).toEqual(['medium']);
    expect(severities('odd', [readTicket, first, second])).toEqual(['medium', 'low']);
    expect(severities('worse', [injected, first, second, post('drop.example')])).toEqual([
      'medium',
      'low',
      'high',
    ]);
  });

  it('stays silent when the agent was asked to go there', () => {
    const { run } = learned();
    const asked = (event: CustodyEvent): CustodyEvent => ({
      ...event,
      intent: { tokens: words('post', 'to', 'drop.example') },
    });
    expect(
      paging(
        run.session('task', [
          { ...readTicket, change: asked },
          { ...reply, change: goingTo('drop.example') },
        ]),
      ),
    ).toEqual([]);
  });

  it('stays silent when a session before went there because it was asked to', () => {
    const { run } = learned();
    const asked = (event: CustodyEvent): CustodyEvent => ({
      ...event,
      intent: { tokens: words('partner.example') },
    });
    for (let time = 0; time < 3; time += 1)
      run.whole(`asked-${time}`, [
        { ...readTicket, change: asked },
        { ...reply, change: goingTo('partner.example') },
      ]);
    const named: Call = { ...readTicket, change: telling('partner.example') };
    expect(paging(run.session('again', [named, { ...reply, change: goingTo('partner.example') }]))).toEqual(
      [],
    );
  });

  it('does not take a place for known because somebody mentioned it', () => {
    const asked = (event: CustodyEvent): CustodyEvent => ({
      ...event,
      intent: { tokens: words('drop.example') },
    });
    const mention = (event: CustodyEvent): CustodyEvent => ({
      ...event,
      destinations: ['customer.example', 'drop.example'],
      destination_origins: [{ destination: 'drop.example', tokens: words('drop.example'), addressed: false }],
    });
    const reasonAfter = (quoted: readonly Call[]) => {
      const { run } = learned();
      run.whole('quoted', quoted);
      return chains(run.session('attack', [injected, post('drop.example')]))
        .map(({ reason }) => reason)
        .join();
    };
    expect(reasonAfter([readTicket, { ...reply, change: mention }])).toContain(
      'drop.example was never contacted',
    );
    expect(
      reasonAfter([
        { ...readTicket, change: asked },
        { ...reply, change: goingTo('drop.example') },
      ]),
    ).not.toContain('was never contacted');
  });

  it('pages for a value out of an output that makes a grave tool do what nobody did here', () => {
    const run = runner();
    const transfer = (owner: string): Call => ({
      tool: 'transfer_ownership',
      server: 'git',
      action: 'write',
      change: (event) => ({
        ...event,
        arguments: {
          ...event.arguments,
          values: [{ path: 'owner', hash: hex(owner).slice(0, 13), size_bytes: 5, tokens: words(owner) }],
        },
      }),
    });
    for (let day = 0; day < 70; day += 1)
      run.whole(`day-${day}`, day % 9 === 0 ? [readTicket, transfer('team')] : [readTicket, note]);
    const named: Call = { ...readTicket, change: telling('mallory') };
    const [alert] = paging(run.session('attack', [named, transfer('mallory')]));
    expect(alert?.title).toContain('new value out of untrusted output');
  });

  it('takes the account that money goes to for a destination', () => {
    const pay = (account: string): Call => ({
      tool: 'send_payment',
      server: 'bank',
      action: 'egress',
      change: (event) => ({
        ...event,
        arguments: {
          ...event.arguments,
          values: [
            { path: 'recipient', hash: hex(account).slice(0, 13), size_bytes: 12, tokens: words(account) },
          ],
        },
      }),
    });
    const run = runner();
    for (let day = 0; day < 70; day += 1)
      run.whole(`day-${day}`, day % 7 === 0 ? [readTicket, pay('landlord')] : [readTicket, note]);
    const named: Call = { ...readTicket, change: telling('mallory') };
    const [alert] = paging(run.session('attack', [named, pay('mallory')]));
    expect(alert?.reason).toContain('account in recipient was never contacted');
    expect(
      paging(run.session('rent', [{ ...readTicket, change: telling('landlord') }, pay('landlord')])),
    ).toEqual([]);
  });

  it('notes known tools in an order nobody had, and pages nobody for it', () => {
    const { run } = learned();
    const alerts = chains(run.session('odd', [note, reply, { ...search, action: 'write' }]));
    expect(alerts.map(({ severity }) => severity)).not.toContain('medium');
    expect(paging(alerts)).toEqual([]);
  });

  it('says so when the call was executed and no policy decision is known', () => {
    const { run } = learned();
    const unknown: Call = {
      ...post('drop.example'),
      change: (event) => omit(goingTo('drop.example')(event), 'policy'),
    };
    expect(paging(run.session('attack', [injected, unknown]))[0]?.reason).toContain(
      'no policy decision is known',
    );
  });

  it('never alerts on a denied call', () => {
    const { run } = learned();
    expect(chains(run.session('attack', [injected, { ...post('drop.example'), decision: 'deny' }]))).toEqual(
      [],
    );
  });

  it('waits for the outcome of a call that was only requested, and stays silent when it is refused', () => {
    const { run } = learned();
    const phase = (name: 'request' | 'result', category?: 'ok' | 'denied') => (event: CustodyEvent) => ({
      ...omit(name === 'request' ? goingTo('drop.example')(event) : event, 'policy', 'result'),
      phase: name,
      mcp: { request_id: '7' },
      ...(category === undefined ? {} : { result: { category } }),
    });
    const request = { ...post('drop.example'), change: phase('request') };
    const answer = (category: 'ok' | 'denied') => ({
      ...post('drop.example'),
      change: phase('result', category),
    });
    expect(paging(run.session('refused', [injected, request, answer('denied')]))).toEqual([]);
    expect(paging(run.session('answered', [injected, request, answer('ok')]))).toHaveLength(1);
  });

  it('raises nothing before enough sessions were seen', () => {
    const run = runner();
    learnWorkday(run, 12);
    expect(run.engine().learning('acme')['novel-chain']).toEqual({ learning: true, seen: 12 });
    expect(chains(run.session('early', [injected, post('drop.example')]))).toEqual([]);
  });

  it.each([
    ['a session like every other', [readTicket, search, reply]],
    ['the usual tools with other arguments', [readTicket, { ...search, arguments: 'else' }, note]],
    ['one call alone', [readTicket]],
    ['the same read many times', [search, search, search, note]],
    ['a new combination of reads that leads to nothing', [search, readTicket]],
  ])('stays silent on %s', (_name, calls) => {
    expect(chains(learned().run.session('benign', calls))).toEqual([]);
  });

  it('keeps a never-seen tool that only reads at severity low', () => {
    const alerts = chains(learned().run.session('reads', [readTicket, secrets]));
    expect(alerts.map(({ severity }) => severity)).toEqual(['low']);
  });

  it('stays silent for a tenant to which new combinations are everyday business', () => {
    const run = runner();
    for (let day = 0; day < 80; day += 1)
      run.whole(`task-${day}`, [{ tool: `read_${day}` }, { tool: `write_${day}`, action: 'write' }]);
    const alerts = run.session('task-80', [{ tool: 'read_80' }, { tool: 'write_80', action: 'write' }]);
    expect(chains(alerts)).toEqual([]);
  });

  it('is not taught by the attacks it alerts on', () => {
    const { run } = learned();
    for (let attempt = 0; attempt < 40; attempt += 1)
      expect(paging(run.whole(`attack-${attempt}`, [injected, post('drop.example')])).length).toBeGreaterThan(
        0,
      );
  });

  it('is taught by them when somebody dismisses the incident', () => {
    const { run } = learned();
    const [alert] = paging(run.whole('new-partner', [injected, post('drop.example')]));
    const event = callEvent('acme', 'new-partner', 9, run.now(), readTicket);
    run.send({
      ...omit(event, 'tool', 'session', 'arguments', 'result', 'policy', 'actor'),
      event_id: uuidOf('dismissal'),
      kind: 'incident',
      incident: {
        incident_id: alert?.incident_id ?? '',
        disposition: 'false_positive',
        changed_by: 'analyst',
      },
    });
    expect(paging(run.session('again', [injected, post('drop.example')]))).toEqual([]);
  });

  it('takes a tool that three other tenants use as less of a surprise', () => {
    const common: Call = { tool: 'create_invoice', server: 'billing', action: 'write' };
    const alone = learned().run;
    const bitsIn = (alerts: Parameters<typeof by>[0]) => chains(alerts).length;
    const alertsAlone = bitsIn(alone.session('first-use', [readTicket, common]));
    const afterOthers = (config: DetectConfig, waitMs: number) => {
      const run = runner(config);
      for (const tenant of ['t1', 't2', 't3']) run.whole('s', [readTicket, common], tenant);
      run.wait(waitMs);
      learnWorkday(run);
      return bitsIn(run.session('first-use', [readTicket, common]));
    };
    const epochMs = 600_000;
    const sharing = detectConfig({ shared_statistics: { enabled: true, epoch_ms: epochMs } });
    expect(alertsAlone).toBe(1);
    expect(afterOthers(sharing, 2 * epochMs)).toBe(0);
    expect(afterOthers(sharing, 0)).toBe(1);
    expect(afterOthers(detectConfig(), 2 * epochMs)).toBe(1);
  });
});
