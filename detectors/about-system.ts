import type { FindingSubject } from './detector.ts';

/** For findings about a server, a tool or a source rather than about the session that happened to show them. */
export function aboutSystem(serverName?: string, toolName?: string): FindingSubject {
  return {
    sessionKey: undefined,
    traceId: undefined,
    actorId: undefined,
    userId: undefined,
    serverName,
    toolName,
    decision: undefined,
  };
}
