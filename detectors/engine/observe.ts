import type { CustodyEvent } from '../../schemas/event.ts';
import { findCall, findCaller, mergeApiCall, mergeInto, newCall, nothingFresh } from './call-merge.ts';
import type { CallContext, CallRecord } from './call-merge.ts';
import type { Fresh } from '../detector.ts';
import type { SessionRecord } from './engine-state.ts';

const maxCalls = 16;
const maxSeen = 128;

/** The call an event is about, with what the event adds to it; a call not seen before is opened. */
export function observeCall(
  session: SessionRecord,
  event: CustodyEvent,
  timeMs: number,
  context: CallContext,
): { call: CallRecord | undefined; fresh: Fresh } {
  if (event.kind === 'api_call') {
    const caller = findCaller(session.calls, event);
    return {
      call: caller,
      fresh: caller === undefined ? nothingFresh : mergeApiCall(caller, event, context),
    };
  }
  if (event.kind !== 'tool_call') return { call: undefined, fresh: nothingFresh };
  const known = findCall(session.calls, event);
  if (known !== undefined) return { call: known, fresh: mergeInto(known, event, false, context) };
  const call = newCall(event, session.callCount, timeMs, context);
  session.callCount += 1;
  session.calls.push(call);
  if (session.calls.length > maxCalls) session.calls.shift();
  return { call, fresh: mergeInto(call, event, true, context) };
}

/** Kinds that tell of an agent's work and so open a session; others are seen within one, or outside any. */
export function opensSession(event: CustodyEvent): boolean {
  switch (event.kind) {
    case 'tool_call':
    case 'session':
    case 'plan':
    case 'policy':
    case 'api_call':
    case 'auth':
      return true;
    default:
      return event.scope !== undefined || event.plan_depth !== undefined || event.retry_count !== undefined;
  }
}

/** Remembers the event id; false when it was there. */
export function isNew(seen: string[], eventId: string): boolean {
  if (seen.includes(eventId)) return false;
  seen.push(eventId);
  if (seen.length > maxSeen) seen.shift();
  return true;
}

export function dropOldest<Key>(keys: Iterator<Key>, from: { delete(key: Key): boolean }): void {
  const oldest = keys.next();
  if (oldest.done !== true) from.delete(oldest.value);
}
