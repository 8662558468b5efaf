import type { DetectEvent } from './detector.ts';
import { ticketCovers } from './registry/ticket-covers.ts';
import { shown } from './wording.ts';

/**
 * What a change ticket is worth. `told`: nobody has registered tickets, so any counts. `unknown`: tickets are registered, and this one
 * is not, or is not valid at this time. `elsewhere`: it is for another agent or tool.
 */
export type TicketWorth = 'none' | 'told' | 'registered' | 'unknown' | 'elsewhere';

export function ticketWorth({
  event,
  call,
  ticket,
  registry,
  timeMs,
}: Pick<DetectEvent, 'event' | 'call' | 'ticket' | 'registry' | 'timeMs'>): TicketWorth {
  if (ticket === undefined) return 'none';
  if (registry?.knowsTickets !== true) return 'told';
  const registered = registry.ticket(ticket, timeMs);
  if (registered === undefined) return 'unknown';
  const tool = call?.tool ?? event.tool?.name;
  return ticketCovers(registered, event.actor?.id, call?.server ?? event.server?.name, tool)
    ? 'registered'
    : 'elsewhere';
}

export function isValidTicket(worth: TicketWorth): boolean {
  return worth === 'told' || worth === 'registered';
}

/** For a sentence: `without a change ticket`. */
export function ticketWords(worth: TicketWorth, ticket: string | undefined): string {
  const named = shown(ticket ?? '', 48);
  switch (worth) {
    case 'none':
      return 'without a change ticket';
    case 'unknown':
      return `with ticket ${named}, which is not registered or not valid at that time`;
    case 'elsewhere':
      return `with ticket ${named}, which is for another agent or tool`;
    default:
      return `with ticket ${named}`;
  }
}
