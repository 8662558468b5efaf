import { networkOf, parseBlock } from '../registry/address.ts';
import { boundedMemo } from '../registry/bounded-memo.ts';

/** Where no request from an agent should end up by accident. */
export type AddressClass = 'metadata' | 'link_local' | 'loopback' | 'private';

/** Services that hand out the credentials of the machine they run on, by the clouds' own documentation. */
const metadataNames = new Set([
  'metadata.google.internal',
  'metadata.goog',
  'metadata',
  'instance-data',
  'instance-data.ec2.internal',
  'metadata.tencentyun.com',
  'metadata.azure.internal',
  'rancher-metadata',
]);
const metadataAddresses = new Set(
  [
    '169.254.169.254', // AWS, Azure, GCP, OpenStack, DigitalOcean, Oracle
    '169.254.170.2', // AWS ECS task credentials
    '169.254.170.23', // AWS EKS pod identity
    '169.254.169.253', // AWS resolver
    '169.254.169.123', // AWS time
    '100.100.100.200', // Alibaba
    '168.63.129.16', // Azure wire server
    '192.0.0.192', // Oracle
  ].map((address) => parseBlock(address)?.bits),
);
const metadataV6 = new Set(['fd00:ec2::254', 'fd20:ce::254'].map((address) => parseBlock(address)?.bits));

const blocks: readonly (readonly [string, AddressClass])[] = [
  ['0.0.0.0/8', 'loopback'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link_local'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'private'],
  ['172.16.0.0/12', 'private'],
  ['192.168.0.0/16', 'private'],
  ['::/128', 'loopback'],
  ['::1/128', 'loopback'],
  ['fe80::/10', 'link_local'],
  ['fc00::/7', 'private'],
];
const networks = blocks.flatMap(([text, addressClass]) => {
  const block = parseBlock(text);
  return block === undefined ? [] : [{ ...block, addressClass }];
});

/** Names under these are resolved to the address that is part of the name. */
const wildcardDns = /^(?:.*[.-])?(\d{1,3})[.-](\d{1,3})[.-](\d{1,3})[.-](\d{1,3})\.(?:nip|sslip|xip)\.io$/;

const memo = boundedMemo<AddressClass | undefined>();

/** Class of a host or address as events name it (hostile); `undefined` for any public place. */
export function addressClass(destination: string): AddressClass | undefined {
  if (destination.length > 256 || destination.includes('@')) return undefined;
  return memo(destination, () => classify(destination));
}

function classify(destination: string): AddressClass | undefined {
  const host = destination
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^\[(.*)\]$/, '$1');
  if (metadataNames.has(host)) return 'metadata';
  if (host === 'localhost' || host.endsWith('.localhost') || host === 'localhost.localdomain')
    return 'loopback';
  const embedded = wildcardDns.exec(host);
  if (embedded !== null) return ofAddress(embedded.slice(1, 5).join('.'));
  return ofAddress(host.includes(':') ? (host.split('%')[0] ?? '') : (dottedOf(host) ?? host));
}

const v4Prefixes = [0xffffn, 0n];
const nat64 = parseBlock('64:ff9b::')?.bits ?? 0n;

function ofAddress(text: string): AddressClass | undefined {
  const address = parseBlock(text);
  if (address === undefined || address.prefixBits !== address.widthBits) return undefined;
  const { bits, widthBits } = address;
  if (widthBits === 128) {
    if (metadataV6.has(bits)) return 'metadata';
    // IPv4-mapped (RFC 4291 §2.5.5.2), IPv4-compatible, and the well-known NAT64 prefix (RFC 6052) carry an IPv4 address.
    const prefix = bits >> 32n;
    const carried = (v4Prefixes.includes(prefix) && bits > 1n) || prefix === nat64 >> 32n;
    if (carried) return ofV4(bits & 0xffffffffn);
    return ofNetworks(bits, 128);
  }
  return ofV4(bits);
}

function ofV4(bits: bigint): AddressClass | undefined {
  return metadataAddresses.has(bits) ? 'metadata' : ofNetworks(bits, 32);
}

function ofNetworks(bits: bigint, width: 32 | 128): AddressClass | undefined {
  return networks.find(
    ({ widthBits, prefixBits, bits: network }) =>
      widthBits === width && networkOf(bits, width, prefixBits) === network,
  )?.addressClass;
}

/** `127.1`, `2130706433`, `0x7f.0.0.1` and `0177.0.0.1` in the usual form, as inet_aton(3) and URL parsers read them. */
function dottedOf(host: string): string | undefined {
  const parts = host.split('.');
  if (parts.length > 4 || !parts.every((part) => /^(?:0x[0-9a-f]{1,8}|\d{1,11})$/.test(part)))
    return undefined;
  const numbers = parts.map((part) =>
    part.startsWith('0x') ? parseInt(part, 16) : /^0[0-7]+$/.test(part) ? parseInt(part, 8) : Number(part),
  );
  const last = numbers.pop() ?? 0;
  if (numbers.some((number) => number > 255) || last >= 256 ** (4 - numbers.length)) return undefined;
  let value = last;
  numbers.forEach((number, index) => (value += number * 256 ** (3 - index)));
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}
