import type { DetectConfig } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import type { Decision, DetectEvent, Detector, DetectorState, Finding } from './detector.ts';
import { references } from './references.ts';
import { allowsChange, allowsWriteAll, covers, isWildcard, normalizeGrant } from './scope-algebra.ts';
import { shown } from './wording.ts';

interface ActorGrants {
  /** Grants held without alarm, with the number of sessions that taught them. */
  readonly held: Map<string, number>;
  /** When each grant last raised an alarm. */
  readonly alarmed: Map<string, number>;
  /** The session that brought the actor's first grants: those are its baseline. */
  firstSession: number;
}

interface ScopeTenant {
  readonly actors: Map<string, ActorGrants>;
  sessions: number;
}

interface ScopeSession {
  /** Number of this session among those with grants, 0 before the first. */
  ordinal: number;
  readonly taught: { readonly actor: string; readonly grant: string }[];
  /** The last grants looked at: most calls of a session repeat them. */
  last: Claim | undefined;
}

/** Everything the verdict on a set of grants depends on. */
interface Claim {
  readonly actor: CustodyEvent['actor'];
  readonly asserted: boolean;
  readonly grants: readonly string[];
  readonly ttlSec: number | undefined;
  readonly decision: Decision;
  readonly ticket: string | undefined;
}

type State = DetectorState<ScopeTenant, ScopeSession>;

const maxActors = 4096;
const maxGrantsPerActor = 128;
const maxTaught = 256;
const learningSessions = 20;
const alarmAgainMs = 24 * 3_600_000;

/** A new or broader grant for an agent without a change ticket, a wildcard, or long-lived `write:*` for an agent. */
export function scopeDrift(config: DetectConfig['scope_drift']): Detector<ScopeTenant, ScopeSession> {
  return {
    id: 'scope-drift',
    version: 1,
    newTenantState: () => ({ actors: new Map(), sessions: 0 }),
    newSessionState: () => ({ ordinal: 0, taught: [], last: undefined }),

    step(detected, state, raise) {
      const told = detected.event.scope?.grants;
      if (told === undefined || told.length === 0 || detected.decision === 'deny') return;
      const { tenant, session } = state;
      const claim = claimOf(detected, told);
      if (session.last !== undefined && sameClaim(session.last, claim)) return;
      session.last = claim;
      if (session.ordinal === 0) session.ordinal = tenant.sessions += 1;
      const who = actorOf(detected.event);
      const grants = told.map(normalizeGrant).filter((grant) => grant !== '');
      const actor = grantsOf(tenant, who.key, session.ordinal);
      const longLived = longLivedWrite(config, detected, grants);
      if (longLived !== undefined)
        raise(describeLongLived(detected, who, longLived, config.write_ttl_max_sec));
      for (const grant of grants) {
        const drift = driftOf(detected, state, actor, grant);
        if (drift === undefined) {
          if (!detected.quarantined) hold(session, actor, who.key, grant);
          continue;
        }
        const beforeMs = actor.alarmed.get(grant);
        if (beforeMs !== undefined && detected.timeMs - beforeMs < alarmAgainMs) continue;
        remember(actor.alarmed, grant, detected.timeMs);
        raise(describeDrift(detected, who, grant, drift, [...actor.held.keys()]));
      }
    },

    quarantine({ tenant, session }) {
      for (const { actor, grant } of session.taught) {
        const held = tenant.actors.get(actor)?.held;
        const count = held?.get(grant) ?? 0;
        if (count > 1) held?.set(grant, count - 1);
        else held?.delete(grant);
      }
      session.taught.length = 0;
    },

    status: ({ sessions }) => ({ learning: sessions < learningSessions, seen: sessions }),
  };
}

function claimOf({ event, decision, ticket }: DetectEvent, grants: readonly string[]): Claim {
  const asserted = event.fact_sources?.['actor.id'] === 'client_asserted';
  return { actor: event.actor, asserted, grants, ttlSec: event.scope?.ttl_sec, decision, ticket };
}

function sameClaim(one: Claim, other: Claim): boolean {
  return (
    one.asserted === other.asserted &&
    one.ttlSec === other.ttlSec &&
    one.decision === other.decision &&
    one.ticket === other.ticket &&
    one.actor?.id === other.actor?.id &&
    one.actor?.type === other.actor?.type &&
    one.actor?.runtime_id === other.actor?.runtime_id &&
    one.actor?.user_id === other.actor?.user_id &&
    one.grants.length === other.grants.length &&
    one.grants.every((grant, index) => grant === other.grants[index])
  );
}

interface Who {
  readonly key: string;
  readonly name: string;
  readonly trust: 'vouched' | 'asserted';
}

/** An id only the client itself asserts has a baseline of its own: claiming a name must not inherit its grants. */
function actorOf({ actor, fact_sources: sources }: CustodyEvent): Who {
  const name = actor?.id ?? actor?.runtime_id ?? actor?.user_id ?? 'unknown';
  const path = actor?.id === undefined ? 'actor.runtime_id' : 'actor.id';
  const trust = sources?.[path] === 'client_asserted' ? 'asserted' : 'vouched';
  return { key: `${trust} ${name}`, name, trust };
}

function grantsOf(tenant: ScopeTenant, key: string, ordinal: number): ActorGrants {
  const known = tenant.actors.get(key);
  if (known !== undefined) return known;
  if (tenant.actors.size >= maxActors) evictActor(tenant.actors);
  const fresh: ActorGrants = { held: new Map(), alarmed: new Map(), firstSession: ordinal };
  tenant.actors.set(key, fresh);
  return fresh;
}

