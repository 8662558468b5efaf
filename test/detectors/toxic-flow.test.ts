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
const elsewhere = (from: number): Call =>
  holding({ ...send, to: ['evil.example'] }, { from: { 'evil.example': from } });

describe('toxic-flow', () => {
  it('alerts high when a call goes where a result with instructions pointed', () => {
    const [alert, ...more] = starting().session('s', [instructed, elsewhere(0)]);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ title: 'The agent did what a result told it', severity: 'high' });
    expect(alert?.reason).toContain(
      'mail/send_mail (call 2), sends out, took evil.example from the result of mail/read_mail (call 1)',
    );
    expect(alert?.evidence).toHaveLength(2);
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('alerts high when a value of a destructive call came from it', () => {
    const call = holding(remove, { values: { path: [24, 0] } });
    expect(starting().session('s', [instructed, call])).toMatchObject([{ severity: 'high' }]);
  });

  it('says less when the source is one strangers do not write, or the call was refused', () => {
    const call = holding(remove, { values: { path: [24, 0] } });
    expect(starting().session('s', [instructed, { ...call, decision: 'deny' }])).toMatchObject([
      { severity: 'medium' },
    ]);
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

  it('only notes an answer to whoever asked where that is what agents here do', () => {
    const asking = showing(read, { shapes: { imperative: 1 } });
    const answer = (host: string) => holding({ ...send, to: [host] }, { from: { [host]: 0 } });
    const run = starting();
    // One session in six that hears a request follows it: not yet a habit.
    repeat(run, 24, (index) => [asking, index % 6 === 0 ? answer(`guest-${index}.example`) : send]);
    expect(run.session('rare', [asking, answer('stranger.example')])).toMatchObject([
      { title: "A stranger's request decided a call", severity: 'medium' },
    ]);
    const office = starting();
    repeat(office, 22, (index) => [asking, index % 3 === 0 ? answer(`guest-${index}.example`) : send]);
    expect(office.session('usual', [asking, answer('stranger.example')])).toMatchObject([
      { severity: 'low' },
    ]);
    // What a result orders, and what it may not have, is no habit.
    expect(office.session('ordered', [instructed, answer('other.example')])).toMatchObject([
      { severity: 'high' },
    ]);
    const leak = holding(answer('third.example'), { findings: { iban: 1 }, from: { 'third.example': 0 } });
    expect(office.session('leak', [asking, leak])).toMatchObject([{ severity: 'high' }]);
  });

  it('notes untrusted input, sensitive data and a new place in one session; more when part of the data goes there', () => {
    const secret = showing({ tool: 'read_file', server: 'files' }, { findings: { aws_key: 1 } });
    const away: Call = { ...send, to: ['new.example'] };
    expect(learned().session('s', [read, secret, away])).toMatchObject([{ severity: 'low' }]);
    const part = holding(away, { values: { body: [60, 1] } });
    expect(learned().session('s', [read, secret, part])).toMatchObject([
      { title: 'Untrusted input, sensitive data and an action outside in one session', severity: 'medium' },
    ]);
    const address = holding(away, { values: { to: [12, 1] } });
    expect(learned().session('s', [read, secret, address])).toMatchObject([{ severity: 'low' }]);
  });

  it('alerts when a page asked for credentials and an earlier result gives them', () => {
    const page: Call = { tool: 'open_page', server: 'web' };
    const asking = showing(page, { shapes: { credential_prompt: 1 } });
    const keys = showing({ tool: 'read_file', server: 'files' }, { findings: { secret: 1 } });
    const fill: Call = { tool: 'fill_form', server: 'web', action: 'write' };
    const given = holding(fill, { values: { 'fields[]': [14, 0] } });
    expect(learned().session('s', [keys, asking, given])).toMatchObject([
      { title: 'Credentials given where a result asked for them', severity: 'medium' },
    ]);
    expect(learned().session('t', [keys, page, given])).toEqual([]);
    expect(
      learned().session('u', [keys, asking, holding(fill, { values: { 'fields[]': [14, 'prompt'] } })]),
    ).toEqual([]);
    expect(
      learned().session('v', [
        asking,
        holding({ ...fill, server: 'crm' }, { values: { 'fields[]': [14, 0] } }),
      ]),
    ).toEqual([]);
  });

  it("alerts when a stranger's request decides what is removed, or names a new place", () => {
    const request = showing(read, { shapes: { imperative: 1 } });
    const removal = holding(remove, { values: { path: [24, 0] } });
    expect(learned().session('s', [request, removal])).toMatchObject([
      { title: "A stranger's request decided a call", severity: 'medium' },
    ]);
    expect(learned().session('t', [request, elsewhere(0)])).toMatchObject([{ severity: 'medium' }]);
    expect(starting().session('u', [request, elsewhere(0)])).toMatchObject([{ severity: 'low' }]);
  });

  it.each<[string, readonly Call[]]>([
    [
      'an answer to a mail',
      [read, holding(send, { values: { to: [20, 0] }, from: { 'customer.example': 0 } })],
    ],
    ['a new place out of a mail without instructions', [read, elsewhere(0)]],
    [
      'a read that follows instructions',
      [instructed, holding({ tool: 'read_file', server: 'files' }, { values: { path: [20, 0] } })],
    ],
    ['instructions that come after the call', [send, instructed]],
    [
      'a plain request in a mail that is answered',
      [
        showing(read, { shapes: { imperative: 2 } }),
        holding(send, { values: { to: [20, 0] }, from: { 'customer.example': 0 } }),
      ],
    ],
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
    expect(run.send(callEvent('acme', 's', 1, run.now(), elsewhere(0)))).toMatchObject([
      { severity: 'high' },
    ]);
  });

  it('stays bounded under a flood of instructions', () => {
    const run = starting();
    for (let index = 0; index < 60; index += 1)
      run.session(
        `flood ${index}`,
        Array.from({ length: 100 }, (_, at) => ({ ...instructed, to: [`h${index}-${at}.example`] })),
      );
    settle(run);
    expect(tenantBytes(run)).toBeLessThan(200_000);
  });
});
