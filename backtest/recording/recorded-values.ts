import { emailDestination } from '../../collectors/normalize/destinations.ts';
import { namePartTokens } from '../../collectors/normalize/provenance/name-parts.ts';
import type { SipKey } from '../../collectors/normalize/provenance/sip-hash.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { limits } from '../../schemas/event/limits.ts';
import type { ValueOrigin, ValueProvenance } from '../../schemas/provenance.ts';
import { encodeTokens } from '../../schemas/token-set.ts';
import { isObject, type JsonObject } from '../../schemas/json-object.ts';

/** What a normalised record states of where values and destinations came from, as an event holds it. */
export interface RecordedValues {
  readonly keys: string[] | undefined;
  readonly values: ValueProvenance[] | undefined;
  readonly destinations: string[] | undefined;
  readonly destinationOrigins: NonNullable<CustodyEvent['destination_origins']> | undefined;
  readonly intent: CustodyEvent['intent'];
  readonly argumentFindings: Record<string, number> | undefined;
  readonly resultFindings: Record<string, number> | undefined;
}

const ORIGINS: Readonly<Record<string, ValueOrigin>> = {
  p: 'prompt',
  prompt: 'prompt',
  o: 'output',
  output: 'output',
  n: 'none',
  none: 'none',
  neither: 'none',
};

/** Reads `vals`, `arg_keys`, `destinations`, `flow`, `intent`, `arg_sens` and `out_sens`; takes anything. */
export function recordedValues(record: JsonObject, digestKey: Uint8Array): RecordedValues {
  const found = destinationsOf(record, digestKey);
  return {
    keys: keysOf(record['arg_keys']),
    values: valuesOf(record['vals']),
    destinations: found.length === 0 ? undefined : found.map(({ destination }) => destination),
    destinationOrigins: found.length === 0 ? undefined : found,
    intent: intentOf(record['intent']),
    argumentFindings: findingsOf(record['arg_sens']),
    resultFindings: findingsOf(record['out_sens']),
  };
}

function keysOf(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const keys = value
    .filter((key) => typeof key === 'string')
    .map((key) => key.slice(0, limits.valuePathChars));
  return [...new Set(keys)].sort().slice(0, limits.values);
}

/** `[path, hash, bytes, origin, call]`. */
function valuesOf(value: unknown): ValueProvenance[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.slice(0, limits.values).flatMap((item) => {
    if (!Array.isArray(item)) return [];
    const [path, hash, bytes, origin, call] = item as unknown[];
    if (typeof path !== 'string' || typeof hash !== 'string' || !/^[0-9a-f]{12,16}$/.test(hash)) return [];
    return [
      {
        path: path.slice(0, limits.valuePathChars),
        hash,
        size_bytes: countOf(bytes) ?? 0,
        ...originOf(origin, call),
      },
    ];
  });
}

function originOf(stated: unknown, call: unknown): Pick<ValueProvenance, 'origin' | 'source_call'> {
  const origin = typeof stated === 'string' && Object.hasOwn(ORIGINS, stated) ? ORIGINS[stated] : undefined;
  if (origin === undefined) return {};
  const source = countOf(call);
  return origin === 'output' && source !== undefined ? { origin, source_call: source } : { origin };
}

/** `{ d: 'domain:host', origin, src }`, where `src` is a tool, or the number of a call. */
function destinationsOf(record: JsonObject, digestKey: Uint8Array) {
  const listed: unknown[] = Array.isArray(record['destinations']) ? record['destinations'] : [];
  const found = new Map<string, NonNullable<CustodyEvent['destination_origins']>[number]>();
  for (const item of listed) {
    if (found.size >= limits.destinations) break;
    const stated = isObject(item) ? (item['d'] ?? item['destination'] ?? item['host']) : item;
    const destination = typeof stated === 'string' ? destinationText(stated, digestKey) : undefined;
    if (destination === undefined || found.has(destination)) continue;
    const traced = isObject(item) ? originOf(item['origin'], sourceCall(item, record)) : {};
    const parts = namePartTokens(nameOf(String(stated)), PART_KEY);
    found.set(destination, {
      ...traced,
      destination,
      origin: traced.origin ?? 'none',
      ...(parts === undefined ? {} : { parts }),
      ...(isAddressed(String(stated), record['vals']) ? {} : { addressed: false }),
    });
  }
  return [...found.values()];
}

/** Fingerprints of parts of names are compared within one recording only: any key will do. */
const PART_KEY: SipKey = [1, 2, 3, 4];

const nameOf = (stated: string) => stated.replace(/^\w+:/, '');

/** Longer values are texts that mention it; an address is a value of its own, a host may stand in a longer URL. */
const URL_BYTES_MAX = 300;
const DISPLAY_NAME_BYTES = 2;

function isAddressed(stated: string, values: unknown): boolean {
  if (!Array.isArray(values)) return true;
  const isHost = !stated.includes('@');
  const nameBytes = Buffer.byteLength(nameOf(stated));
  return values.some((item) => {
    const bytes = Array.isArray(item) ? countOf((item as unknown[])[2]) : undefined;
    if (bytes === undefined || bytes < nameBytes) return false;
    return bytes <= (isHost ? URL_BYTES_MAX : nameBytes + DISPLAY_NAME_BYTES);
  });
}

/** Number of the call whose output named it: as stated, else the latest one of the tool that anything flowed from. */
function sourceCall(item: JsonObject, record: JsonObject): number | undefined {
  const stated = countOf(item['src_seq'] ?? item['source_call'] ?? item['src']);
  if (stated !== undefined) return stated;
  const flows: unknown[] = Array.isArray(record['flow']) ? record['flow'] : [];
  const flow = flows.findLast((each) => isObject(each) && each['src'] === item['src']);
  return isObject(flow) ? countOf(flow['src_seq']) : undefined;
}

/** As the collectors write destinations: hosts in clear, people and accounts as keyed digests. */
function destinationText(stated: string, digestKey: Uint8Array): string | undefined {
  const text = stated.slice(0, limits.nameChars).toLowerCase();
  const kind = /^(domain|host|url|ip|email|iban|repo|account):(.+)$/s.exec(text);
  const name = kind?.[2] ?? text;
  // Accounts and repositories are values, not places: the collectors name neither a destination.
  if (kind?.[1] === 'iban' || kind?.[1] === 'account' || kind?.[1] === 'repo') return undefined;
  const at = name.lastIndexOf('@');
  if (at > 0 && (kind?.[1] === 'email' || kind === null))
    return emailDestination(name.slice(0, at), name.slice(at + 1), digestKey);
  return name === '' ? undefined : name;
}

/** Fingerprints of words, 8 hex digits each. Of another key than ours, which does not matter: they are compared with each other only. */
function intentOf(value: unknown): CustodyEvent['intent'] {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const tokens = value.filter(
    (token) => typeof token === 'string' && /^[0-9a-f]{8}$/.test(token),
  ) as string[];
  if (tokens.length === 0) return undefined;
  return {
    tokens: encodeTokens(tokens.slice(0, limits.tokens).map((token) => Number.parseInt(token, 16) | 0)),
  };
}

const SENSITIVE = ['secret', 'pii', 'email', 'iban'] as const;

/** Counts of secrets, personal data, e-mail addresses and account numbers. */
function findingsOf(value: unknown): Record<string, number> | undefined {
  if (!Array.isArray(value)) return undefined;
  const counted = SENSITIVE.flatMap((type, index) => {
    const count = countOf(value[index]) ?? 0;
    return count === 0 ? [] : [[type, count] as const];
  });
  return counted.length === 0 ? undefined : Object.fromEntries(counted);
}

export function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
