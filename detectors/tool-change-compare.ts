import type { DetectConfig } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import {
  changedParts,
  isShaped,
  keyOf,
  mergedDefinition,
  noteViewer,
  repin,
  type Definition,
  type Pin,
  type ServerPins,
} from './content/tool-pins.ts';
import type { DetectEvent, Finding, Raise } from './detector.ts';
import { tellOnce, type ToldLately } from './learning/told-lately.ts';
import { describeChange, describeMany, type Change } from './tool-change-words.ts';

type Listed = NonNullable<CustodyEvent['listed_tools']>[string];

const dayMs = 24 * 3_600_000;
const maxSingly = 4;

/** A definition of one tool as an event tells it. */
export interface Seen {
  readonly server: string;
  readonly tool: string;
  readonly definition: Definition;
  /** Uncut, as the registry has it. */
  readonly whole: string | undefined;
  readonly listed: Listed | undefined;
  readonly viewer: number | undefined;
}

/** What is different from what was pinned; pins it. */
export function compare(
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
    pins.version !== undefined &&
    event.server?.version !== undefined &&
    pins.version !== event.server.version;
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
export function isApproved({ registry }: DetectEvent, { server, tool, whole }: Seen): boolean | undefined {
  const approved = registry?.tool(server === '' ? undefined : server, tool)?.definitionDigests ?? [];
  if (approved.length === 0 || whole === undefined) return undefined;
  return approved.includes(whole);
}

/** A tool seen for the first time with another definition than those that were approved. */
export function unapprovedChange(detected: DetectEvent, seen: Seen): Change | undefined {
  if (isApproved(detected, seen) !== false) return undefined;
  return {
    ...seen,
    parts: ['whole'],
    before: undefined,
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
export function raiseChanges(
  changes: readonly Change[],
  told: ToldLately,
  timeMs: number,
  raise: Raise,
): void {
  const news = changes.filter(({ server, tool, now, flip }) =>
    tellOnce(
      told,
      `${flip ? 'flip' : 'change'}\n${server}\n${tool}\n${flip ? '' : keyOf(now)}`,
      timeMs,
      dayMs,
    ),
  );
  const order = ['info', 'low', 'medium', 'high', 'critical'];
  const graveFirst = [...news].sort((a, b) => order.indexOf(b.severity) - order.indexOf(a.severity));
  for (const change of graveFirst.slice(0, maxSingly)) raise(describeChange(change));
  const rest = graveFirst.slice(maxSingly);
  if (rest[0] !== undefined) raise(describeMany(rest, rest[0].severity));
}
