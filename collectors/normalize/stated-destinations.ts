import { limits, type EventKind } from '../../schemas/event.ts';
import type { NormalizeContext } from './context.ts';
import { findDestinations, hostOf } from './destinations.ts';
import * as value from './field-values.ts';
import { F } from './fields.ts';
import type { ReadFields } from './mapping.ts';
import type { DescribedPayload } from './payload.ts';

/** From arguments first, then what the record names as its target; a service call's own server is a destination too. */
export function destinationsOf(
  values: ReadFields['values'],
  given: DescribedPayload | undefined,
  kind: EventKind,
  context: NormalizeContext,
): string[] | undefined {
  const stated = values[F.destination];
  const url = kind === 'api_call' ? value.asText(values[F.url]) : undefined;
  const address = kind === 'api_call' ? value.asText(values[F.serverAddress]) : undefined;
  if (stated === undefined && url === undefined && address === undefined)
    return given === undefined || given.destinations.length === 0 ? undefined : given.destinations;
  const found = new Set(given?.destinations);
  for (const text of value.asList(stated, {}, limits.destinations) ?? []) addStated(text, found, context);
  if (url !== undefined) addStated(url, found, context);
  if (address !== undefined) addStated(address, found, context);
  return found.size === 0 ? undefined : [...found].slice(0, limits.destinations);
}

function addStated(text: string, found: Set<string>, context: NormalizeContext): void {
  if (text.includes('@') && !text.includes('://')) findDestinations(text, context.digestKey, found);
  else {
    const host = hostOf(text);
    if (host !== undefined && host.length <= limits.nameChars) found.add(host);
  }
}
