import type { DetectConfig } from '../schemas/config.ts';
import {
  addPin,
  definitionOf,
  keyOf,
  newPin,
  serverPins,
  type Pin,
  type PinTable,
} from './content/tool-pins.ts';
import { viewerOf } from './content/viewer.ts';
import type { CallFacts, DetectEvent, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import type { ToldLately } from './learning/told-lately.ts';
import { compare, raiseChanges } from './tool-change-compare.ts';
import { judgeHints } from './tool-change-hints.ts';
import { describeUse } from './tool-change-words.ts';

const maxCallers = 32;

/** What a call tells of its tool's definition, and who calls a tool that has changed. */
export function judgeCall(
  config: DetectConfig['tool_change'],
  detected: DetectEvent,
  call: CallFacts,
  tenant: { readonly pins: PinTable; readonly told: ToldLately },
  raise: Raise,
): void {
  const { event, fresh, timeMs } = detected;
  const { definition_digest: digest, annotations: hints } = event.tool ?? {};
  const server = call.server ?? '';
  let pin = tenant.pins.servers.get(server)?.tools.get(call.tool);
  if (pin === undefined && digest === undefined && hints === undefined) return;
  const viewer = viewerOf(detected);
  const definition = definitionOf(digest, undefined);
  if (pin === undefined) {
    serverPins(tenant.pins, server);
    pin = newPin(definition, undefined, event.event_id, timeMs, viewer);
    if (!addPin(tenant.pins, server, call.tool, pin, config.pins_max)) return;
  } else if (digest !== undefined) {
    const seen = { server, tool: call.tool, definition, whole: digest, listed: undefined, viewer };
    const changes = compare(config, detected, pin, seen, serverPins(tenant.pins, server));
    raiseChanges(changes, tenant.told, timeMs, raise);
  }
  if (hints !== undefined) judgeHints(pin, call.toolKey, hints, raise);
  if (fresh.call) noteUse(pin, detected, call, raise);
}

/** Who uses a tool that has changed: told at 1, 2, 4 … agents. */
function noteUse(pin: Pin, { actorKey }: DetectEvent, call: CallFacts, raise: Raise): void {
  const { callers } = pin;
  const caller = itemHash(actorKey);
  if (callers === undefined || callers.length >= maxCallers || callers.includes(caller)) return;
  callers.push(caller);
  if ((callers.length & (callers.length - 1)) === 0)
    raise(describeUse(call, callers.length, keyOf(pin.current).slice(0, 12), pin.eventId));
}
