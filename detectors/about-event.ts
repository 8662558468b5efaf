import type { DetectEvent, FindingSubject } from './detector.ts';

/** For findings that are told when another event's turn is: whom the event is of. What it was done to is the detector's to say. */
export function aboutEvent<Done extends Pick<FindingSubject, 'serverName' | 'toolName' | 'decision'>>(
  { event, session }: DetectEvent,
  done: Done,
): FindingSubject & Done {
  return {
    sessionKey: session.key === '' ? undefined : session.key,
    traceId: event.trace?.trace_id,
    actorId: event.actor?.id,
    userId: event.actor?.user_id,
    ...done,
  };
}
