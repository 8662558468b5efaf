import type { CallFacts, DetectEvent } from '../detector.ts';
import { isNewDestination, type KnownDestinations } from '../learning/known-destinations.ts';
import type { RegisteredZone } from '../registry/registry.ts';

/** Where what is in a call's arguments gets to. */
export interface Outlet {
  /** The host or address; absent when it is the tool itself. */
  readonly destination: string | undefined;
  readonly zone: RegisteredZone | undefined;
}

/** The tool's own zone and each destination of the call, with what people have registered of it. */
export function outletsOf({ registry }: DetectEvent, call: CallFacts): Outlet[] {
  const outlets: Outlet[] = call.destinations.map((destination) => ({
    destination,
    zone: registry?.zoneOfDestination(destination),
  }));
  const own = registry?.zone(call.zone);
  if (own !== undefined) outlets.push({ destination: undefined, zone: own });
  return outlets;
}

/** Another company's, or written by strangers. */
export function isOutside(zone: RegisteredZone | undefined): boolean {
  return zone?.trust === 'vendor' || zone?.trust === 'external';
}

/** The first destination of the call that no benign session has used and nobody has allowed. */
export function newDestinationOf(
  { registry }: DetectEvent,
  call: CallFacts,
  known: KnownDestinations,
): string | undefined {
  return call.contacts.find(({ destination, hash }) => {
    if (!isNewDestination(known, hash) || registry?.allowsDestination(destination) === true) return false;
    const trust = registry?.zoneOfDestination(destination)?.trust;
    return trust !== 'internal' && trust !== 'restricted';
  })?.destination;
}

/** The call hands its arguments to somebody else. */
export function sendsOut({ traits, action, destinations }: CallFacts): boolean {
  return traits.egress || action === 'egress' || (traits.changesState && destinations.length > 0);
}
