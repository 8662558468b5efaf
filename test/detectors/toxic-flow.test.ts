import { describe, expect, it } from 'vitest';
import { toxicFlow } from '../../detectors/toxic-flow.ts';
import { alertSchema } from '../../schemas/alert.ts';
import { enforce, holding, repeat, settle, showing, tenantBytes } from './content-events.ts';
import { callEvent, detectConfig, runner, type Call } from './sessions.ts';

const starting = () => runner(detectConfig(), { detectors: [toxicFlow(detectConfig().toxic_flow)] });
const read: Call = { tool: 'read_mail', server: 'mail' };
const send: Call = { tool: 'send_mail', server: 'mail', action: 'egress', to: ['customer.example'] };
const remove: Call = { tool: 'delete_file', server: 'files', action: 'write' };
const instructed = showing(read, { shapes: { instruction: 1 } });
const learned = () => {
  const run = starting();
  repeat(run, 22, () => [read, send]);
  return run;
};
const elsewhere = (from: number): Call => holding({ ...send, to: ['evil.example'] }, { from: { 'evil.example': from } });

describe('toxic-flow', () => {
  it('alerts high when a call goes where a result with instructions pointed', () => {
    const [alert, ...more] = starting().session('s', [instructed, elsewhere(0)]);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ title: 'The agent did what a result told it', severity: 'high' });
    expect(alert?.reason).toContain('mail/send_mail (call 2), sends out, took evil.example from the result of mail/read_mail (call 1)');
    expect(alert?.evidence).toHaveLength(2);
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('alerts high when a value of a destructive call came from it', () => {
    const call = holding(remove, { values: { path: [24, 0] } });
    expect(starting().session('s', [instructed, call])).toMatchObject([{ severity: 'high' }]);
  });

  it('says less when the source is one strangers do not write, or the call was refused', () => {
    const call = holding(remove, { values: { path: [24, 0] } });
    expect(starting().session('s', [instructed, { ...call, decision: 'deny' }])).toMatchObject([{ severity: 'medium' }]);
    const run = starting();
    enforce(run, { servers: [{ name: 'mail', tools: [{ name: 'read_mail', open_world: false }] }] });
    expect(run.session('s', [instructed, call])).toMatchObject([{ severity: 'medium' }]);
  });

  it('only notes the order without a flow', () => {
    expect(starting().session('s', [instructed, remove])).toMatchObject([
      { title: 'Powerful call after a result that gave instructions', severity: 'low' },
    ]);
  });

  it('alerts high on sensitive data sent to a new place that a stranger named', () => {
    const call = holding(elsewhere(0), { findings: { iban: 1 }, from: { 'evil.example': 0 } });
    expect(learned().session('s', [read, call])).toMatchObject([
      { title: 'Sensitive data sent where a stranger pointed', severity: 'high' },
    ]);
  });

  it('notes a session with untrusted input, sensitive data and a send; more when the data goes to a new place', () => {
    const secret = showing({ tool: 'read_file', server: 'files' }, { findings: { aws_key: 1 } });
    expect(learned().session('s', [read, secret, send])).toMatchObject([{ severity: 'low' }]);
    const call = holding({ ...send, to: ['new.example'] }, { values: { body: [30, 1] } });
    expect(learned().session('s', [read, secret, call])).toMatchObject([{ severity: 'medium' }]);
  });

  it.each<[string, readonly Call[]]>([
    ['an answer to a mail', [read, holding(send, { values: { to: [20, 0] }, from: { 'customer.example': 0 } })]],
    ['a new place out of a mail without instructions', [read, elsewhere(0)]],
    ['a read that follows instructions', [instructed, holding({ tool: 'read_file', server: 'files' }, { values: { path: [20, 0] } })]],
    ['instructions that come after the call', [send, instructed]],
    ['a plain request in a mail', [showing(read, { shapes: { imperative: 2 } }), holding(remove, { values: { path: [24, 0] } })]],
  ])('stays silent on %s', (_name, calls) => {
    expect(learned().session('s', calls)).toEqual([]);
  });

  it('tells no flow from a value that is equal by chance', () => {
    const call = holding(send, { values: { n: [2, 0] } });
    expect(learned().session('s', [instructed, call])).toMatchObject([{ severity: 'low' }]);
  });

  it('judges the same when the engine restarts within the session', () => {
    const run = starting();
    run.session('s', [instructed]);
    run.restart();
    expect(run.send(callEvent('acme', 's', 1, run.now(), elsewhere(0)))).toMatchObject([{ severity: 'high' }]);
  });

  it('stays bounded under a flood of instructions', () => {
    const run = starting();
    for (let index = 0; index < 60; index += 1)
      run.session(`flood ${index}`, Array.from({ length: 100 }, (_, at) => ({ ...instructed, to: [`h${index}-${at}.example`] })));
    settle(run);
    expect(tenantBytes(run)).toBeLessThan(200_000);
  });
});
