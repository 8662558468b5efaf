import { describe, expect, it } from 'vitest';
import { supplyChain } from '../../detectors/supply-chain.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { only, stateBytes, times } from './one-detector.ts';
import { detectConfig, type Call } from './sessions.ts';

const start = () => only(supplyChain(detectConfig().supply_chain));
const read: Call = { tool: 'read', server: 'files' };
const of = (version: string): Partial<CustodyEvent> => ({ server: { name: 'files', version } });
const scanned = (
  supply_chain: NonNullable<CustodyEvent['supply_chain']>,
): Partial<CustodyEvent> & { kind: 'registry' } => ({
  kind: 'registry',
  server: { name: 'files' },
  supply_chain,
});
const told = (alerts: readonly { title: string; severity: string }[]) =>
  alerts.map(({ title, severity }) => `${severity} ${title}`);
const hourMs = 3_600_000;

describe('the version of a server', () => {
  it('is told when it changes, once', () => {
    const run = start();
    expect(run.call('s', read, of('1.0'))).toEqual([]);
    expect(told(run.call('t', read, of('1.1')))).toEqual(['low Server version changed']);
    expect(run.call('u', read, of('1.1'))).toEqual([]);
  });

  it('is told as unapproved where the registry lists others', () => {
    const run = start();
    run.decide({ servers: [{ name: 'files', versions: ['1.0', '1.1'] }] });
    expect(run.call('s', read, of('1.0'))).toEqual([]);
    expect(run.call('t', read, of('1.1'))).toEqual([]);
    expect(told(run.call('u', read, of('6.6')))).toEqual(['medium Server version that nobody approved']);
    const [alert] = start().call('u', read, of('6.6'));
    expect(alert).toBeUndefined();
  });

  it('is told when it goes back and forth, not while an upgrade rolls', () => {
    const run = start();
    const alerts = times(4, (index) => {
      run.wait(hourMs);
      return run.call('s', read, of(index % 2 === 0 ? '1.0' : '1.1'));
    }).flat();
    expect(told(alerts)).toEqual(['low Server version changed', 'medium Server version goes back and forth']);
    const rolling = start();
    const quiet = times(30, (index) => rolling.call('s', read, of(index % 2 === 0 ? '1.0' : '1.1'))).flat();
    expect(told(quiet)).toEqual(['low Server version changed']);
  });
});

describe('what a scanner says', () => {
  it.each<[string, NonNullable<CustodyEvent['supply_chain']>, string]>([
    ['a bad signature', { package: 'p', signature: 'bad' }, 'high Package with a bad signature'],
    [
      'critical findings',
      { package: 'p', critical_count: 2 },
      'medium Critical findings in a server that is in use',
    ],
    ['a deprecated package', { package: 'p', deprecated: true }, 'low Deprecated package in use'],
  ])('is told of a server in use: %s', (_what, supply, expected) => {
    const run = start();
    run.call('s', read);
    expect(told(run.tell(scanned(supply)))).toEqual([expected]);
    expect(run.tell(scanned(supply))).toEqual([]);
  });

  it('waits with findings until the server is called', () => {
    const run = start();
    expect(run.tell(scanned({ package: 'p', critical_count: 2 }))).toEqual([]);
    expect(told(run.call('s', read))).toEqual(['medium Critical findings in a server that is in use']);
  });

  it('minds a missing signature only where one is required', () => {
    const run = start();
    expect(run.tell(scanned({ signature: 'unsigned' }))).toEqual([]);
    run.decide({ servers: [{ name: 'files', requires_signature: true }] });
    expect(told(run.tell(scanned({ signature: 'unsigned' })))).toEqual([
      'high Unsigned package where a signature is required',
    ]);
    expect(run.tell(scanned({ signature: 'verified' }))).toEqual([]);
  });

  it('minds other dependencies under the same version, not under a new one', () => {
    const lock = (package_version: string, lockfile_digest: string) =>
      scanned({ package: 'p', package_version, lockfile_digest });
    const run = start();
    run.tell(lock('1.0', 'aa'));
    expect(run.tell(lock('1.0', 'aa'))).toEqual([]);
    expect(told(run.tell(lock('1.1', 'bb')))).toEqual(['low Package version changed']);
    expect(told(run.tell(lock('1.1', 'cc')))).toEqual(['medium Dependencies changed under the same version']);
  });
});

it('keeps its state bounded and over a restart', () => {
  const run = start();
  times(2000, (index) => run.call('s', read, { server: { name: `s${index}`, version: '1' } }));
  run.call('s', read, of('1.0'));
  run.restart();
  expect(told(run.call('t', read, of('1.1')))).toEqual(['low Server version changed']);
  expect(stateBytes(run)).toBeLessThan(300_000);
});
