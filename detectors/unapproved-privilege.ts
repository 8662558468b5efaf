import type { DetectConfig } from '../schemas/config.ts';
import { aboutEvent } from './about-event.ts';
import { isValidTicket, ticketWorth, type TicketWorth } from './approval.ts';
import { wasMade } from './call-outcome.ts';
import { addDistinct, pushBounded } from './counters/kept-entry.ts';
import type { CallFacts, DetectEvent, Detector, FindingSubject, Raise, SourceFacts } from './detector.ts';
import { itemHash, pairHash } from './learning/item-hash.ts';
import type { RegisteredTool, Registry } from './registry/registry.ts';
import { toolOfCall } from './registry/tool-of-call.ts';
import { describeUnapproved, type Unapproved } from './unapproved-privilege-words.ts';

/** A request that nobody has answered yet. */
interface Pending {
  readonly index: number;
  readonly timeMs: number;
  readonly unapproved: Unapproved;
  readonly subject: FindingSubject;
}

interface PrivilegeSession {
  /** Calls somebody approved, by call id, else by tool. */
  approved: string[] | undefined;
  pending: Pending[] | undefined;
  /** Pairs of actor and tool raised. */
  raised: number[] | undefined;
}

const maxApproved = 16;
const maxPending = 16;
const maxRaised = 32;
const pairClass = 13;

/** A privileged or destructive call was carried out, and nobody has approved it. */
export function unapprovedPrivilege(
  config: DetectConfig['unapproved_privilege'],
): Detector<undefined, PrivilegeSession> {
  return {
    id: 'unapproved-privilege',
    version: 1,
    newTenantState: () => undefined,
    newSessionState: () => ({ approved: undefined, pending: undefined, raised: undefined }),
    kinds: ['tool_call', 'policy', 'session', 'plan', 'api_call'],

    step(detected, { session }, raise) {
      keepApproval(session, detected);
      const { call } = detected;
      if (call !== undefined) judgeCall(session, detected, call, raise);
      if (session.pending !== undefined) judgePending(config, session, detected, raise);
    },
  };
}

/** Somebody other than the actor itself has approved; what only the client says of it is worth nothing. */
function keepApproval(session: PrivilegeSession, { event }: DetectEvent): void {
  const approver = event.policy?.approver;
  if (approver === undefined || approver === event.actor?.id) return;
  if (event.fact_sources?.['policy.approver'] === 'client_asserted') return;
  const of = event.tool?.call_id ?? event.tool?.name;
  if (of !== undefined) addDistinct((session.approved ??= []), of, maxApproved);
}

function judgeCall(session: PrivilegeSession, detected: DetectEvent, call: CallFacts, raise: Raise): void {
  const { registry, event } = detected;
  const registered = registry === undefined ? undefined : toolOfCall(registry, call);
  const isRequired = registered?.requiresTicket === true || registered?.requiresApproval === true;
  if (!isRequired && !call.traits.destructive && !call.traits.privileged) return;
  const type = event.actor?.type;
  if (!isRequired && (type === 'human' || type === 'service')) return;
  const made = wasMade(detected);
  const pending = session.pending?.findIndex(({ index }) => index === call.index) ?? -1;
  const worth = ticketWorth(detected);
  const isSettled = made === 'no' || isApproved(session, detected, call, registered, worth);
  if (pending >= 0 && (isSettled || made === 'yes')) session.pending?.splice(pending, 1);
  if (isSettled) return;
  const unapproved = unapprovedOf(detected, call, registered, worth);
  if (made === 'yes') tell(session, unapproved, undefined, raise);
  else if (pending < 0) {
    const subject = aboutEvent(detected, {
      serverName: call.server,
      toolName: call.tool,
      decision: event.policy?.decision,
    });
    pushBounded(
      (session.pending ??= []),
      { index: call.index, timeMs: detected.timeMs, unapproved, subject },
      maxPending,
    );
  }
}

/** Registered tools say whether a ticket or a person's word is needed; for others either will do. */
function isApproved(
  { approved = [] }: PrivilegeSession,
  { event, registry, ticket, timeMs }: DetectEvent,
  call: CallFacts,
  registered: RegisteredTool | undefined,
  worth: TicketWorth,
): boolean {
  const hasTicket = isValidTicket(worth);
  const hasApprover =
    approved.includes(event.tool?.call_id ?? call.tool) ||
    approved.includes(call.tool) ||
    (worth === 'registered' && registry?.ticket(ticket, timeMs)?.approver !== undefined);
  if (registered?.requiresTicket === true && !hasTicket) return false;
  if (registered?.requiresApproval === true && !hasApprover) return false;
  return hasTicket || hasApprover;
}

function unapprovedOf(
  { event, registry, ticket, actorKey, decision }: DetectEvent,
  call: CallFacts,
  registered: RegisteredTool | undefined,
  worth: TicketWorth,
): Unapproved {
  const source = call.values.find(
    (value) =>
      value.origin === 'output' && value.source !== undefined && isOfStrangers(value.source, registry),
  )?.source;
  return {
    pair: pairHash(pairClass, itemHash(actorKey), call.toolHash),
    actorKey,
    toolKey: call.toolKey,
    callIndex: call.index,
    eventId: call.eventId,
    action: call.action,
    isDestructive: call.traits.destructive,
    isPrivileged: call.traits.privileged,
    requires:
      registered?.requiresTicket === true
        ? 'ticket'
        : registered?.requiresApproval === true
          ? 'approval'
          : undefined,
    isRegisteredGrave: registered?.destructive === true && registered.privileged === true,
    worth,
    ticket,
    source,
    lacksPolicy:
      decision === 'allow' &&
      event.policy?.rule === undefined &&
      event.policy?.reason === undefined &&
      event.policy?.version === undefined,
  };
}

/** Registered as written by strangers; that nobody has said what a tool returns is not enough for a page. */
function isOfStrangers(
  { untrusted, server, toolKey, zone }: SourceFacts,
  registry: Registry | undefined,
): boolean {
  if (!untrusted || registry === undefined) return false;
  const tool = server === undefined ? toolKey : toolKey.slice(server.length + 1);
  return registry.tool(server, tool)?.openWorld === true || registry.zone(zone)?.trust === 'external';
}

function tell(
  session: PrivilegeSession,
  unapproved: Unapproved,
  subject: FindingSubject | undefined,
  raise: Raise,
): void {
  const raised = (session.raised ??= []);
  if (raised.includes(unapproved.pair)) return;
  pushBounded(raised, unapproved.pair, maxRaised);
  raise(describeUnapproved(unapproved, subject));
}

/** A request without an answer was carried out as far as anybody can tell. */
function judgePending(
  { answer_within_ms }: DetectConfig['unapproved_privilege'],
  session: PrivilegeSession,
  { event, timeMs }: DetectEvent,
  raise: Raise,
): void {
  const isOver = event.kind === 'session' && event.session?.transition === 'end';
  const { pending = [] } = session;
  while (pending[0] !== undefined && (isOver || timeMs - pending[0].timeMs > answer_within_ms)) {
    const due = pending.shift();
    if (due !== undefined) tell(session, due.unapproved, due.subject, raise);
  }
  if (pending.length === 0) session.pending = undefined;
}
