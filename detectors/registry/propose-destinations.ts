import { parseBlock } from './address.ts';
import type { SeenDestination } from './traffic.ts';

/** A host, or all hosts under a name that somebody can register. */
export interface SeenDomain {
  readonly host: string;
  readonly observations: number;
  /** By its form: a private address, or a name that no public name server has. */
  readonly isInternal: boolean;
}

/** Sums up destinations by the name that somebody registered, most often first. */
export function domainsOf(destinations: readonly SeenDestination[]): SeenDomain[] {
  const counts = new Map<string, number>();
  for (const { host, observations } of destinations) {
    const domain = domainOf(host);
    if (domain !== '') counts.set(domain, (counts.get(domain) ?? 0) + observations);
  }
  return [...counts]
    .map(([host, observations]) => ({ host, observations, isInternal: isInternal(host) }))
    .sort((a, b) => b.observations - a.observations || (a.host < b.host ? -1 : 1));
}

/** Second labels under which countries register names: `example.co.uk`. */
const SECOND_LEVEL = new Set('co com org net gov edu ac or ne go gob nom mil'.split(' '));

function domainOf(destination: string): string {
  const host = destination.slice(destination.lastIndexOf('@') + 1).toLowerCase();
  if (parseBlock(host) !== undefined) return host;
  const labels = host.split('.').filter((label) => label !== '');
  const [second = '', top = ''] = labels.slice(-2);
  const kept = top.length === 2 && SECOND_LEVEL.has(second) ? 3 : 2;
  return labels.slice(-kept).join('.');
}

const INTERNAL_NAMES = /(^|\.)(local|localhost|internal|intranet|lan|corp|home|svc|cluster|test)$/;
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '127.0.0.0/8', '169.254.0.0/16'];
const PRIVATE_V6 = /^\[?(::1$|f[cd][0-9a-f]{2}:|fe80:)/;

function isInternal(host: string): boolean {
  const address = parseBlock(host);
  if (address === undefined) return INTERNAL_NAMES.test(host) || !host.includes('.');
  if (address.widthBits === 128) return PRIVATE_V6.test(host);
  return PRIVATE.some((text) => {
    const block = parseBlock(text);
    return (
      block !== undefined &&
      address.bits >> BigInt(32 - block.prefixBits) === block.bits >> BigInt(32 - block.prefixBits)
    );
  });
}
