/** An IP address as a number with its family's width, or a block of them. */
export interface AddressBlock {
  readonly widthBits: 32 | 128;
  readonly bits: bigint;
  readonly prefixBits: number;
}

/** Reads `10.0.0.0/8`, `192.0.2.7`, `fd00::/8` or `[::1]`; `undefined` for anything else. */
export function parseBlock(text: string): AddressBlock | undefined {
  const [address = '', prefix, ...more] = text.split('/');
  if (more.length > 0) return undefined;
  const parsed = address.includes(':') ? parseV6(address.replace(/^\[(.*)\]$/, '$1')) : parseV4(address);
  if (parsed === undefined) return undefined;
  const widthBits = address.includes(':') ? 128 : 32;
  if (prefix !== undefined && (!/^\d{1,3}$/.test(prefix) || Number(prefix) > widthBits)) return undefined;
  const prefixBits = prefix === undefined ? widthBits : Number(prefix);
  const bits = networkOf(parsed, widthBits, prefixBits);
  // An IPv4 address in IPv6 clothes (`::ffff:192.0.2.7`) is that address.
  return widthBits === 128 && prefixBits >= MAPPED_BITS && bits >> 32n === MAPPED
    ? { widthBits: 32, bits: bits & 0xffff_ffffn, prefixBits: prefixBits - MAPPED_BITS }
    : { widthBits, bits, prefixBits };
}

const MAPPED_BITS = 96;
const MAPPED = 0xffffn;

/** The address with everything after the prefix zeroed. */
export function networkOf(bits: bigint, widthBits: number, prefixBits: number): bigint {
  const rest = BigInt(widthBits - prefixBits);
  return (bits >> rest) << rest;
}

function parseV4(text: string): bigint | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let bits = 0n;
  for (const part of match.slice(1)) {
    if (Number(part) > 255) return undefined;
    bits = (bits << 8n) | BigInt(part);
  }
  return bits;
}

function parseV6(text: string): bigint | undefined {
  if (text.length > 45) return undefined;
  // The last 32 bits may be written as an IPv4 address.
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted !== null) {
    const low = parseV4(dotted[2] ?? '');
    if (low === undefined) return undefined;
    return parseV6(`${dotted[1] ?? ''}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`);
  }
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  let bits = 0n;
  for (const group of [...head, ...Array<string>(missing).fill('0'), ...tail]) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    bits = (bits << 16n) | BigInt(`0x${group}`);
  }
  return bits;
}
