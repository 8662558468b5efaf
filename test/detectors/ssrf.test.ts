import { describe, expect, it } from 'vitest';
import { addressClass } from '../../detectors/content/address-class.ts';
import { ssrf } from '../../detectors/ssrf.ts';
import { alertSchema } from '../../schemas/alert.ts';
import { enforce, holding, repeat, settle, tenantBytes } from './content-events.ts';
import { detectConfig, runner, type Call } from './sessions.ts';

const starting = (changes: Record<string, unknown> = {}) =>
  runner(detectConfig(), { detectors: [ssrf(detectConfig({ ssrf: changes }).ssrf)] });
const fetch = (host: string): Call => ({ tool: 'fetch', server: 'web', action: 'egress', to: [host] });
const learned = (changes: Record<string, unknown> = {}) => {
  const run = starting(changes);
  repeat(run, 22, () => [fetch('shop.example')]);
  return run;
};

describe('ssrf', () => {
  it.each([
    '169.254.169.254',
    'metadata.google.internal',
    '2852039166',
    '0xa9fea9fe',
    '169.254.169.254.nip.io',
  ])('alerts high on a request to the metadata service as %s, from the first session on', (host) => {
    const [alert, ...more] = starting().session('s', [fetch(host)]);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ title: 'Request to a metadata service', severity: 'high' });
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('alerts medium on a private address no session has used, at a tool that sends out', () => {
    expect(learned().session('s', [fetch('10.0.0.7')])).toMatchObject([{ severity: 'medium' }]);
  });

  it('notes the same at a tool that sends nothing, and while it learns', () => {
    const reading: Call = { tool: 'query', server: 'db', to: ['10.0.0.7'] };
    expect(learned().session('s', [reading])).toMatchObject([{ severity: 'low' }]);
    expect(starting().session('s', [fetch('10.0.0.7')])).toMatchObject([{ severity: 'low' }]);
  });

  it('takes the word of the collector for an encoded address', () => {
    const call = holding(
      { tool: 'fetch', server: 'web', action: 'egress' },
      { shapes: { ssrf_metadata: 1 } },
    );
    expect(starting().session('s', [call])).toMatchObject([{ severity: 'high' }]);
  });

  it('names where the address came from', () => {
    const call = holding(fetch('169.254.169.254'), { from: { '169.254.169.254': 0 } });
    const [alert] = starting().session('s', [{ tool: 'read_mail', server: 'mail' }, call]);
    expect(alert?.reason).toContain('came from the result of mail/read_mail (untrusted)');
    expect(alert?.evidence).toHaveLength(2);
  });

  it.each<[string, string, NonNullable<Call['action']>]>([
    ['low', 'a document or an issue that is written', 'write'],
    ['low', 'a question to a search', 'read'],
    ['medium', 'a tool that sends out', 'egress'],
    ['medium', 'a tool of which nobody knows what it does', 'unknown'],
    ['high', 'a command', 'execute'],
  ])('is %s where the address is only mentioned in the text of %s', (severity, _, action) => {
    const call: Call = {
      tool: 'tool',
      server: 's',
      action,
      to: ['169.254.169.254'],
      change: (event) => ({
        ...event,
        destination_origins: [{ destination: '169.254.169.254', addressed: false }],
      }),
    };
    expect(starting().session('s', [call])).toMatchObject([{ severity }]);
  });

  it('says less of what was refused', () => {
    const refused: Call = { ...fetch('169.254.169.254'), decision: 'deny' };
    expect(starting().session('s', [refused])).toMatchObject([{ severity: 'medium' }]);
  });

  it('stays silent on public places, on allowed ones and on private ones that are in use', () => {
    expect(learned().session('s', [fetch('new.example'), fetch('8.8.8.8'), fetch('172.32.0.1')])).toEqual([]);
    expect(learned({ allow: ['10.0.0.0/8'] }).session('s', [fetch('10.0.0.7')])).toEqual([]);
    const run = starting();
    repeat(run, 22, () => [fetch('10.0.0.7')]);
    expect(run.session('s', [fetch('10.0.0.7')])).toEqual([]);
  });

  it('stays silent on private addresses of a zone of ours, but not on the metadata service in it', () => {
    const run = learned();
    enforce(run, {
      zones: [{ name: 'office', trust: 'internal', destinations: ['10.0.0.0/8', '169.254.0.0/16'] }],
    });
    expect(run.session('s', [fetch('10.0.0.7')])).toEqual([]);
    expect(run.session('t', [fetch('169.254.169.254')])).toHaveLength(1);
  });

  it.each([
    ['localhost', 'loopback'],
    ['127.1', 'loopback'],
    ['[::1]', 'loopback'],
    ['::ffff:169.254.169.254', 'metadata'],
    ['64:ff9b::a9fe:a9fe', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['fe80::1%eth0', 'link_local'],
    ['0300.0250.1.1', 'private'],
    ['192.168.1.1', 'private'],
    ['172.15.0.1', undefined],
    ['11.0.0.1', undefined],
    ['mail.example', undefined],
    ['1.2.3.4.5', undefined],
    ['999.1.1.1', undefined],
    [':'.repeat(200), undefined],
  ])('reads %s as %s', (host, expected) => {
    expect(addressClass(host)).toBe(expected);
  });

  it('keeps what it knows of places bounded under a flood of them', () => {
    const run = starting();
    for (let index = 0; index < 400; index += 1)
      run.session(`flood ${index}`, [
        { ...fetch('x'), to: Array.from({ length: 32 }, (_, at) => `h${index}-${at}.example`) },
      ]);
    settle(run);
    expect(tenantBytes(run)).toBeLessThan(200_000);
  });
});
