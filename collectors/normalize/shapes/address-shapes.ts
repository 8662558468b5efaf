import { addShape, type ShapeCounts } from './shape.ts';

/** How many addresses of one text are looked at. */
const ADDRESSES_MAX = 64;
const AUTHORITY = /:\/\/(?:[^\s/?#@"'<>]{0,256}@)?(\[[0-9a-z:.%]{2,64}\]|[^\s/?#:"'<>\\()[\]{},;]{1,253})/gi;
/** Whole text is a host, perhaps with port and path. */
const BARE_HOST =
  /^\s*(?:\/\/)?(\[[0-9a-z:.%]{2,64}\]|[0-9a-f:]{2,45}|[a-z0-9.-]{1,253})(?::\d{1,5})?(?:[/?#]\S{0,2048})?\s*$/i;
/** Nobody mentions these in passing. */
const TELLING =
  /169\.254\.\d{1,3}\.\d{1,3}|metadata\.goog(?:le\.internal)?|fd00:ec2::254|100\.100\.100\.200/gi;

/** Text without any of these holds no such address. */
const MAY_BE_ADDRESS =
  /:\/\/|::|\d\.\d|0x[0-9a-f]{2}|\d{8}|localhost|metadata|instance-data|localtest|f[ce]\w{0,2}:/i;

const METADATA_NAMES = new Set([
  ...['metadata.google.internal', 'metadata.goog', 'metadata', 'instance-data', 'metadata.tencentyun.com'],
  ...['instance-data.ec2.internal', 'metadata.azure.internal', 'metadata.packet.net'],
]);
/** 169.254.169.254; Alibaba's, Oracle's and the container metadata of AWS. */
const METADATA_ADDRESSES = new Set([0xa9fea9fe, 0x646464c8, 0xc00000c0, 0xa9feaa02, 0xa9feaa17]);
/** Name services that answer with the address in the name. */
const NAME_HOLDS_ADDRESS =
  /^(?:.{0,200}\.)?(\d{1,3}[.-]\d{1,3}[.-]\d{1,3}[.-]\d{1,3})\.(?:nip\.io|sslip\.io|xip\.io|traefik\.me)$/;

/**
 * Addresses in an argument (attacker-controlled) that a server should not be sent to: of cloud metadata, link-local, private,
 * its own; also written as decimal, octal or hex numbers, as IPv6, or behind a name that stands for them. Private addresses
 * in prose do not count, only where the value or a URL in it is one.
 */
export function addressShapes(text: string, into: ShapeCounts): void {
  if (!MAY_BE_ADDRESS.test(text)) return;
  const found = new Set<string>();
  const bare = text.length <= 2304 ? BARE_HOST.exec(text)?.[1] : undefined;
  const shape = bare === undefined ? undefined : shapeOfHost(bare);
  if (shape !== undefined) found.add(shape);
  if (text.includes('://')) {
    AUTHORITY.lastIndex = 0;
    for (let looked = 0; looked < ADDRESSES_MAX; looked++) {
      const host = AUTHORITY.exec(text)?.[1];
      if (host === undefined) break;
      const inUrl = shapeOfHost(host);
      if (inUrl !== undefined) found.add(inUrl);
    }
  }
  for (const [address] of text.matchAll(TELLING)) {
    const telling = shapeOfHost(address);
    if (telling !== undefined) found.add(telling);
  }
  for (const name of found) addShape(into, name);
}

/** Which of the forms a host is; undefined for any other. */
export function shapeOfHost(written: string): string | undefined {
  const host = written.toLowerCase().replace(/\.$/, '');
  if (METADATA_NAMES.has(host)) return 'ssrf_metadata';
  if (host === 'localhost' || host.endsWith('.localhost') || host === 'localtest.me') return 'ssrf_loopback';
  if (host.includes(':')) return shapeOfIpv6(host.replace(/^\[|\](?:%.*)?$/g, '').replace(/%.*$/, ''));
  const held = NAME_HOLDS_ADDRESS.exec(host)?.[1]?.replaceAll('-', '.');
  const address = ipv4Number(held ?? host);
  return address === undefined ? undefined : shapeOfIpv4(address);
}

function shapeOfIpv4(address: number): string | undefined {
  if (METADATA_ADDRESSES.has(address)) return 'ssrf_metadata';
  const first = address >>> 24;
  const second = (address >>> 16) & 0xff;
  if (first === 127 || address === 0) return 'ssrf_loopback';
  if (first === 169 && second === 254) return 'ssrf_link_local';
  if (first === 10 || (first === 172 && second >= 16 && second < 32) || (first === 192 && second === 168))
    return 'ssrf_private';
  return undefined;
}

/** As browsers and inet_aton read it: one to four numbers, decimal, octal (0…) or hex (0x…), the last filling the rest. */
function ipv4Number(host: string): number | undefined {
  const parts = host.split('.');
  if (parts.length > 4) return undefined;
  let address = 0;
  for (const [index, part] of parts.entries()) {
    const number = /^0x[0-9a-f]{1,8}$/.test(part)
      ? Number.parseInt(part.slice(2), 16)
      : /^0[0-7]{1,11}$/.test(part)
        ? Number.parseInt(part, 8)
        : /^\d{1,10}$/.test(part)
          ? Number(part)
          : undefined;
    if (number === undefined) return undefined;
    const isLast = index === parts.length - 1;
    const room = isLast ? 256 ** (4 - index) : 256;
    if (number >= room) return undefined;
    address += isLast ? number : number * 256 ** (3 - index);
  }
  // A lone small number is a count, a port or a year.
  return parts.length === 1 && (address < 0x01000000 || !/^(?:0x|\d{8,10}$)/.test(host))
    ? undefined
    : address;
}

function shapeOfIpv6(host: string): string | undefined {
  const groups = ipv6Groups(host);
  if (groups === undefined) return undefined;
  const at = (index: number) => groups[index] ?? 0;
  const headIsZero = groups.slice(0, 5).every((group) => group === 0);
  if (headIsZero && (at(5) === 0xffff || at(5) === 0)) {
    const address = at(6) * 0x10000 + at(7);
    if (at(5) === 0 && address === 1) return 'ssrf_loopback';
    return address === 0 ? 'ssrf_loopback' : shapeOfIpv4(address);
  }
  if (at(0) === 0xfd00 && at(1) === 0x0ec2) return 'ssrf_metadata';
  if ((at(0) & 0xffc0) === 0xfe80) return 'ssrf_link_local';
  return (at(0) & 0xfe00) === 0xfc00 ? 'ssrf_private' : undefined;
}

function ipv6Groups(host: string): readonly number[] | undefined {
  const tail = /^(.*:)(\d{1,3}(?:\.\d{1,3}){3})$/.exec(host);
  const inner = tail === null ? undefined : ipv4Number(tail[2] ?? '');
  if (tail !== null && inner === undefined) return undefined;
  const text =
    inner === undefined
      ? host
      : `${tail?.[1] ?? ''}${(inner >>> 16).toString(16)}:${(inner & 0xffff).toString(16)}`;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [front, back] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const given = [...(front ?? []), ...(back ?? [])];
  if (given.some((group) => !/^[0-9a-f]{1,4}$/.test(group))) return undefined;
  if (back === undefined ? given.length !== 8 : given.length > 7) return undefined;
  const zeros = new Array<number>(8 - given.length).fill(0);
  const numbers = (list: readonly string[] | undefined) =>
    (list ?? []).map((group) => Number.parseInt(group, 16));
  return [...numbers(front), ...zeros, ...numbers(back)];
}
