import { lookup as dnsLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { BlockList, isIP } from 'node:net';

/** IANA special-purpose registries: never a webhook receiver, whatever is configured. */
const never = blockList(
  [
    '0.0.0.0/8',
    '192.0.0.0/24',
    '192.0.2.0/24',
    '198.51.100.0/24',
    '203.0.113.0/24',
    '224.0.0.0/4',
    '240.0.0.0/4',
  ],
  ['::/128', '100::/64', '2001:db8::/32', 'ff00::/8'],
);

/** Inside the host or the network, or a translation that may lead there: only with `allow_private_addresses`. */
const inside = blockList(
  [
    '10.0.0.0/8',
    '100.64.0.0/10',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '172.16.0.0/12',
    '192.168.0.0/16',
    '198.18.0.0/15',
  ],
  [
    '::1/128',
    '64:ff9b::/96',
    '64:ff9b:1::/48',
    '2001::/32',
    '2002::/16',
    'fc00::/7',
    'fe80::/10',
    'fec0::/10',
  ],
);

export interface AddressPolicy {
  readonly allowPrivate: boolean;
  /** Plain HTTP: private addresses only, so that alerts do not cross a public network in the clear. */
  readonly onlyPrivate: boolean;
}

/** Thrown before a connection is opened to an address the policy forbids. */
export class AddressRefused extends Error {
  constructor(address: string) {
    super(`address ${address} is not allowed for webhooks`);
    this.name = 'AddressRefused';
  }
}

export function addressAllowed(address: string, policy: AddressPolicy): boolean {
  const bare = address.replace(/%.*$/, '');
  const family = isIP(bare);
  if (family === 0) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  // IPv4-mapped IPv6 addresses are matched against the IPv4 rules.
  if (never.check(bare, type)) return false;
  return inside.check(bare, type) ? policy.allowPrivate : !policy.onlyPrivate;
}

type LookupCallback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

/**
 * A `lookup` for `net.connect` that resolves, checks every address, and hands on what was checked: the connection
 * goes to the checked address and not to the answer of a second query (DNS rebinding). One bad address refuses all.
 */
export function guardedLookup(policy: AddressPolicy) {
  return (hostname: string, options: LookupOptions, callback: LookupCallback): void => {
    dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, []);
        return;
      }
      const refused = addresses.find(({ address }) => !addressAllowed(address, policy));
      const [first] = addresses;
      if (refused !== undefined || first === undefined)
        callback(new AddressRefused(refused?.address ?? hostname), []);
      else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

function blockList(ipv4: readonly string[], ipv6: readonly string[]): BlockList {
  const list = new BlockList();
  for (const [ranges, type] of [
    [ipv4, 'ipv4'],
    [ipv6, 'ipv6'],
  ] as const)
    for (const range of ranges) {
      const [network = '', prefix] = range.split('/');
      list.addSubnet(network, Number(prefix), type);
    }
  return list;
}
