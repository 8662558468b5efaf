import type { DetectConfig } from '../schemas/config.ts';
import { noteList, type ListHistory } from './content/list-history.ts';
import {
  addPin,
  definitionOf,
  newPin,
  newPinTable,
  sameInputs,
  serverPins,
  type Pin,
  type PinTable,
  type ServerPins,
} from './content/tool-pins.ts';
import { viewerOf } from './content/viewer.ts';
import type { DetectEvent, Detector, Finding, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import type { ToldLately } from './learning/told-lately.ts';
import { judgeCall } from './tool-change-calls.ts';
import { compare, isApproved, raiseChanges, unapprovedChange, type Seen } from './tool-change-compare.ts';
import { judgeHints, keepHints } from './tool-change-hints.ts';
import { describeFirstSight, describeMoved, type Change } from './tool-change-words.ts';

interface ChangeTenant {
  readonly pins: PinTable;
  readonly lists: ListHistory;
  readonly told: ToldLately;
}

/** A tool is not what it was when it was first seen or approved: text, schema, hints, name, or whether it is there at all. */
export function toolChange(config: DetectConfig['tool_change']): Detector<ChangeTenant, undefined> {
  return {
    id: 'tool-change',
    version: 1,
    kinds: ['tool_list', 'tool_call'],
    newTenantState: () => ({ pins: newPinTable(), lists: new Map(), told: new Map() }),
    newSessionState: () => undefined,

    // Definitions are no behaviour: what a server offers now is what it offers, whoever asked.
    step(detected, { tenant }, raise) {
      if (detected.event.kind === 'tool_list') judgeList(config, detected, tenant, raise);
      else if (detected.call !== undefined) judgeCall(config, detected, detected.call, tenant, raise);
    },
  };
}

function judgeList(
  config: DetectConfig['tool_change'],
  detected: DetectEvent,
  tenant: ChangeTenant,
  raise: Raise,
): void {
  const { event, timeMs } = detected;
  const listed = new Map(Object.entries(event.listed_tools ?? {}));
  const wholes = new Map(Object.entries(event.tool_definitions ?? {}));
  const names = [...new Set([...listed.keys(), ...wholes.keys()])];
  if (event.listed_tools === undefined && event.tool_definitions === undefined) return;
  const server = event.server?.name ?? '';
  const pins = serverPins(tenant.pins, server);
  const firstSight = pins.tools.size === 0;
  const viewer = viewerOf(detected);
  const changes: Change[] = [];
  const fresh = new Set<number>();
  for (const name of names) {
    const definition = definitionOf(wholes.get(name), listed.get(name));
    const pin = pins.tools.get(name);
    const seen: Seen = {
      server,
      tool: name,
      definition,
      whole: wholes.get(name),
      listed: listed.get(name),
      viewer,
    };
    if (pin === undefined) {
      const made = newPin(definition, listed.get(name), event.event_id, timeMs, viewer);
      if (addPin(tenant.pins, server, name, made, config.pins_max)) fresh.add(itemHash(name));
      const unapproved = unapprovedChange(detected, seen);
      if (unapproved !== undefined) changes.push(unapproved);
    } else {
      changes.push(...compare(config, detected, pin, seen, pins));
      noteHints(detected, pin, seen, raise);
    }
  }
  raiseChanges(changes, tenant.told, timeMs, raise);
  if (firstSight && names.length > 0) raise(describeFirstSight(server, names.length));
  const shown = noteList(tenant.lists, `${server}\n${viewer ?? ''}`, names.map(itemHash), timeMs);
  if (shown.known) judgePresence(server, pins, fresh, shown, raise);
  pins.version = event.server?.version ?? pins.version;
}

function noteHints(detected: DetectEvent, pin: Pin, seen: Seen, raise: Raise): void {
  const { server, tool, listed } = seen;
  if (listed?.annotations === undefined) return;
  if (isApproved(detected, seen) === true) keepHints(pin, listed.annotations);
  else judgeHints(pin, server === '' ? tool : `${server}/${tool}`, listed.annotations, raise);
}

/** Tools that came, went, or go by another name. */
function judgePresence(
  server: string,
  pins: ServerPins,
  fresh: ReadonlySet<number>,
  shown: ReturnType<typeof noteList>,
  raise: Raise,
): void {
  const nameOf = new Map([...pins.tools.keys()].map((name) => [itemHash(name), name]));
  const named = (hashes: readonly number[]) => hashes.flatMap((hash) => nameOf.get(hash) ?? []);
  const missing = named(shown.missing);
  const added: string[] = [];
  for (const name of named(shown.added.filter((hash) => fresh.has(hash)))) {
    const pin = pins.tools.get(name);
    const was = missing.find((candidate) => {
      const other = pins.tools.get(candidate);
      if (pin === undefined || other === undefined) return false;
      return sameInputs(other, { schema: pin.current.schema, properties: pin.properties });
    });
    if (was === undefined || pin === undefined) added.push(name);
    else raise(renamed(server, was, name, pins.tools.get(was), pin));
  }
  if (added.length > 0) raise(describeMoved('added', server, added));
  const removed = named(shown.removed);
  if (removed.length > 0) raise(describeMoved('removed', server, removed));
}

/** The same tool under another name is a note; with another text as well, a way around who watches names. */
function renamed(server: string, was: string, name: string, before: Pin | undefined, now: Pin): Finding {
  const sameText =
    before?.current.description !== undefined && before.current.description === now.current.description;
  return describeMoved('renamed', server, [was, name], {
    severity: now.shaped && before?.shaped !== true ? 'high' : sameText ? 'low' : 'medium',
    beforeText: before?.text ?? '',
    nowText: now.text,
    evidence: before?.eventId,
  });
}
