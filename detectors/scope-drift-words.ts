import { isValidTicket, ticketWords, ticketWorth, type TicketWorth } from './approval.ts';
import type { DetectEvent, Finding } from './detector.ts';
import { references } from './references.ts';
import { allowsChange } from './scope-algebra.ts';
import { shown } from './wording.ts';

export interface Who {
  readonly key: string;
  readonly name: string;
  readonly trust: 'vouched' | 'asserted';
}

/** What is wrong with a grant; names come from outside. */
export interface Drift {
  /** `unlisted`: the registry lists the actor's grants, and this is none of them. */
  readonly kind: 'wildcard' | 'broader' | 'new' | 'unlisted';
  readonly grant: string;
  /** A grant the actor held, which it covers. */
  readonly narrower: string | undefined;
  readonly worth: TicketWorth;
  /** The event that asked for more scope. */
  readonly challenge: string | undefined;
  /** Before. */
  readonly held: readonly string[];
}

/** `drift`: what else is wrong with the same grant, so that one grant is told once. */
export function describeLongLived(
  detected: DetectEvent,
  who: Who,
  grant: string,
  limitSec: number,
  drift?: Drift,
): Finding {
  const ttlSec = detected.event.scope?.ttl_sec ?? 0;
  const worth = ticketWorth(detected);
  const ticket = isValidTicket(worth)
    ? ` (ticket ${shown(detected.ticket ?? '')})`
    : ` ${ticketWords(worth, detected.ticket)}`;
  const told = drift === undefined ? undefined : describeDrift(detected, who, drift);
  const also =
    drift === undefined ? '' : ` ${kindWords[drift.kind]}; ${beforeWords(drift)}.${askedWords(drift)}`;
  return {
    title: 'Long-lived write access to everything for an agent',
    severity: 'high',
    score: Math.max(1 - limitSec / (2 * ttlSec), told?.score ?? 0),
    reason: `${actorWords(who)} was allowed ${shown(grant)} for ${ttlSec} s${ticket}; the limit is ${limitSec} s.${also}`,
    observed: `${shown(grant)} for ${ttlSec} s, policy decision allow${told === undefined ? '' : `; ${told.observed}`}`,
    normal: `write access to everything for at most ${limitSec} s${told === undefined ? '' : `; ${told.normal}`}`,
    distance: `${(ttlSec / limitSec).toFixed(1)} times the limit${told === undefined ? '' : `; ${told.distance}`}`,
    dedupKey: `long-lived ${who.key} ${grant}`,
    ...(told?.evidence === undefined ? {} : { evidence: told.evidence }),
    references: references['scope-drift'],
  };
}

const titles: Readonly<Record<Drift['kind'], string>> = {
  wildcard: 'Wildcard grant without change ticket',
  broader: 'Broader grant without change ticket',
  new: 'Broader grant without change ticket',
  unlisted: 'Grant the registry does not list',
};

const kindWords: Readonly<Record<Drift['kind'], string>> = {
  wildcard: 'It is a wildcard this actor did not hold',
  broader: 'It is more than this actor held',
  new: 'This actor did not hold it',
  unlisted: 'The registry does not list it for this actor',
};

function beforeWords({ held }: Drift): string {
  if (held.length === 0) return 'no grants before';
  const newest = held.slice(-3).map((one) => shown(one, 48));
  return `before: ${newest.join(', ')}`;
}

const askedWords = ({ challenge }: Drift) =>
  challenge === undefined ? '' : ' The server had asked for more scope (insufficient_scope).';

export function describeDrift({ event, ticket }: DetectEvent, who: Who, drift: Drift): Finding {
  const { kind, grant, narrower, held, worth, challenge } = drift;
  const ttlSec = event.scope?.ttl_sec;
  const changes = allowsChange(grant);
  const severity = severityOf(kind, changes, challenge !== undefined);
  return {
    title: titles[kind],
    severity,
    score: severity === 'low' ? 0.4 : kind === 'wildcard' ? 0.9 : changes ? 0.75 : 0.5,
    reason: `${actorWords(who)} received ${shown(grant)}${ttlSec === undefined ? '' : ` for ${ttlSec} s`} ${ticketWords(worth, ticket)}; ${beforeWords(drift)}.${askedWords(drift)}`,
    observed: `${kind === 'broader' || kind === 'wildcard' ? `${kind} grant` : 'new grant'} ${shown(grant)}`,
    normal:
      kind === 'unlisted'
        ? 'the grants that the registry lists for this actor'
        : held.length === 0
          ? 'no grant of this actor is known'
          : `${held.length} known grants of this actor`,
    distance:
      narrower === undefined
        ? 'not covered by any grant the actor held'
        : `covers ${shown(narrower)}, which the actor held, and more`,
    dedupKey: `grant ${who.key} ${grant}`,
    ...(challenge === undefined ? {} : { evidence: [challenge] }),
    references: references['scope-drift'],
  };
}

/** Scope that grew again and again because servers asked for more. */
export function describeSteps(who: Who, steps: readonly string[], grants: number, limit: number): Finding {
  const observed = `${actorWords(who)} was granted more ${steps.length} times in one session after servers had asked for it, ${grants} grants by now`;
  return {
    title: 'Scope grows step by step',
    severity: 'medium',
    score: 1 - limit / (2 * steps.length),
    reason: `${observed}; none of it has a change ticket.`,
    observed,
    normal: `fewer than ${limit} such steps in a session`,
    distance: `${steps.length} of ${limit}`,
    dedupKey: `steps ${who.key}`,
    evidence: steps,
    references: references['scope-drift'],
  };
}

/** A step up that the server asked for is how MCP works: one of them is no page. */
function severityOf(kind: Drift['kind'], changes: boolean, isAsked: boolean): Finding['severity'] {
  if (kind === 'wildcard') return changes ? 'high' : 'medium';
  if (kind === 'unlisted') return changes ? 'high' : 'medium';
  return changes && !isAsked ? 'medium' : 'low';
}

function actorWords({ name, trust }: Who): string {
  const actor = `Actor ${shown(name)}`;
  return trust === 'asserted' ? `${actor} (an id only the client asserts)` : actor;
}
