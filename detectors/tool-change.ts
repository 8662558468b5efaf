import type { DetectConfig } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import {
  addPin,
  changedParts,
  definitionOf,
  isShaped,
  keyOf,
  mergedDefinition,
  newPin,
  newPinTable,
  noteViewer,
  repin,
  sameInputs,
  serverPins,
  type Definition,
  type Pin,
  type PinTable,
  type ServerPins,
} from './content/tool-pins.ts';
import { noteList, type ListHistory } from './content/list-history.ts';
import { viewerOf } from './content/viewer.ts';
import type { CallFacts, DetectEvent, Detector, Finding, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import { tellOnce, type ToldLately } from './learning/told-lately.ts';
import {
  describeChange,
  describeFirstSight,
  describeMany,
  describeMoved,
  describeUse,
  describeWeakened,
  type Change,
} from './tool-change-words.ts';

interface ChangeTenant {
  readonly pins: PinTable;
  readonly lists: ListHistory;
  readonly told: ToldLately;
}

type Listed = NonNullable<CustodyEvent['listed_tools']>[string];

const dayMs = 24 * 3_600_000;
const maxSingly = 4;
const maxCallers = 32;

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
    const seen: Seen = { server, tool: name, definition, whole: wholes.get(name), listed: listed.get(name), viewer };
    if (pin === undefined) {
      const made = newPin(definition, listed.get(name), event.event_id, timeMs, viewer);
      if (addPin(tenant.pins, server, name, made, config.pins_max)) fresh.add(itemHash(name));
      const unapproved = unapprovedChange(detected, seen, undefined);
      if (unapproved !== undefined) changes.push(unapproved);
    } else changes.push(...compare(config, detected, pin, seen, pins));
  }
  raiseChanges(changes, tenant, timeMs, raise);
  if (firstSight && names.length > 0) raise(describeFirstSight(server, names.length));
  const shown = noteList(tenant.lists, `${server}\n${viewer ?? ''}`, names.map(itemHash), timeMs);
  if (shown.known) judgePresence(server, pins, fresh, shown, raise);
  pins.version = event.server?.version ?? pins.version;
}

/** A definition of one tool as an event tells it. */
interface Seen {
  readonly server: string;
  readonly tool: string;
  readonly definition: Definition;
  /** Uncut, as the registry has it. */
  readonly whole: string | undefined;
  readonly listed: Listed | undefined;
  readonly viewer: number | undefined;
}

/** What is different from what was pinned; pins it. */
function compare(
  config: DetectConfig['tool_change'],
  detected: DetectEvent,
  pin: Pin,
  seen: Seen,
  pins: ServerPins,
): Change[] {
  const { event, timeMs } = detected;
  const { definition, listed, viewer } = seen;
  const parts = changedParts(pin.current, definition);
  if (parts.length === 0) {
    pin.current = mergedDefinition(pin.current, definition, false);
    noteViewer(pin, viewer);
    return [];
  }
  const next = mergedDefinition(pin.current, definition, true);
  const back = pin.earlier.findLast(({ key }) => key === keyOf(next));
  // Another user is still shown what this one was shown before: two variants, no change.
  const sameViewer = viewer === undefined ? pin.viewers.length === 0 : pin.viewers.includes(viewer);
  if (back !== undefined && !sameViewer) return [];
  const approved = isApproved(detected, seen);
  const flip = back !== undefined && timeMs - back.untilMs < config.flip_within_ms;
  const newVersion =
    pins.version !== undefined && event.server?.version !== undefined && pins.version !== event.server.version;
  const shaped = isShaped(listed) && !pin.shaped;
  const change: Change = {
    ...seen,
    parts,
    before: pin.current,
    now: next,
    beforeText: pin.text,
    nowText: listed?.description ?? '',
    flip,
    shaped,
    approved,
    versions: newVersion ? [pins.version ?? '', event.server?.version ?? ''] : undefined,
    evidence: pin.eventId,
    severity: severityOf(parts, { flip, shaped, newVersion, unapproved: approved === false }),
  };
  repin(pin, next, listed, { eventId: event.event_id, timeMs });
  noteViewer(pin, viewer);
  if (approved === true || change.severity === 'low') pin.callers = undefined;
  return approved === true ? [] : [change];
}

