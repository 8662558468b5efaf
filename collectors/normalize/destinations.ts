import { domainToASCII } from 'node:url';
import { limits } from '../../schemas/event/limits.ts';
import { emailAt } from './email.ts';
import { keyedDigest } from './keyed-digest.ts';

/**
 * Top-level domains a bare word may end in and be taken for a host. Conservative: those that are also file name endings,
 * words or member names (md, py, sh, rs, ai, me, app, zip, id, is, it, to, so …) need a scheme, an `@` or `www.`.
 */
const BARE_TLDS = new Set(
  (
    'com org net edu gov mil int biz io dev xyz online site top shop club cloud tech store space website icu live ' +
    'link click work eu uk de fr nl jp cn ru br au ca ch se dk fi es cz kr mx tr ua tw hk nz za ir gr hu ro ie co ' +
    'example test invalid internal local onion'
  ).split(' '),
);
const HOST_MAX = 253;
const AUTHORITY_MAX = 1024;
const MARKS = /:\/\/|@|\./g;
const AUTHORITY_END = /[\s/?#"'<>\\|`{}^),;]/;

/**
 * Hosts and addresses in attacker-controlled text, in order of appearance, lower case, without port, at most as many as an
 * event holds: hosts of URLs, IPv4 addresses, bare domains, and e-mail addresses with the local part replaced by a keyed
 * digest (detection needs to know new from known, not who). `written` gets those addresses as they were written: for
 * fingerprints, never to be kept.
 */
export function findDestinations(
  text: string,
  digestKey: Uint8Array,
  into: Set<string>,
  written?: Map<string, string>,
): void {
  let from = 0;
  MARKS.lastIndex = 0;
  for (let mark = MARKS.exec(text); mark !== null; mark = MARKS.exec(text)) {
    if (into.size >= limits.destinations) return;
    const at = mark.index;
    let next = at + 1;
    if (mark[0] === '://') {
      const end = authorityEnd(text, at + 3);
      add(into, hostOfAuthority(text.slice(at + 3, end)));
      next = pathEnd(text, end);
    } else if (mark[0] === '@') {
      const email = emailAt(text, at, 1);
      if (email !== undefined && email.start >= from) {
        const destination = emailDestination(email.local, email.domain, digestKey);
        add(into, destination);
        if (destination !== undefined) written?.set(destination, `${email.local}@${email.domain}`);
        next = email.end;
      }
    } else {
      const start = hostStart(text, at, from);
      next = hostEnd(text, at);
      // Of an e-mail address not reached yet, or of its local part: leave it to the `@`.
      if (text[next] === '@') continue;
      if (isBareHost(text, start, next)) add(into, asHost(text.slice(start, next)));
    }
    from = next;
    MARKS.lastIndex = next;
  }
}

/** Host of a URL or of `host:port`; undefined if there is none. */
export function hostOf(address: string): string | undefined {
  const scheme = address.indexOf('://');
  const start = scheme === -1 ? 0 : scheme + 3;
  return hostOfAuthority(address.slice(start, authorityEnd(address, start)));
}

/** An address whose domain stays in clear; the person before the `@` becomes 16 hex digits of HMAC-SHA256. */
export function emailDestination(local: string, domain: string, digestKey: Uint8Array): string | undefined {
  const host = asHost(domain);
  if (host === undefined) return undefined;
  return `${keyedDigest(digestKey, `${local.toLowerCase()}@${host}`).slice(0, 16)}@${host}`;
}

function add(into: Set<string>, destination: string | undefined): void {
  if (destination !== undefined && destination.length <= limits.nameChars) into.add(destination);
}

function authorityEnd(text: string, start: number): number {
  let end = start;
  const stop = Math.min(text.length, start + AUTHORITY_MAX);
  while (end < stop && !AUTHORITY_END.test(text.charAt(end))) end++;
  return end;
}

/** Past the path of a URL, whose dots are no hosts; its query may carry other addresses. */
function pathEnd(text: string, start: number): number {
  let end = start;
  while (end < text.length && !/[\s"'<>\\?#&,]/.test(text.charAt(end))) end++;
  return end;
}

function hostOfAuthority(authority: string): string | undefined {
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  if (host.startsWith('[')) {
    const ip6 = /^\[([0-9a-fA-F:.]{2,45})(?:%[\w.~-]{0,16})?\]/.exec(host)?.[1];
    return ip6?.toLowerCase();
  }
  return asHost(host.replace(/:\d{0,5}$/, '').replace(/[,;:!)\]]+$/, ''));
}

/** A valid host name or IPv4 address, in lower-case ASCII, without the final dot. */
function asHost(text: string): string | undefined {
  const host = text.endsWith('.') ? text.slice(0, -1) : text;
  if (host.length === 0 || host.length > HOST_MAX) return undefined;
  // eslint-disable-next-line no-control-regex -- the class is "beyond ASCII"
  const ascii = /[^\x00-\x7f]/.test(host) ? domainToASCII(host) : host.toLowerCase();
  return /^[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?$/.test(ascii) && !ascii.includes('..') ? ascii : undefined;
}

function hostStart(text: string, at: number, from: number): number {
  let start = at;
  const stop = Math.max(from, at - HOST_MAX);
  while (start > stop && isHostChar(text.charCodeAt(start - 1))) start--;
  // Escapes end in a letter that would look like part of the host: \nexample.com
  if (start > 0 && text[start - 1] === '\\' && 'nrtbf'.includes(text.charAt(start))) start++;
  return start;
}

function hostEnd(text: string, at: number): number {
  let end = at + 1;
  while (end < text.length && (isHostChar(text.charCodeAt(end)) || text[end] === '.')) end++;
  return end;
}

function isHostChar(code: number): boolean {
  if (code >= 0x61 && code <= 0x7a) return true;
  if (code >= 0x30 && code <= 0x39) return true;
  if (code >= 0x41 && code <= 0x5a) return true;
  return code === 0x2d || code === 0x2e || code === 0x5f || code >= 0xa1;
}

/** Whether a dotted word is a host for sure: an IPv4 address, `www.`, or a top-level domain that is nothing else. */
function isBareHost(text: string, start: number, end: number): boolean {
  if (end - start > HOST_MAX) return false;
  const before = start === 0 ? '' : text.charAt(start - 1);
  // Part of a path, a variable or a call: not a host.
  if (before === '$' || before === '#' || (before === '/' && text[start - 2] !== '/')) return false;
  if (text[end] === '(') return false;
  const word = text.slice(start, end).replace(/\.+$/, '').toLowerCase();
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(word)) return word.split('.').every((part) => Number(part) <= 255);
  if (word.startsWith('www.')) return word.indexOf('.', 4) !== -1;
  const tld = word.slice(word.lastIndexOf('.') + 1);
  if (BARE_TLDS.has(tld) || tld.startsWith('xn--'))
    return /^[a-z0-9\u00a1-\uffff-]+(?:\.[a-z0-9\u00a1-\uffff-]+)+$/.test(word);
  return false;
}
