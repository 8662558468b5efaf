import type { CustodyEvent, EventKind } from '../../schemas/event.ts';
import { limits } from '../../schemas/event/limits.ts';
import type { NormalizeContext } from './context.ts';
import { findDestinations, hostOf } from './destinations.ts';
import * as value from './field-values.ts';
import { F } from './fields.ts';
import type { ReadFields } from './mapping.ts';
import type { DescribedPayload } from './payload.ts';
import { destinationTokens } from './provenance/describe-values.ts';
import { namePartTokens } from './provenance/name-parts.ts';
import { provenanceKey } from './provenance/provenance-key.ts';
import { DEFAULT_PROVENANCE } from './provenance/settings.ts';

export interface Destinations {
  readonly destinations: string[] | undefined;
  readonly origins: NonNullable<CustodyEvent['destination_origins']> | undefined;
}

/** From arguments first, then what the record names as its target; a service call's own server is a destination too. */
export function destinationsOf(
  values: ReadFields['values'],
  given: DescribedPayload | undefined,
  kind: EventKind,
  context: NormalizeContext,
  tenant: string,
): Destinations {
  const stated = values[F.destination];
  const url = kind === 'api_call' ? value.asText(values[F.url]) : undefined;
  const address = kind === 'api_call' ? value.asText(values[F.serverAddress]) : undefined;
  const found = new Set(given?.destinations);
  const written = new Map(given?.written);
  const addressed = new Set(given?.addressed);
  for (const text of value.asList(stated, {}, limits.destinations) ?? [])
    addStated(text, found, addressed, written, context);
  if (url !== undefined) addStated(url, found, addressed, written, context);
  if (address !== undefined) addStated(address, found, addressed, written, context);
  const destinations = [...found].slice(0, limits.destinations);
  return {
    destinations: destinations.length === 0 ? undefined : destinations,
    origins: destinationOrigins(destinations, { written, addressed }, context, tenant),
  };
}

/** Fingerprint of each destination, by which it is found again in what the agent was asked and in what it has read. */
export function destinationOrigins(
  destinations: readonly string[],
  { written, addressed }: Pick<DescribedPayload, 'written' | 'addressed'>,
  context: NormalizeContext,
  tenant: string,
): NonNullable<CustodyEvent['destination_origins']> | undefined {
  if (destinations.length === 0 || !(context.provenance ?? DEFAULT_PROVENANCE).enabled) return undefined;
  const key = provenanceKey(context.digestKey, tenant);
  return destinations.map((destination) => {
    const name = written.get(destination) ?? destination;
    const tokens = destinationTokens(name, key);
    const parts = namePartTokens(name, key);
    return {
      ...(addressed.has(destination) ? {} : { addressed: false }),
      destination,
      ...(parts === undefined ? {} : { parts }),
      ...(tokens === undefined ? {} : { tokens }),
    };
  });
}

function addStated(
  text: string,
  found: Set<string>,
  addressed: Set<string>,
  written: Map<string, string>,
  context: NormalizeContext,
): void {
  const before = found.size;
  if (text.includes('@') && !text.includes('://')) findDestinations(text, context.digestKey, found, written);
  else {
    const host = hostOf(text);
    if (host !== undefined && host.length <= limits.nameChars) found.add(host);
  }
  if (found.size > before) for (const destination of [...found].slice(before)) addressed.add(destination);
}
