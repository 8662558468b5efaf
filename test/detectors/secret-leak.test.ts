import { describe, expect, it } from 'vitest';
import { secretLeak } from '../../detectors/secret-leak.ts';
import { alertSchema } from '../../schemas/alert.ts';
import { enforce, holding, repeat, settle, showing, tenantBytes } from './content-events.ts';
import { detectConfig, runner, type Call } from './sessions.ts';

const starting = () => runner(detectConfig(), { detectors: [secretLeak(detectConfig().secret_leak)] });
const send: Call = { tool: 'send', server: 'mail', action: 'egress', to: ['customer.example'] };
const read: Call = { tool: 'read_file', server: 'files' };
const key = { aws_key: 1 };
const learned = (...usual: readonly Call[]) => {
  const run = starting();
  repeat(run, 22, () => usual);
  return run;
};

describe('secret-leak', () => {
  it('alerts high on a secret sent to a place no session has used', () => {
    const run = starting();
    repeat(run, 105, () => [read, send]);
    const [shown, sent, ...more] = run.session('s', [
      showing(read, { findings: key }),
      holding({ ...send, to: ['evil.example'] }, { findings: key }),
    ]);
    expect(more).toEqual([]);
    expect(shown).toMatchObject({ title: 'Secret in a result', severity: 'medium' });
    expect(sent).toMatchObject({ title: 'Secret sent out', severity: 'high' });
    expect(sent?.reason).toContain('1 aws_key, sent to evil.example, which no earlier session used');
    expect(sent?.reason).toContain('a result of files/read_file showed such a secret before');
    expect(sent?.evidence).toHaveLength(2);
    expect(alertSchema.parse(sent)).toEqual(sent);
  });

  it('alerts high on a secret sent to a vendor, known place or not', () => {
    const run = learned(send);
    enforce(run, { zones: [{ name: 'partner', trust: 'vendor', destinations: ['customer.example'] }] });
    expect(run.session('s', [holding(send, { findings: key })])).toMatchObject([{ severity: 'high' }]);
  });

  it.each<[string, Call]>([
    ['to a known place', holding(send, { findings: key })],
    [
      'that the user gave',
      holding({ ...send, to: ['new.example'] }, { findings: key, values: { body: [40, 'prompt'] } }),
    ],
    ['that was refused', holding({ ...send, to: ['new.example'], decision: 'deny' }, { findings: key })],
  ])('only notes a secret %s', (_name, call) => {
    expect(learned(send).session('s', [call])).toMatchObject([{ severity: 'low' }]);
  });

  it('stays silent on a tool that always carries a credential, until it goes elsewhere', () => {
    const request = holding(
      { tool: 'api', server: 'http', action: 'egress', to: ['api.example'] },
      { findings: { authorization: 1 } },
    );
    const run = learned(request);
    expect(run.session('s', [request])).toEqual([]);
    expect(run.session('t', [{ ...request, to: ['evil.example'] }])).toMatchObject([{ severity: 'medium' }]);
  });

  it.each<[string, Call]>([
    [
      'a secret for a tool that keeps it',
      holding({ tool: 'log_in', server: 'app' }, { findings: { secret: 1 } }),
    ],
    ['an address of mail sent out', holding({ ...send, to: ['new.example'] }, { findings: { email: 2 } })],
    ['nothing found', holding({ ...send, to: ['new.example'] }, { findings: {} })],
  ])('stays silent on %s', (_name, call) => {
    expect(learned(send).session('s', [call])).toEqual([]);
  });

  it('notes a secret in a result while it learns, and keeps quiet where secrets are the business', () => {
    const vault = showing({ tool: 'get_secret', server: 'vault' }, { findings: { secret: 1 } });
    const run = starting();
    expect(run.session('s', [vault])).toMatchObject([{ severity: 'low' }]);
    repeat(run, 22, () => [vault]);
    expect(run.session('t', [vault])).toEqual([]);
  });

  it('alerts on far more personal data than the tool ever shows', () => {
    const list = (count: number) =>
      showing({ tool: 'list_people', server: 'hr' }, { findings: { email: count } });
    const run = learned(list(8));
    expect(run.session('a', [list(49)])).toEqual([]);
    const [alert] = run.session('b', [list(400)]);
    expect(alert).toMatchObject({ title: 'Far more personal data than usual', severity: 'medium' });
    expect(alert?.observed).toBe('400 pieces of personal data in the result of hr/list_people');
  });

  it('alerts when a policy decided to redact and the secret is still there', () => {
    const redacted = showing({ ...read, decision: 'redact' }, { findings: { iban: 1 } });
    expect(starting().session('s', [redacted])).toMatchObject([
      { title: 'Redaction is missing', severity: 'medium' },
    ]);
    const claimed = showing(
      { ...read, change: (event) => ({ ...event, pii: { count: 3 } }) },
      { findings: { iban: 1 } },
    );
    expect(starting().session('s', [claimed])).toMatchObject([
      { title: 'Redaction is missing', severity: 'low' },
    ]);
    expect(
      starting().session('s', [showing({ ...read, decision: 'redact' }, { findings: { email: 1 } })]),
    ).toEqual([]);
  });

  it('judges the same after a restart', () => {
    const run = learned(send);
    run.restart();
    expect(run.session('s', [holding({ ...send, to: ['evil.example'] }, { findings: key })])).toMatchObject([
      { severity: 'high' },
    ]);
  });

  it('stays bounded under a flood of tools and places', () => {
    const run = starting();
    for (let index = 0; index < 60; index += 1)
      run.session(
        `flood ${index}`,
        Array.from({ length: 100 }, (_, at) =>
          showing({ tool: `t${index}-${at}`, to: [`h${index}-${at}.example`] }, { findings: { email: at } }),
        ),
      );
    settle(run);
    expect(tenantBytes(run)).toBeLessThan(500_000);
  });
});
