import type { DetectEvent } from './detector.ts';
import { ticketCovers } from './registry/ticket-covers.ts';

/**
 * The change ticket that allows what the event tells of. Where people register tickets, one that they did not register, that is
 * not valid at that time, or that is for another agent or tool allows nothing.
 */
export function ticketInForce({ event, call, registry, ticket, timeMs }: DetectEvent): string | undefined {
  if (ticket === undefined || registry?.knowsTickets !== true) return ticket;
  const known = registry.ticket(ticket, timeMs);
  if (known === undefined) return undefined;
  const tool = event.tool?.name ?? call?.tool;
  // A change of configuration is about no tool: a ticket that names tools is for those.
  const covers =
    tool === undefined
      ? known.tools === undefined && ticketCovers(known, event.actor?.id, undefined, undefined)
      : ticketCovers(known, event.actor?.id, event.server?.name ?? call?.server, tool);
  return covers ? ticket : undefined;
}
