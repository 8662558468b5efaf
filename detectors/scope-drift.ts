import type { DetectConfig } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import { isValidTicket, ticketWorth, type TicketWorth } from './approval.ts';
import { isScopeChallenge } from './call-outcome.ts';
import { keptEntry } from './counters/kept-entry.ts';
import { isNews, type ToldTimes } from './counters/told-times.ts';
import type { Decision, DetectEvent, Detector, DetectorState, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import { allowsChange, allowsWriteAll, covers, isWildcard, normalizeGrant } from './scope-algebra.ts';
import {
  describeDrift,
  describeLongLived,
  describeSteps,
  type Drift,
  type Who,
} from './scope-drift-words.ts';

interface ScopeTenant {
  /** Grants each actor holds without alarm, with the number of sessions that taught them. */
  readonly actors: Map<string, Map<string, number>>;
  /** When a grant of an actor last raised an alarm. */
  readonly alarmedMs: ToldTimes<number>;
  /** Sessions with grants that were learned. */
  sessions: number;
}

interface ScopeSession {
  /** What the session held, to be learned when it ends well: actor and grant. */
  taught: { readonly actor: string; readonly grant: string }[] | undefined;
  /** The last grants looked at: most calls of a session repeat them. */
  last: Claim | undefined;
  /** The last answer that asked for more scope, until more is held. */
  challenge: string | undefined;
  /** Events of grants that grew after such an answer. */
  steps: string[] | undefined;
}

/** Everything the verdict on a set of grants depends on. */
interface Claim {
  readonly actor: CustodyEvent['actor'];
  readonly asserted: boolean;
  readonly grants: readonly string[];
  readonly ttlSec: number | undefined;
  readonly decision: Decision;
  readonly ticket: string | undefined;
  readonly registry: string | undefined;
}

type State = DetectorState<ScopeTenant, ScopeSession>;

const maxActors = 2048;
const maxGrantsPerActor = 128;
const maxTaught = 128;
const maxAlarmed = 1024;
const learningSessions = 20;
const alarmAgainMs = 24 * 3_600_000;

/** A new or broader grant for an agent without a change ticket, a wildcard, long-lived `write:*`, or scope that grows step by step. */
export function scopeDrift(config: DetectConfig['scope_drift']): Detector<ScopeTenant, ScopeSession> {
  return {
    id: 'scope-drift',
    version: 3,
    newTenantState: () => ({ actors: new Map(), alarmedMs: new Map(), sessions: 0 }),
    newSessionState: () => ({ taught: undefined, last: undefined, challenge: undefined, steps: undefined }),

    step(detected, state, raise) {
      const { session } = state;
      const { event } = detected;
      if (event.result !== undefined && isScopeChallenge(event.result.code))
        session.challenge = event.event_id;
      const told = event.scope?.grants;
      if (told === undefined || told.length === 0 || detected.decision === 'deny') return;
      const claim = claimOf(detected, told);
      if (session.last !== undefined && sameClaim(session.last, claim)) return;
      session.last = claim;
      const who = actorOf(event);
      const grants = told.map(normalizeGrant).filter((grant) => grant !== '');
      judgeGrants(config, detected, state, who, grants, raise);
    },

    learn({ tenant, session: { taught } }) {
      if (taught === undefined || taught.length === 0) return;
      tenant.sessions += 1;
      for (const { actor, grant } of taught) {
        const held = keptEntry(tenant.actors, actor, maxActors, newGrants, isConfirmed);
        const count = held.get(grant);
        if (count !== undefined || held.size < maxGrantsPerActor) held.set(grant, (count ?? 0) + 1);
      }
    },

    status: ({ sessions }) => ({ learning: sessions < learningSessions, seen: sessions }),
  };
}

const newGrants = () => new Map<string, number>();

/** An actor that few sessions confirmed goes first: made-up names drive out themselves. */
function isConfirmed(held: ReadonlyMap<string, number>): boolean {
  for (const count of held.values()) if (count > 1) return true;
  return false;
}

function judgeGrants(
  config: DetectConfig['scope_drift'],
  detected: DetectEvent,
  state: State,
  who: Who,
  grants: readonly string[],
  raise: Raise,
): void {
  const { tenant, session } = state;
  const worth = ticketWorth(detected);
  const challenge = session.challenge;
  const limitSec = config.write_ttl_max_sec;
  // Told with what else is wrong with the same grant: one page for one grant.
  let longLived = longLivedWrite(config, detected, grants);
  let grew = false;
  for (const grant of grants) {
    const held = heldBy(state, who.key, grant);
    const drift = held ? undefined : driftOf(detected, state, who.key, grant, worth);
    if (challenge !== undefined && !held && isHolder(state, who.key)) grew = true;
    if (drift === undefined) {
      teach(session, who.key, grant);
      continue;
    }
    const matter = itemHash(`${who.key} ${grant}`);
    if (!isNews(tenant.alarmedMs, matter, detected.timeMs, alarmAgainMs, maxAlarmed)) continue;
    const known = [...(tenant.actors.get(who.key)?.keys() ?? [])];
    const whole: Drift = { ...drift, grant, worth, challenge, held: known };
    const finding =
      grant === longLived
        ? describeLongLived(detected, who, grant, limitSec, whole)
        : describeDrift(detected, who, whole);
    if (grant === longLived) longLived = undefined;
    // Learned only if somebody dismisses the alert; what is merely low is learned where it changes nothing.
    if (finding.severity !== 'low' || !allowsChange(grant)) teach(session, who.key, grant);
    raise(finding);
  }
  if (longLived !== undefined) raise(describeLongLived(detected, who, longLived, limitSec));
  if (!grew) return;
  session.challenge = undefined;
  const steps = (session.steps ??= []);
  if (steps.length < 16) steps.push(detected.event.event_id);
  if (steps.length >= config.step_ups && !isValidTicket(worth))
    raise(describeSteps(who, steps, grants.length, config.step_ups));
}

function claimOf({ event, decision, ticket, registry }: DetectEvent, grants: readonly string[]): Claim {
  const asserted = event.fact_sources?.['actor.id'] === 'client_asserted';
  const ttlSec = event.scope?.ttl_sec;
  return { actor: event.actor, asserted, grants, ttlSec, decision, ticket, registry: registry?.digest };
}

function sameClaim(one: Claim, other: Claim): boolean {
  return (
    one.asserted === other.asserted &&
    one.ttlSec === other.ttlSec &&
    one.decision === other.decision &&
    one.ticket === other.ticket &&
    one.registry === other.registry &&
    one.actor?.id === other.actor?.id &&
    one.actor?.type === other.actor?.type &&
    one.actor?.runtime_id === other.actor?.runtime_id &&
    one.actor?.user_id === other.actor?.user_id &&
    one.grants.length === other.grants.length &&
    one.grants.every((grant, index) => grant === other.grants[index])
  );
}

/** An id only the client itself asserts has a baseline of its own: claiming a name must not inherit its grants. */
function actorOf({ actor, fact_sources: sources }: CustodyEvent): Who {
  const name = actor?.id ?? actor?.runtime_id ?? actor?.user_id ?? 'unknown';
  const path = actor?.id === undefined ? 'actor.runtime_id' : 'actor.id';
  const trust = sources?.[path] === 'client_asserted' ? 'asserted' : 'vouched';
  return { key: `${trust} ${name}`, name, trust };
}

/** Covered by what the actor held before, or in this session without alarm. */
function heldBy({ tenant, session }: State, actor: string, grant: string): boolean {
  const known = tenant.actors.get(actor);
  if (known?.has(grant) === true) return true;
  for (const held of known?.keys() ?? []) if (covers(held, grant)) return true;
  return session.taught?.some((taught) => taught.actor === actor && covers(taught.grant, grant)) === true;
}

function isHolder({ tenant, session }: State, actor: string): boolean {
  return tenant.actors.has(actor) || session.taught?.some((taught) => taught.actor === actor) === true;
}

function isTaught({ taught }: ScopeSession, actor: string, grant: string): boolean {
  return taught?.some((one) => one.actor === actor && one.grant === grant) === true;
}

function teach(session: ScopeSession, actor: string, grant: string): void {
  const taught = (session.taught ??= []);
  if (taught.length < maxTaught && !isTaught(session, actor, grant)) taught.push({ actor, grant });
}

/** What is wrong with a grant nobody held; `undefined` when it is registered, ticketed or part of the actor's first grants. */
function driftOf(
  { registry, event }: DetectEvent,
  { tenant }: State,
  actor: string,
  grant: string,
  worth: TicketWorth,
): Pick<Drift, 'kind' | 'narrower'> | undefined {
  if (isValidTicket(worth)) return undefined;
  const allowed = registry?.agent(event.actor?.id)?.grants;
  if (allowed?.some((one) => covers(normalizeGrant(one), grant)) === true) return undefined;
  const narrower = narrowerOf(tenant.actors.get(actor), grant);
  if (allowed !== undefined) return { kind: 'unlisted', narrower };
  if (isWildcard(grant)) return { kind: 'wildcard', narrower };
  if (!tenant.actors.has(actor)) {
    const learning = tenant.sessions < learningSessions;
    if (learning || !allowsChange(grant) || heldByOthers(tenant, actor, grant)) return undefined;
  }
  return { kind: narrower === undefined ? 'new' : 'broader', narrower };
}

function narrowerOf(held: ReadonlyMap<string, number> | undefined, grant: string): string | undefined {
  for (const one of held?.keys() ?? []) if (covers(grant, one)) return one;
  return undefined;
}

/** Looks at the first actors only: a bounded amount of work. */
function heldByOthers(tenant: ScopeTenant, self: string, grant: string): boolean {
  let tries = 0;
  for (const [actor, grants] of tenant.actors) {
    if (tries++ >= 64) return false;
    if (actor === self) continue;
    for (const held of grants.keys()) if (covers(held, grant)) return true;
  }
  return false;
}

/** Allowed, for an agent, `write:*` or more, for longer than the limit: wrong even with a ticket. */
function longLivedWrite(
  config: DetectConfig['scope_drift'],
  { event, decision }: DetectEvent,
  grants: readonly string[],
): string | undefined {
  const type = event.actor?.type;
  if (decision !== 'allow' || (type !== undefined && type !== 'agent' && type !== 'unknown'))
    return undefined;
  if ((event.scope?.ttl_sec ?? 0) <= config.write_ttl_max_sec) return undefined;
  return grants.find(allowsWriteAll);
}
