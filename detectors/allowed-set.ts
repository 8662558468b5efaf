import type { DetectConfig } from '../schemas/config.ts';
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
  const found: Violation[] = [];
  const add = (kind: Violation['kind'], who: string, what: string) => found.push({ kind, who, what });
  const { tool } = call;
  const server = call.server ?? event.server?.name;
  if (toolOfCall(registry, call)?.disabled === true) add('disabled-tool', '', call.toolKey);
  const party = (
    kind: 'client' | 'agent',
    name: string | undefined,
    registered: RegisteredClient | RegisteredAgent | undefined,
  ) => {
    if (name === undefined || registered === undefined) return;
    const { servers } = registered;
    if (server !== undefined && servers?.includes(server) === false) add(`${kind}-server`, name, server);
    else if (tool !== '' && !registered.allowsTool(server, tool)) add(`${kind}-tool`, name, call.toolKey);
    if (isOutside(registered.environments, event.environment))
      add(`${kind}-environment`, name, event.environment ?? '');
  };
  party('client', event.client?.name, registry.client(event.client?.name));
  party('agent', event.actor?.id, registry.agent(event.actor?.id));
  if (
    event.environment !== undefined &&
    isOutside(environmentsOf(registry, server, call.zone), event.environment)
  )
    add('server-environment', server ?? call.toolKey, event.environment);
  for (const destination of call.destinations) {
    const allowed = registry.allowsDestination(destination);
    if (allowed === false) add('denied-destination', call.toolKey, destination);
    else if (
      allowed === undefined &&
      registry.isComplete('destinations') &&
      registry.zoneOfDestination(destination) === undefined
    )
      add('unlisted-destination', call.toolKey, destination);
  }
  return found.length === 0 ? none : found;
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
