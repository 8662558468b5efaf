import type { DetectConfig } from '../schemas/config.ts';
import { addDistinct, keptEntry } from './counters/kept-entry.ts';
import type { DetectEvent, Raise } from './detector.ts';
import { itemHash, pairHash } from './learning/item-hash.ts';
import { addItem, type KnownItems } from './learning/known-items.ts';
import type { Registry } from './registry/registry.ts';
import { describeAudience } from './token-misuse-words.ts';

/** Audiences of the tokens that servers are sent. */
export interface AudienceTenant {
  /** Sessions by server and audience. */
  readonly audiences: KnownItems;
  /** Sessions with a token for somebody, by server; and the servers an audience was seen at, by audience. */
  readonly servers: Map<number, { sessions: number; readonly servers: number[] }>;
  sessions: number;
}

const maxAudiences = 512;
const maxServers = 512;
const maxPerSession = 2 * 16;
const pairClass = 17;

/**
 * A token sent to a server it was not issued for (RFC 8707). Names of audiences are many people's: what sessions without alarms have
 * shown is taken as right; before that only a plain contradiction is told.
 */
export function judgeAudience(
  { learning_sessions }: DetectConfig['token_misuse'],
  tenant: AudienceTenant,
  session: { audiences: number[] | undefined },
  { event, call, registry, decision }: DetectEvent,
  audience: string,
  raise: Raise,
): void {
  const name = call?.server ?? event.server?.name;
  const address = event.server?.address;
  const server = name ?? address;
  if (server === undefined || decision === 'deny' || event.result?.category === 'denied') return;
  const [of, as] = [itemHash(server), itemHash(audience)];
  const isKnown = tenant.audiences.has(pairHash(pairClass, of, as));
  const taught = (session.audiences ??= []);
  if (taught.length < maxPerSession) taught.push(of, as);
  if (isKnown || isFor(audience, name, address)) return;
  const other = registeredOther(registry, audience, name);
  const history = tenant.servers.get(of)?.sessions ?? 0;
  const elsewhere = tenant.servers.get(as)?.servers.some((one) => one !== of) === true;
  const isSettled = history >= learning_sessions;
  const isContradicted = address !== undefined && isOtherHost(audience, address);
  if (other === undefined && !isSettled && !isContradicted) return;
  raise(
    describeAudience({
      audience,
      server,
      other,
      severity: other !== undefined || (isSettled && elsewhere) ? 'high' : isSettled ? 'medium' : 'low',
      history,
      eventId: event.event_id,
    }),
  );
}

export function learnAudiences(tenant: AudienceTenant, taught: readonly number[]): void {
  tenant.sessions += 1;
  const counted: number[] = [];
  for (let at = 0; at < taught.length; at += 2) {
    const [of = 0, as = 0] = taught.slice(at, at + 2);
    const pair = pairHash(pairClass, of, as);
    if (counted.includes(pair)) continue;
    counted.push(pair);
    addItem(tenant.audiences, pair, maxAudiences);
    const entry = (key: number) =>
      keptEntry(tenant.servers, key, maxServers, () => ({ sessions: 0, servers: [] }));
    addDistinct(entry(as).servers, of, 4);
    if (!counted.includes(of)) entry(of).sessions += 1;
    counted.push(of);
  }
}

/** Host and parts of the path of an audience: `https://mcp.example/files` is mcp.example and files. */
function partsOf(audience: string): readonly string[] {
  const plain = audience.toLowerCase().replace(/^[a-z][a-z0-9+.-]*:\/*/, '');
  const [host = '', ...path] = plain.split(/[/?#]/);
  return [host.replace(/:\d+$/, ''), ...path.filter((part) => part !== '')];
}

/** The audience names the server or its host. */
function isFor(audience: string, name: string | undefined, address: string | undefined): boolean {
  const parts = partsOf(audience);
  const [host = ''] = parts;
  const server = name?.toLowerCase();
  if (server !== undefined && (audience.toLowerCase() === server || parts.includes(server))) return true;
  if (server !== undefined && host.split('.').includes(server)) return true;
  return address !== undefined && isSameSite(host, hostOf(address));
}

function isOtherHost(audience: string, address: string): boolean {
  const [host = ''] = partsOf(audience);
  const other = hostOf(address);
  return host.includes('.') && other.includes('.') && !isSameSite(host, other);
}

const hostOf = (address: string) => partsOf(address)[0] ?? '';

/** One lies below the other, or both below one domain of two labels. */
function isSameSite(one: string, other: string): boolean {
  if (one === other || one.endsWith(`.${other}`) || other.endsWith(`.${one}`)) return true;
  const site = (host: string) => host.split('.').slice(-2).join('.');
  return one.split('.').length > 2 && other.split('.').length > 2 && site(one) === site(other);
}

/** Another registered server that the audience names. */
function registeredOther(
  registry: Registry | undefined,
  audience: string,
  name: string | undefined,
): string | undefined {
  if (registry === undefined || name === undefined) return undefined;
  const [host = '', ...path] = partsOf(audience);
  return [audience, host, ...path.slice(0, 4), ...host.split('.').slice(0, 4)].find(
    (part) => part !== name && registry.server(part) !== undefined,
  );
}
