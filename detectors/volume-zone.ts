import type { CallFacts, DetectEvent } from './detector.ts';

/** The vendor or external zone that the call's data goes into. */
export function outsideZone(registry: DetectEvent['registry'], call: CallFacts): string | undefined {
  if (registry === undefined) return undefined;
  const zones = [registry.zone(call.zone), ...call.destinations.map((to) => registry.zoneOfDestination(to))];
  return zones.find((zone) => zone?.trust === 'vendor' || zone?.trust === 'external')?.name;
}
