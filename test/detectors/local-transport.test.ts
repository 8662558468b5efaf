import { describe, expect, it } from 'vitest';
import { localTransport } from '../../detectors/local-transport.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { only } from './one-detector.ts';

const start = () => only(localTransport());
const call = (network: CustodyEvent['network'], more: Partial<CustodyEvent> = {}, run = start()) =>
  run.call(
    's',
    { tool: 'read_file', server: 'files' },
    { ...(network === undefined ? {} : { network }), ...more },
  );
const stdio: Partial<CustodyEvent> = { mcp: { transport: 'stdio' } };

describe('local-transport', () => {
  it.each<[string, CustodyEvent['network'], Partial<CustodyEvent>, string, string]>([
    [
      'a stdio server that listens everywhere',
      { bind_address: '0.0.0.0:8000' },
      stdio,
      'Local server open to the network',
      'high',
    ],
    [
      'an unregistered server that listens everywhere',
      { bind_address: '::' },
      {},
      'Local server open to the network',
      'medium',
    ],
    [
      'an unregistered server on an address of the network',
      { bind_address: '10.0.0.7' },
      {},
      'Local server open to the network',
      'low',
    ],
    [
      'a foreign page',
      { bind_address: '127.0.0.1', origin: 'https://evil.example' },
      {},
      'Local server called from a foreign page',
      'high',
    ],
    [
      'a foreign name',
      { bind_address: '127.0.0.1:3000', host: 'rebind.evil.example:3000' },
      {},
      'Local server addressed by a foreign name',
      'high',
    ],
    [
      'a name that only begins like localhost',
      { bind_address: '::1', host: 'localhost.evil.example' },
      {},
      'Local server addressed by a foreign name',
      'high',
    ],
    [
      'a sandboxed page',
      { host: 'localhost:3000', origin: 'null' },
      {},
      'Local server called from a browser',
      'medium',
    ],
    [
      'a browser extension',
      { host: '[::1]:3000', origin: 'chrome-extension://abc' },
      {},
      'Local server called from a browser',
      'medium',
    ],
    [
      'a page of this machine',
      { host: '127.0.0.1:3000', origin: 'http://localhost:6274' },
      {},
      'Local server called from a browser',
      'info',
    ],
  ])('tells of %s', (_what, network, more, title, severity) => {
    expect(call(network, more).map((alert) => [alert.title, alert.severity])).toEqual([[title, severity]]);
  });

  it.each<[string, CustodyEvent['network'], Partial<CustodyEvent>]>([
    ['a server on loopback', { bind_address: '127.0.0.1:8000', host: 'localhost:8000' }, {}],
    ['loopback in IPv6', { bind_address: '[::1]:8000', host: '[::1]:8000' }, stdio],
    ['an editor', { host: 'localhost:3000', origin: 'vscode-webview://1a2b' }, {}],
    ['a call without network facts', undefined, stdio],
    [
      'a server of the network with an origin',
      { host: 'mcp.vendor.example', origin: 'https://app.vendor.example' },
      {},
    ],
  ])('stays silent on %s', (_what, network, more) => {
    expect(call(network, more)).toEqual([]);
  });

  it('leaves servers alone that the registry lists with a network transport', () => {
    const run = start();
    run.decide({ servers: [{ name: 'files', transports: ['http'] }] });
    expect(
      call({ bind_address: '0.0.0.0', origin: 'https://app.example', host: 'files.example' }, {}, run),
    ).toEqual([]);
  });

  it('holds a server that is registered as stdio to it', () => {
    const run = start();
    run.decide({ servers: [{ name: 'files', transports: ['stdio'] }] });
    expect(call({ bind_address: '192.0.2.7' }, {}, run).map(({ severity }) => severity)).toEqual(['high']);
  });

  it('survives whatever stands in the headers', () => {
    for (const text of [
      '',
      ':',
      '::',
      '[',
      '[]',
      ']:1',
      'a'.repeat(256),
      '127.0.0.1.evil.example',
      'http://',
    ])
      expect(() =>
        call({ bind_address: text || ' ', origin: text || ' ', host: text || ' ' }, stdio),
      ).not.toThrow();
    expect(call({ host: '127.0.0.1.evil.example' }, stdio)).toHaveLength(1);
  });
});
