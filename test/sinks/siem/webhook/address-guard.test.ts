import { describe, expect, it } from 'vitest';
import { addressAllowed, guardedLookup } from '../../../../sinks/siem/webhook/address-guard.ts';

const publicOnly = { allowPrivate: false, onlyPrivate: false };
const everything = { allowPrivate: true, onlyPrivate: false };
const plainHttp = { allowPrivate: true, onlyPrivate: true };

describe('address guard', () => {
  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '198.18.0.1',
    '::1',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd12::1',
    '::ffff:10.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'fec0::1',
  ])('refuses the inside address %s unless it is allowed', (address) => {
    expect(addressAllowed(address, publicOnly)).toBe(false);
    expect(addressAllowed(address, everything)).toBe(true);
  });

  it.each([
    '0.0.0.0',
    '0.1.2.3',
    '224.0.0.1',
    '255.255.255.255',
    '240.0.0.1',
    '::',
    'ff02::1',
    '::ffff:0.0.0.0',
    '192.0.2.1',
    'not an address',
    '',
  ])('refuses %s always', (address) => expect(addressAllowed(address, everything)).toBe(false));

  it.each([
    '8.8.8.8',
    '172.32.0.1',
    '172.15.255.255',
    '100.63.255.255',
    '100.128.0.0',
    '169.253.0.1',
    '11.0.0.1',
    '2606:4700::1111',
  ])('allows the public address %s, but not for plain HTTP', (address) => {
    expect(addressAllowed(address, publicOnly)).toBe(true);
    expect(addressAllowed(address, plainHttp)).toBe(false);
  });

  it('hands on only addresses it has checked, in both forms of lookup', async () => {
    const lookup = (policy: typeof publicOnly, all: boolean) =>
      new Promise((resolve) => {
        guardedLookup(policy)('localhost', { all }, (error, address, family) =>
          resolve(error ?? { address, family }),
        );
      });
    expect(await lookup(publicOnly, true)).toMatchObject({ name: 'AddressRefused' });
    expect(await lookup(publicOnly, false)).toMatchObject({ name: 'AddressRefused' });
    expect(await lookup(everything, false)).toMatchObject({
      address: expect.stringMatching(/^(127\.0\.0\.1|::1)$/) as string,
    });
    expect(await lookup(everything, true)).toMatchObject({
      address: [{ address: expect.stringMatching(/^(127\.0\.0\.1|::1)$/) as string }],
    });
  });
});
