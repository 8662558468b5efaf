import { ticketWords, type TicketWorth } from './approval.ts';
import type { ActionClass, Finding, FindingSubject, SourceFacts } from './detector.ts';
import { accessReferences } from './references-access.ts';
import { capital, shown } from './wording.ts';

/** A call nobody has approved; names come from outside. */
export interface Unapproved {
  /** Hash of actor and tool. */
  readonly pair: number;
  readonly actorKey: string;
  readonly toolKey: string;
  readonly callIndex: number;
  readonly eventId: string;
  readonly action: ActionClass;
  readonly isDestructive: boolean;
  readonly isPrivileged: boolean;
  /** What the registry asks for. */
  readonly requires: 'ticket' | 'approval' | undefined;
  /** Registered as destructive and privileged. */
  readonly isRegisteredGrave: boolean;
  readonly worth: TicketWorth;
  readonly ticket: string | undefined;
  /** A value of the arguments was in what strangers wrote. */
  readonly source: SourceFacts | undefined;
  /** Allowed, and no rule, reason or version says by what. */
  readonly lacksPolicy: boolean;
}

/** The finding in words. Only what is grave keeps the session from being learned from: a missing ticket misleads nobody. */
export function describeUnapproved(unapproved: Unapproved, about: FindingSubject | undefined): Finding {
  const { actorKey, toolKey, callIndex, eventId, action, requires, worth, ticket, source, lacksPolicy } =
    unapproved;
  const severity = severityOf(unapproved);
  const what = kindText(unapproved);
  const lacking =
    requires === 'approval' && worth === 'none' ? 'without an approval' : ticketWords(worth, ticket);
  const observed = `${shown(actorKey)} carried out ${shown(toolKey)} (${what}, ${action}) ${lacking}`;
  const normal =
    requires === undefined
      ? 'destructive and privileged calls of agents have a change ticket or an approver'
      : `the registry requires ${requires === 'ticket' ? 'a change ticket' : 'an approval'} for this tool`;
  const from =
    source === undefined
      ? ''
      : ` A value of its arguments came from ${shown(source.toolKey)} (call ${source.index + 1}), which strangers write.`;
  const policy = lacksPolicy ? ' It was allowed, and no policy is named as the reason.' : '';
  return {
    title:
      requires === undefined
        ? `${capital(what)} call without approval`
        : 'Call without the approval it requires',
    severity,
    holds: severity === 'high',
    score: severity === 'high' ? 0.95 : 0.75,
    reason: `Call ${callIndex + 1}: ${observed}; ${normal}.${from}${policy}`,
    observed,
    normal,
    distance: worth === 'none' ? 'neither ticket nor approver' : 'the ticket does not count',
    dedupKey: `unapproved ${actorKey} ${toolKey}`,
    evidence: source === undefined ? [eventId] : [source.eventId, eventId],
    ...(about === undefined ? {} : { about }),
    references: accessReferences['unapproved-privilege'],
  };
}

function severityOf({
  requires,
  isRegisteredGrave,
  isPrivileged,
  source,
  worth,
}: Unapproved): 'high' | 'medium' {
  if (requires !== undefined || isRegisteredGrave) return 'high';
  // Deleting what a list has named is daily work; giving rights to whom a stranger has named is not.
  if (source !== undefined && isPrivileged) return 'high';
  // A ticket that is not one is worse than none.
  if (worth === 'unknown' || worth === 'elsewhere') return 'high';
  return 'medium';
}

function kindText({ isDestructive, isPrivileged }: Unapproved): string {
  if (isDestructive && isPrivileged) return 'destructive and privileged';
  if (isDestructive) return 'destructive';
  return isPrivileged ? 'privileged' : 'sensitive';
}
