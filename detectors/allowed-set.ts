import type { DetectConfig } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import { toolOfCall } from './registry/tool-of-call.ts';
import { describeViolation, type Violation } from './allowed-set-words.ts';
import { ticketWorth } from './approval.ts';
import { wasMade } from './call-outcome.ts';
import { admit, newFloodGuard, type FloodGuard } from './counters/flood-guard.ts';
import { pushBounded } from './counters/kept-entry.ts';
import type { CallFacts, DetectEvent, Detector, Raise } from './detector.ts';
import type { RegisteredAgent, RegisteredClient, Registry } from './registry/registry.ts';

interface AllowedTenant {
  readonly flood: FloodGuard;
}

interface AllowedSession {
  /** Violations raised in this session. */
  raised: string[] | undefined;
}

const maxRaised = 32;

/** A call that went through although the registry says that this client, agent, environment or destination may not. */
export function allowedSet(config: DetectConfig['allowed_set']): Detector<AllowedTenant, AllowedSession> {
  return {
    id: 'allowed-set',
    version: 1,
    kinds: ['tool_call', 'api_call'],
    newTenantState: () => ({ flood: newFloodGuard() }),
    newSessionState: () => ({ raised: undefined }),

    step(detected, { tenant, session }, raise) {
      const { call, registry } = detected;
      // Where it was refused, the rule has held.
      if (registry === undefined || call === undefined || wasMade(detected) !== 'yes') return;
      tell(config, tenant, session, detected, call, violationsOf(detected, call, registry), raise);
    },
  };
}

function tell(
  config: DetectConfig['allowed_set'],
  tenant: AllowedTenant,
  session: AllowedSession,
  detected: DetectEvent,
  call: CallFacts,
  violations: readonly Violation[],
  raise: Raise,
): void {
  for (const violation of violations) {
    const key = `${violation.kind} ${violation.who} ${violation.what}`;
    if (session.raised?.includes(key) === true) continue;
    const admitted = admit(tenant.flood, detected.timeMs, config.alerts_per_hour);
    if (admitted === 'no') return;
    pushBounded((session.raised ??= []), key, maxRaised);
    const isExcepted = ticketWorth(detected) === 'registered';
    raise(describeViolation(violation, call, key, isExcepted, admitted === 'last'));
  }
}

const none: readonly Violation[] = [];

function violationsOf(detected: DetectEvent, call: CallFacts, registry: Registry): readonly Violation[] {
  const { event } = detected;
  const { client, actor } = event;
  let found: readonly Violation[] = none;
  if (toolOfCall(registry, call)?.disabled === true)
    found = [{ kind: 'disabled-tool', who: '', what: call.toolKey }];
  const ofClient = registry.client(client?.name);
  if (ofClient !== undefined)
    found = [...found, ...ofParty('client', client?.name ?? '', ofClient, event, call)];
  const ofAgent = registry.agent(actor?.id);
  if (ofAgent !== undefined) found = [...found, ...ofParty('agent', actor?.id ?? '', ofAgent, event, call)];
  const server = call.server ?? event.server?.name;
  const { environment } = event;
  if (environment !== undefined && isOutside(environmentsOf(registry, server, call.zone), environment))
    found = [...found, { kind: 'server-environment', who: server ?? call.toolKey, what: environment }];
  for (const destination of call.destinations) {
    const kind = judgedDestination(registry, destination);
    if (kind !== undefined) found = [...found, { kind, who: call.toolKey, what: destination }];
  }
  return found;
}

/** What the client or the agent may not do. */
function ofParty(
  kind: 'client' | 'agent',
  name: string,
  party: RegisteredClient | RegisteredAgent,
  event: CustodyEvent,
  call: CallFacts,
): readonly Violation[] {
  const server = call.server ?? event.server?.name;
  const found: Violation[] = [];
  if (server !== undefined && party.servers?.includes(server) === false)
    found.push({ kind: `${kind}-server`, who: name, what: server });
  else if (call.tool !== '' && !party.allowsTool(server, call.tool))
    found.push({ kind: `${kind}-tool`, who: name, what: call.toolKey });
  if (isOutside(party.environments, event.environment))
    found.push({ kind: `${kind}-environment`, who: name, what: event.environment ?? '' });
  return found;
}

function judgedDestination(registry: Registry, destination: string): Violation['kind'] | undefined {
  const allowed = registry.allowsDestination(destination);
  if (allowed !== undefined) return allowed ? undefined : 'denied-destination';
  const isListed =
    !registry.isComplete('destinations') || registry.zoneOfDestination(destination) !== undefined;
  return isListed ? undefined : 'unlisted-destination';
}

/** Where a server belongs: as registered, else by its zone. */
function environmentsOf(
  registry: Registry,
  server: string | undefined,
  zone: string | undefined,
): readonly string[] {
  const own = registry.server(server)?.environments ?? [];
  const ofZone = own.length > 0 ? undefined : registry.zone(zone)?.environment;
  return ofZone === undefined ? own : [ofZone];
}

function isOutside(environments: readonly string[], environment: string | undefined): boolean {
  if (environment === undefined || environments.length === 0) return false;
  const told = environment.toLowerCase();
  return !environments.some((one) => one.toLowerCase() === told);
}
