import { describe, expect, it } from 'vitest';
import { alertSchema } from '../../schemas/alert.ts';
import { by, detectConfig, note, readTicket, runner, search, type Call } from './sessions.ts';

const KiB = 1024;
const exportCrm: Call = { tool: 'export', server: 'crm', resultBytes: 2 * KiB };
const upload: Call = {
  tool: 'upload',
  server: 'share',
  action: 'egress',
  argumentsBytes: 2 * KiB,
  to: ['partner.example'],
};
const browse: Call = {
  tool: 'browse',
  server: 'web',
  action: 'egress',
  argumentsBytes: 60,
  resultBytes: 3 * KiB,
};
/** Of the same few sites every day. */
const fetch: Call = { ...browse, tool: 'fetch_page', to: ['docs.example'] };
const bigExport: Call = { ...exportCrm, resultBytes: 3 * KiB * KiB };
const toStranger: Call = { ...upload, argumentsBytes: 600 * KiB, to: ['drop.example'] };

function learned() {
  const run = runner(detectConfig({ novel_chain: { enabled: false }, loop: { enabled: false } }));
  for (let day = 0; day < 30; day += 1) {
    run.whole(`day-${day}`, [readTicket, exportCrm, upload]);
    run.whole(`web-${day}`, [search, { ...browse, to: [`site-${day}.example`] }, fetch]);
  }
  return run;
}

describe('exfil spike', () => {
  it('alerts when a huge output is followed by a send to a new destination', () => {
    const [alert, ...more] = by(
      learned().session('attack', [readTicket, bigExport, note, toStranger]),
      'exfil-spike',
    );
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ severity: 'high', title: 'Size spike to a new destination' });
    expect(alert?.reason).toContain('drop.example');
    expect(alert?.evidence).toHaveLength(2);
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('alerts when the arguments themselves are the spike', () => {
    expect(by(learned().session('attack', [readTicket, toStranger]), 'exfil-spike')).toHaveLength(1);
  });

  it('alerts on a small send that refers to the data when the tool never meets new destinations', () => {
    const alerts = learned().session('attack', [bigExport, { ...toStranger, argumentsBytes: 90 }]);
    expect(by(alerts, 'exfil-spike')).toHaveLength(1);
  });

  it('alerts on a spike in the output of the very call that went to a new destination', () => {
    const alerts = learned().session('attack', [
      { ...upload, to: ['drop.example'], resultBytes: 9 * KiB * KiB },
    ]);
    expect(by(alerts, 'exfil-spike')).toHaveLength(1);
  });

  it('alerts on many small sends to a new destination', () => {
    const drip = Array.from({ length: 12 }, () => ({ ...upload, to: ['drip.example'] }));
    const alerts = by(learned().session('attack', drip), 'exfil-spike');
    expect(alerts.map(({ title }) => title)).toEqual(['Many small sends to a new destination']);
  });

  it('alerts on the volume limit of a session', () => {
    const bulk = Array.from({ length: 5 }, () => ({ ...upload, argumentsBytes: 2 * KiB * KiB }));
    const alerts = by(learned().session('bulk', bulk), 'exfil-spike');
    expect(alerts.map(({ title, severity }) => [title, severity])).toEqual([
      ['Volume to one destination over the session limit', 'low'],
    ]);
  });

  it.each<[string, Call[]]>([
    ['one huge read that goes nowhere', [readTicket, bigExport]],
    ['a huge read sent to the usual partner', [bigExport, { ...upload, argumentsBytes: 3 * KiB }]],
    ['a first contact without a spike', [exportCrm, { ...upload, to: ['new-partner.example'] }]],
    [
      'a big page of a site never visited',
      [{ ...browse, resultBytes: 2 * KiB * KiB, to: ['long-read.example'] }],
    ],
    [
      'a big page of a site never visited, where new sites are rare',
      [{ ...fetch, resultBytes: 2 * KiB * KiB, to: ['long-read.example'] }],
    ],
    [
      'big pages of several new sites one after the other',
      [
        { ...browse, resultBytes: 2 * KiB * KiB, to: ['a.example'] },
        { ...browse, resultBytes: 2 * KiB * KiB, to: ['b.example'] },
      ],
    ],
    [
      'a new send more than five calls after the spike',
      [
        bigExport,
        search,
        search,
        search,
        search,
        search,
        { ...upload, argumentsBytes: 90, to: ['late.example'] },
      ],
    ],
    [
      'a spike that is large only for a tiny tool',
      [
        { ...readTicket, resultBytes: 3 * KiB },
        { ...upload, to: ['x.example'] },
      ],
    ],
    ['a denied send', [bigExport, { ...toStranger, decision: 'deny' }]],
  ])('stays silent on %s', (_name, calls) => {
    expect(by(learned().session('benign', calls), 'exfil-spike')).toEqual([]);
  });

  it('is not taught by the attacks it alerts on', () => {
    const run = learned();
    for (let attempt = 0; attempt < 60; attempt += 1)
      expect(by(run.whole(`attack-${attempt}`, [bigExport, toStranger]), 'exfil-spike')).toHaveLength(1);
  });

  it('does not let one huge value hide the next one', () => {
    const run = learned();
    run.whole('yearly', [bigExport]);
    expect(by(run.session('attack', [bigExport, toStranger]), 'exfil-spike')).toHaveLength(1);
  });

  it('uses the baseline of the action class while a tool is new', () => {
    const alerts = learned().session('attack', [
      { tool: 'dump_all', resultBytes: 9 * KiB * KiB },
      toStranger,
    ]);
    expect(
      by(alerts, 'exfil-spike')
        .map(({ reason }) => reason)
        .join(),
    ).toMatch(/ the 99th percentile of tools like it.*drop\.example/);
  });
});
