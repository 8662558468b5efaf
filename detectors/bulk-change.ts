import type { DetectConfig } from '../schemas/config.ts';
import { addDistinct, keptEntry } from './counters/kept-entry.ts';
import { isConsequential, type CallFacts, type DetectEvent, type Detector, type Raise } from './detector.ts';
import { references } from './references.ts';
import { ticketInForce } from './ticket-in-force.ts';
import { shown } from './wording.ts';

/** What one tool has changed in the session. */
interface Changes {
  items: number;
  calls: number;
  /** Items counted so far, by call in turn with their number: observers of one call tell it again. */
  readonly counted: number[];
  readonly eventIds: string[];
}

/** By tool; made with the first change. */
interface BulkSession {
  tools: Map<number, Changes> | undefined;
}

const maxTools = 16;
/** Calls whose observations the engine still merges. */
const maxCounted = 16;
const maxEvidence = 8;

/** More things changed at once, or bit by bit in one session, than anybody should change without a ticket. */
export function bulkChange(config: DetectConfig['bulk_change']): Detector<undefined, BulkSession> {
  return {
    id: 'bulk-change',
    version: 1,
    kinds: ['tool_call'],
    newTenantState: () => undefined,
    newSessionState: () => ({ tools: undefined }),

    step(detected, { session }, raise) {
      const { call } = detected;
      if (call === undefined || call.continuation || !changes(call) || isRefused(detected, call)) return;
      const { event, registry } = detected;
      if (!detected.fresh.call && event.item_count === undefined) return;
      session.tools ??= new Map();
      const tool = keptEntry(session.tools, call.toolHash, maxTools, newChanges);
      const items = count(tool, call, event.item_count ?? 1, event.event_id);
      if (ticketInForce(detected) !== undefined) return;
      const limit = registry?.tool(call.server, call.tool)?.itemCountMax ?? config.items_max;
      if (items > limit) raiseBulk('call', detected, call, items, limit, tool, raise);
      else if (tool.items > limit && tool.calls > 1)
        raiseBulk('session', detected, call, tool.items, limit, tool, raise);
    },
  };
}

function newChanges(): Changes {
  return { items: 0, calls: 0, counted: [], eventIds: [] };
}

function changes({ action, traits }: CallFacts): boolean {
  return isConsequential(action) || traits.changesState;
}

function isRefused({ decision }: DetectEvent, { category }: CallFacts): boolean {
  return decision === 'deny' || category === 'denied' || category === 'rate_limited';
}

/** Items of the call: the largest number any observer told. */
function count(tool: Changes, call: CallFacts, told: number, eventId: string): number {
  const { counted } = tool;
  let at = 0;
  while (at < counted.length && counted[at] !== call.index) at += 2;
  const before = counted[at + 1];
  const items = Math.max(before ?? 0, told);
  if (before === undefined) {
    tool.calls += 1;
    counted.push(call.index, items);
    if (counted.length > 2 * maxCounted) counted.splice(0, 2);
  } else counted[at + 1] = items;
  tool.items += items - (before ?? 0);
  addDistinct(tool.eventIds, eventId, maxEvidence);
  return items;
}

function raiseBulk(
  per: 'call' | 'session',
  detected: DetectEvent,
  call: CallFacts,
  items: number,
  limit: number,
  tool: Changes,
  raise: Raise,
): void {
  const name = shown(call.toolKey, 200);
  const { ticket } = detected;
  const observed =
    per === 'call'
      ? `one call of ${name} changed ${items} items`
      : `${tool.calls} calls of ${name} in this session changed ${items} items`;
  const without =
    ticket === undefined
      ? 'without a change ticket'
      : `with ticket ${shown(ticket)}, which is not valid for it`;
  const normal = `at most ${limit} without a change ticket`;
  raise({
    title: 'Bulk change without a change ticket',
    severity: call.traits.destructive || items >= 10 * limit ? 'critical' : 'high',
    score: items / (items + limit),
    reason: `In the session, ${observed} ${without}; allowed is ${normal}.`,
    observed: `${observed} ${without}`,
    normal,
    distance: `${(items / limit).toFixed(1)} times the limit`,
    dedupKey: `${per} ${call.toolKey}`,
    evidence: per === 'call' ? [call.eventId] : tool.eventIds,
    references: references['bulk-change'],
  });
}
