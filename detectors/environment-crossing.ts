import { keptEntry } from './counters/kept-entry.ts';
import { isConsequential, type CallFacts, type DetectEvent, type Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import { describeEnvironments } from './zone-crossing-words.ts';

/** An environment, of the tools or of the agent: those two may differ. */
interface Environment {
  readonly side: 'tool' | 'agent';
  readonly name: string;
}

/** Where a credential was first seen. */
interface Place extends Environment {
  readonly eventId: string;
}

export interface EnvironmentTenant {
  /** By token digest, least recently used first. */
  readonly credentials: Map<string, Place>;
}

export interface EnvironmentSession {
  /** Environments it worked in, each with its first event. */
  readonly environments: Place[];
}

/** What the tenant's benign sessions do, and what this one will teach. */
export interface UsualWays<Tenant, Session> {
  isUsual(tenant: Tenant, edge: number): boolean;
  isLearned(tenant: Tenant): boolean;
  note(session: Session, edge: number): void;
}

const maxCredentials = 1024;
const maxEnvironments = 8;

/** One session or one credential is used in two environments, and that is not the tenant's habit. */
export function judgeEnvironments<Tenant extends EnvironmentTenant, Session extends EnvironmentSession>(
  detected: DetectEvent,
  call: CallFacts,
  { tenant, session }: { readonly tenant: Tenant; readonly session: Session },
  raise: Raise,
  ways: UsualWays<Tenant, Session>,
): void {
  const environment = environmentOf(detected, call);
  if (environment === undefined || detected.decision === 'deny') return;
  const { name, side } = environment;
  const here: Place = { name, side, eventId: detected.event.event_id };
  const judgePair = (by: 'session' | 'credential', before: Place) => {
    if (before.side !== side || before.name === name) return;
    const edge = itemHash(`environment\n${by}\n${side}\n${[before.name, name].sort().join('\n')}`);
    ways.note(session, edge);
    if (ways.isUsual(tenant, edge)) return;
    const severity =
      ways.isLearned(tenant) && (by === 'credential' || isConsequential(call.action)) ? 'medium' : 'low';
    raise(
      describeEnvironments(by, severity, { call, before: before.name, now: name, evidence: before.eventId }),
    );
  };
  const { environments } = session;
  const known = environments.some((place) => place.side === side && place.name === name);
  if (!known && environments.length < maxEnvironments) {
    for (const before of environments) judgePair('session', before);
    environments.push(here);
  }
  const token = detected.event.scope?.token_digest;
  if (token === undefined) return;
  const { credentials } = tenant;
  const place = keptEntry(credentials, token, maxCredentials, () => here);
  judgePair('credential', place);
}

/** Of the tool where it is registered or told by who stands beside it; else of the agent. */
function environmentOf({ event, registry }: DetectEvent, call: CallFacts): Environment | undefined {
  const registered = registry?.zone(call.zone)?.environment;
  if (registered !== undefined) return { side: 'tool', name: registered };
  const ofServer = registry?.server(call.server)?.environments;
  const only = ofServer?.length === 1 ? ofServer[0] : undefined;
  if (only !== undefined) return { side: 'tool', name: only };
  const { vantage } = event.source;
  const { environment } = event;
  if (environment === undefined) return undefined;
  return { side: vantage === 'server' || vantage === 'gateway' ? 'tool' : 'agent', name: environment };
}
