import type { RegisteredTicket } from './registry.ts';
import { matcherOf } from './glob.ts';
import { toolMatcher } from './tool-patterns.ts';

/** Whether a ticket is for this agent and this tool; what it does not name it is for. */
export function ticketCovers(
  { agents, tools }: RegisteredTicket,
  agent: string | undefined,
  server: string | undefined,
  tool: string | undefined,
): boolean {
  if (agents !== undefined && (agent === undefined || !matcherOf(agents)(agent))) return false;
  return tools === undefined || (tool !== undefined && toolMatcher(tools)(server, tool));
}
