import { hash } from 'node:crypto';
import type { Alert } from '../../schemas/alert.ts';
import type { IncidentChange } from '../../schemas/incident.ts';
import { uuidOfDigest } from './alert-build.ts';
import { addToRisk, riskOf, type RiskFacts } from './incident-risk.ts';
import { dropOldest } from './observe.ts';

/** Incidents of a tenant that a further alert may join, or must name; bounded, least recently joined first. */
export interface IncidentTable {
  readonly incidents: Map<string, OpenIncident>;
  /** What an alert is about (hashed) to the incident it is worked on in. */
  readonly places: Map<string, string>;
}

export interface OpenIncident extends RiskFacts {
  readonly id: string;
  /** Session of its first alert (hashed). */
  readonly home: string | undefined;
  readonly firstMs: number;
  lastMs: number;
  sessionCount: number;
  /** Resolved: takes no more alerts. */
  closed: boolean;
}

/** Where the further alerts of a session go. */
export interface CurrentIncident {
  readonly id: string;
  /** The session's own alert began it; false where the session only shares a matter with it. */
  readonly isOwn: boolean;
}

/** Where an alert belongs. */
export interface Joined extends CurrentIncident {
  /** Of the incident so far, in [0, 100]. */
  readonly risk: number;
  /** Incidents that share a session, matter or actor with the alert and are not its own: resolved ones, and neighbours. */
  readonly related: readonly string[];
}

export interface JoinContext {
  readonly timeMs: number;
  /** The call changed, ran or sent something and was not refused. */
  readonly consequence: boolean;
  /** Incident that the session's alerts go to so far, where the alert is about the session of the event. */
  readonly current: CurrentIncident | undefined;
}

export const newIncidentTable = (): IncidentTable => ({ incidents: new Map(), places: new Map() });

const maxIncidents = 128;
const maxPlaces = 512;
const maxRelated = 4;
/** The same session or matter again after this long without an alert is a new incident. */
const sameMatterMs = 24 * 3_600_000;
/** An alert without session joins what the same actor was seen in this recently. */
const sameActorMs = 30 * 60_000;
/** Beyond these an incident takes alerts of its own sessions only. */
const maxSessions = 32;
const maxSpanMs = 7 * sameMatterMs;

/**
 * The incident an alert belongs to: the one of its session, else the one about the same matter, else, without a session,
 * the one of its actor, else a new one. Incidents are never united: a verdict about one must not reach over another that
 * nobody looked at. The id is derived from the first alert, so that a replay gives the same.
 */
export function joinIncident(table: IncidentTable, alert: Alert, context: JoinContext): Joined {
  const { timeMs } = context;
  const about = placesOf(alert);
  const bySession =
    about.session === undefined
      ? undefined
      : (knownAt(table, about.session, timeMs, sameMatterMs) ?? known(table, context.current?.id));
  const byMatter = knownAt(table, about.matter, timeMs, sameMatterMs);
  const byActor =
    about.session === undefined && about.actor !== undefined
      ? knownAt(table, about.actor, timeMs, sameActorMs)
      : undefined;
  const isOwn = (incident: OpenIncident) =>
    (about.session !== undefined && incident.home === about.session) ||
    (incident.id === context.current?.id && context.current.isOwn);
  // A serious finding of another matter, in a session that is in the incident only because it shares a matter with it:
  // whoever dismissed the noise would dismiss the finding with it.
  const isHidden = bySession !== undefined && byMatter !== bySession && isSerious(alert) && !isOwn(bySession);
  const candidates = [isHidden ? undefined : bySession, roomIn(byMatter, timeMs), roomIn(byActor, timeMs)];
  const found = candidates.find((candidate) => candidate?.closed === false);
  const incident = found ?? newIncident(alert, about.session, timeMs);

  incident.lastMs = Math.max(incident.lastMs, timeMs);
  addToRisk(incident, {
    detectorId: alert.detector.id,
    severity: alert.severity,
    consequence: context.consequence,
  });
  remember(table, incident, about, roomIn(byMatter, timeMs));
  const related = [bySession, byMatter, byActor].flatMap((other) =>
    other === undefined || other === incident ? [] : [other.id],
  );
  return {
    id: incident.id,
    isOwn: isOwn(incident),
    risk: riskOf(incident),
    related: [...new Set(related)].slice(0, maxRelated),
  };
}

/** A resolved incident takes no more alerts, until somebody opens it again. */
export function changeIncident(table: IncidentTable, { incident_id, status }: IncidentChange): void {
  const incident = table.incidents.get(incident_id);
  if (incident !== undefined && status !== undefined) incident.closed = status === 'resolved';
}

interface Places {
  readonly session: string | undefined;
  readonly matter: string;
  readonly actor: string | undefined;
}

/** Hashed, as the names come from outside and may be long. */
function placesOf({ session_key, detector, dedup_key, actor_id }: Alert): Places {
  const place = (kind: string, name: string) => hash('sha256', `${kind}\n${name}`, 'base64url').slice(0, 22);
  return {
    session: session_key === undefined ? undefined : place('session', session_key),
    matter: place('matter', `${detector.id}\n${dedup_key}`),
    actor: actor_id === undefined ? undefined : place('actor', actor_id),
  };
}

function known(table: IncidentTable, id: string | undefined): OpenIncident | undefined {
  return id === undefined ? undefined : table.incidents.get(id);
}

function knownAt(
  table: IncidentTable,
  place: string,
  timeMs: number,
  windowMs: number,
): OpenIncident | undefined {
  const incident = known(table, table.places.get(place));
  return incident !== undefined && Math.abs(timeMs - incident.lastMs) < windowMs ? incident : undefined;
}

function isSerious({ severity }: Alert): boolean {
  return severity === 'high' || severity === 'critical';
}

function roomIn(incident: OpenIncident | undefined, timeMs: number): OpenIncident | undefined {
  if (incident === undefined || incident.sessionCount >= maxSessions) return undefined;
  return timeMs - incident.firstMs < maxSpanMs ? incident : undefined;
}

function newIncident(alert: Alert, home: string | undefined, timeMs: number): OpenIncident {
  return {
    id: uuidOfDigest(hash('sha256', `custody.incident/v1\n${alert.tenant}\n${alert.alert_id}`, 'hex')),
    home,
    firstMs: timeMs,
    lastMs: timeMs,
    sessionCount: 0,
    closed: false,
    alertCount: 0,
    weights: new Map(),
    consequence: false,
  };
}

/** Further alerts about the same find the incident; a matter stays with the open incident it has, while that has room. */
function remember(
  table: IncidentTable,
  incident: OpenIncident,
  about: Places,
  byMatter: OpenIncident | undefined,
): void {
  const { incidents, places } = table;
  if (about.session !== undefined && places.get(about.session) !== incident.id) incident.sessionCount += 1;
  const keepsMatter = byMatter !== undefined && byMatter !== incident && !byMatter.closed;
  const point = (place: string, id: string) => {
    places.delete(place);
    places.set(place, id);
    if (places.size > maxPlaces) dropOldest(places.keys(), places);
  };
  if (about.actor !== undefined) point(about.actor, incident.id);
  point(about.matter, keepsMatter ? byMatter.id : incident.id);
  if (about.session !== undefined) point(about.session, incident.id);
  incidents.delete(incident.id);
  incidents.set(incident.id, incident);
  if (incidents.size > maxIncidents) dropOldest(incidents.keys(), incidents);
}