function severityOf(
  parts: readonly string[],
  is: { flip: boolean; shaped: boolean; newVersion: boolean; unapproved: boolean },
): Finding['severity'] {
  if (is.flip || is.shaped || is.unapproved) return 'high';
  if (is.newVersion || parts.every((part) => part === 'annotations')) return 'low';
  return 'medium';
}

/** By the registry; `undefined`: nobody has reviewed any definition of this tool, or its digest was not told. */
function isApproved({ registry }: DetectEvent, { server, tool, whole }: Seen): boolean | undefined {
  const approved = registry?.tool(server === '' ? undefined : server, tool)?.definitionDigests ?? [];
  if (approved.length === 0 || whole === undefined) return undefined;
  return approved.includes(whole);
}

function unapprovedChange(detected: DetectEvent, seen: Seen, pin: Pin | undefined): Change | undefined {
  if (isApproved(detected, seen) !== false) return undefined;
  return {
    ...seen,
    parts: ['whole'],
    before: pin?.current,
    now: seen.definition,
    beforeText: '',
    nowText: '',
    flip: false,
    shaped: false,
    approved: false,
    versions: undefined,
    evidence: undefined,
    severity: 'high',
  };
}

/** The gravest one by one, the others in one: a server may change a thousand tools at once. */
function raiseChanges(changes: readonly Change[], { told }: ChangeTenant, timeMs: number, raise: Raise): void {
  const news = changes.filter(
    ({ server, tool, now, flip }) =>
      tellOnce(told, `${flip ? 'flip' : 'change'}\n${server}\n${tool}\n${flip ? '' : keyOf(now)}`, timeMs, dayMs),
  );
  const order = ['info', 'low', 'medium', 'high', 'critical'];
  const graveFirst = [...news].sort((a, b) => order.indexOf(b.severity) - order.indexOf(a.severity));
  for (const change of graveFirst.slice(0, maxSingly)) raise(describeChange(change));
  const rest = graveFirst.slice(maxSingly);
  if (rest[0] !== undefined) raise(describeMany(rest, rest[0].severity));
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

function judgeCall(
  config: DetectConfig['tool_change'],
  detected: DetectEvent,
  call: CallFacts,
  tenant: ChangeTenant,
  raise: Raise,
): void {
  const { event, fresh, timeMs } = detected;
  const { definition_digest: digest, annotations: hints } = event.tool ?? {};
  const server = call.server ?? '';
  let pin = tenant.pins.servers.get(server)?.tools.get(call.tool);
  if (pin === undefined && (digest === undefined && hints === undefined)) return;
  const viewer = viewerOf(detected);
  const definition = definitionOf(digest, undefined);
  if (pin === undefined) {
    serverPins(tenant.pins, server);
    pin = newPin(definition, undefined, event.event_id, timeMs, viewer);
    if (!addPin(tenant.pins, server, call.tool, pin, config.pins_max)) return;
  } else if (digest !== undefined) {
    const seen = { server, tool: call.tool, definition, whole: digest, listed: undefined, viewer };
    const changes = compare(config, detected, pin, seen, serverPins(tenant.pins, server));
    raiseChanges(changes, tenant, timeMs, raise);
  }
  if (hints !== undefined) judgeHints(pin, call, hints, raise);
  if (fresh.call) noteUse(pin, detected, call, raise);
}

/** A server that now calls a tool harmless which it called dangerous before. */
function judgeHints(
  pin: Pin,
  call: CallFacts,
  told: NonNullable<NonNullable<CustodyEvent['tool']>['annotations']>,
  raise: Raise,
): void {
  const { hints } = pin;
  const weakened = [
    ...(hints.destructive === true && told.destructive === false ? ['destructive no longer'] : []),
    ...(hints.readOnly === false && told.read_only === true ? ['read-only now'] : []),
  ];
  if (weakened.length > 0) raise(describeWeakened(call, weakened, pin.eventId));
  pin.hints = {
    readOnly: told.read_only ?? hints.readOnly,
    destructive: told.destructive ?? hints.destructive,
  };
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
