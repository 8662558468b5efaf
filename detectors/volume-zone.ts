import { isOutside } from './content/outlets.ts';
import type { CallFacts, DetectEvent } from './detector.ts';

/** The vendor or external zone that the call's data goes into. */
export function outsideZone(registry: DetectEvent['registry'], call: CallFacts): string | undefined {
  if (registry === undefined) return undefined;
  const own = registry.zone(call.zone);
  if (isOutside(own)) return own?.name;
  for (const destination of call.destinations) {
    const zone = registry.zoneOfDestination(destination);
    if (isOutside(zone)) return zone?.name;
  }
  return undefined;
}