/** An actor that few sessions confirmed goes first: made-up names drive out themselves. */
function evictActor(actors: Map<string, ActorGrants>): void {
  let tries = 0;
  for (const [key, actor] of actors) {
    actors.delete(key);
    tries += 1;
    if (tries === 8 || ![...actor.held.values()].some((count) => count > 1)) return;
    actors.set(key, actor);
  }
}

interface Drift {
  readonly kind: 'wildcard' | 'broader' | 'new';
  readonly narrower: string | undefined;
}

/** What is wrong with the grant, `undefined` when it is covered, ticketed or part of the actor's first grants. */
function driftOf(
  detected: DetectEvent,
  { tenant, session }: State,
  actor: ActorGrants,
  grant: string,
): Drift | undefined {
  if (detected.ticket !== undefined) return undefined;
  for (const held of actor.held.keys()) if (covers(held, grant)) return undefined;
  if (isWildcard(grant)) return { kind: 'wildcard', narrower: narrowerOf(actor, grant) };
  if (actor.firstSession === session.ordinal) {
    const learning = tenant.sessions <= learningSessions;
    if (learning || !allowsChange(grant) || heldByOthers(tenant, actor, grant)) return undefined;
  }
  const narrower = narrowerOf(actor, grant);
  return { kind: narrower === undefined ? 'new' : 'broader', narrower };
}

function narrowerOf(actor: ActorGrants, grant: string): string | undefined {
  for (const held of actor.held.keys()) if (covers(grant, held)) return held;
  return undefined;
}

/** Looks at the first actors only: a bounded amount of work, and the long-known ones come first. */
function heldByOthers(tenant: ScopeTenant, self: ActorGrants, grant: string): boolean {
  let tries = 0;
  for (const actor of tenant.actors.values()) {
    if (tries++ >= 64) return false;
    if (actor === self) continue;
    for (const held of actor.held.keys()) if (covers(held, grant)) return true;
  }
  return false;
}

function hold(session: ScopeSession, actor: ActorGrants, key: string, grant: string): void {
  if (session.taught.length >= maxTaught) return;
  if (session.taught.some((taught) => taught.actor === key && taught.grant === grant)) return;
  const count = actor.held.get(grant);
  if (count === undefined && actor.held.size >= maxGrantsPerActor) return;
  actor.held.set(grant, (count ?? 0) + 1);
  session.taught.push({ actor: key, grant });
}

function remember(alarmed: Map<string, number>, grant: string, timeMs: number): void {
  alarmed.delete(grant);
  alarmed.set(grant, timeMs);
  if (alarmed.size <= maxGrantsPerActor) return;
  const oldest = alarmed.keys().next().value;
  if (oldest !== undefined) alarmed.delete(oldest);
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

function describeLongLived(
  { event, ticket }: DetectEvent,
  who: Who,
  grant: string,
  limitSec: number,
): Finding {
  const ttlSec = event.scope?.ttl_sec ?? 0;
  return {
    title: 'Long-lived write access to everything for an agent',
    severity: 'high',
    score: 1 - limitSec / (2 * ttlSec),
    reason: `${actorWords(who)} was allowed ${shown(grant)} for ${ttlSec} s${ticket === undefined ? ' without a change ticket' : ` (ticket ${shown(ticket)})`}; the limit is ${limitSec} s.`,
    observed: `${shown(grant)} for ${ttlSec} s, policy decision allow`,
    normal: `write access to everything for at most ${limitSec} s`,
    distance: `${(ttlSec / limitSec).toFixed(1)} times the limit`,
    dedupKey: `long-lived ${who.key} ${grant}`,
    references: references['scope-drift'],
  };
}

function describeDrift(
  { event }: DetectEvent,
  who: Who,
  grant: string,
  drift: Drift,
  held: readonly string[],
): Finding {
  const { kind, narrower } = drift;
  const ttlSec = event.scope?.ttl_sec;
  const changes = allowsChange(grant);
  const before =
    held.length === 0
      ? 'no grants before'
      : `before: ${held
          .slice(-3)
          .map((one) => shown(one, 48))
          .join(', ')}`;
  return {
    title:
      kind === 'wildcard' ? 'Wildcard grant without change ticket' : 'Broader grant without change ticket',
    severity: severityOf(kind, changes),
    score: kind === 'wildcard' ? 0.9 : changes ? 0.75 : 0.4,
    reason: `${actorWords(who)} received ${shown(grant)}${ttlSec === undefined ? '' : ` for ${ttlSec} s`} without a change ticket; ${before}.`,
    observed: `${kind === 'new' ? 'new grant' : `${kind} grant`} ${shown(grant)}`,
    normal:
      held.length === 0 ? 'no grant of this actor is known' : `${held.length} known grants of this actor`,
    distance:
      narrower === undefined
        ? 'not covered by any grant the actor held'
        : `covers ${shown(narrower)}, which the actor held, and more`,
    dedupKey: `grant ${who.key} ${grant}`,
    references: references['scope-drift'],
  };
}

function severityOf(kind: Drift['kind'], changes: boolean): Finding['severity'] {
  if (kind === 'wildcard') return changes ? 'high' : 'medium';
  return changes ? 'medium' : 'low';
}

function actorWords({ name, trust }: Who): string {
  const actor = `Actor ${shown(name)}`;
  return trust === 'asserted' ? `${actor} (an id only the client asserts)` : actor;
}
