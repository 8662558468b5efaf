import type { DetectConfig } from '../schemas/config.ts';
import { hasConsequences, wasMade } from './call-outcome.ts';
import { admit, newFloodGuard, type FloodGuard } from './counters/flood-guard.ts';
import { pushBounded } from './counters/kept-entry.ts';
import type { DetectEvent, Detector, Raise } from './detector.ts';
import {
  expireBypass,
  newBypassTenant,
  observeForBypass,
  type BypassSession,
  type BypassTenant,
} from './gateway-bypass.ts';
import { lookAlikeOf } from './look-alike.ts';
import type { Registry } from './registry/registry.ts';
import { toolOfCall } from './registry/tool-of-call.ts';
import { describeUnregistered, type Unregistered } from './unregistered-words.ts';

interface UnregisteredTenant {
  readonly flood: FloodGuard;
  /** Names looked at lately, with what came of it, for one version of the registry. */
  readonly judged: Map<string, Unregistered | undefined>;
  registryDigest: string;
  /** Calls of closed sessions to servers that are registered, and to others. */
  registeredCalls: number;
  strangeCalls: number;
  readonly bypass: BypassTenant;
}

interface UnregisteredSession {
  /** Names raised in this session. */
  raised: string[] | undefined;
  registeredCalls: number;
  strangeCalls: number;
  bypass: BypassSession | undefined;
}

const maxJudged = 128;
const maxRaised = 16;
/** So many calls to registered servers, and at most one in fifty to others: then the registry is what this tenant goes by. */
const coveredCalls = 200;
const coveredRatio = 50;
const callsMemory = 20_000;

/** A server, client, agent or tool that a complete registry does not name, or that looks like one it names; calls past the gateway. */
export function unregistered(
  config: DetectConfig['unregistered'],
): Detector<UnregisteredTenant, UnregisteredSession> {
  return {
    id: 'unregistered',
    version: 2,
    newTenantState: () => ({
      flood: newFloodGuard(),
      judged: new Map(),
      registryDigest: '',
      registeredCalls: 0,
      strangeCalls: 0,
      bypass: newBypassTenant(),
    }),
    newSessionState: () => ({ raised: undefined, registeredCalls: 0, strangeCalls: 0, bypass: undefined }),
    // Whatever comes next tells that time went by: all kinds but those that are about people's work.
    kinds: [
      'tool_call',
      'tool_list',
      'mcp_message',
      'session',
      'auth',
      'api_call',
      'policy',
      'plan',
      'model',
      'context',
    ],

    step(detected, { tenant, session }, raise) {
      const { registry } = detected;
      if (registry !== undefined) {
        if (tenant.registryDigest !== registry.digest) {
          tenant.registryDigest = registry.digest;
          tenant.judged.clear();
        }
        if (detected.fresh.call && detected.event.server?.name !== undefined) {
          if (registry.server(detected.event.server.name) === undefined) session.strangeCalls += 1;
          else session.registeredCalls += 1;
        }
        judgeNames({ config, tenant, session, detected, registry, raise });
        observeForBypass(config, tenant.bypass, session, detected, registry);
      }
      expireBypass(config, tenant.bypass, detected.timeMs, raise);
    },

    learn({ tenant, session }) {
      tenant.registeredCalls += session.registeredCalls;
      tenant.strangeCalls += session.strangeCalls;
      if (tenant.registeredCalls + tenant.strangeCalls <= callsMemory) return;
      tenant.registeredCalls >>= 1;
      tenant.strangeCalls >>= 1;
    },
  };
}

/** What a name is looked up in, and whom to tell. */
interface Judging {
  readonly config: DetectConfig['unregistered'];
  readonly tenant: UnregisteredTenant;
  readonly session: UnregisteredSession;
  readonly detected: DetectEvent;
  readonly registry: Registry;
  readonly raise: Raise;
}

function judgeNames(judging: Judging): void {
  const { registry, detected } = judging;
  const { event, call } = detected;
  const server = event.server?.name;
  judgeName(judging, 'server', server, undefined);
  judgeName(judging, 'client', event.client?.name, undefined);
  if (event.actor?.type === 'agent') judgeName(judging, 'agent', event.actor.id, undefined);
  // A tool of a server nobody knows is told with the server.
  if (call === undefined || toolOfCall(registry, call) !== undefined) return;
  if (isServerKnown(registry, server) && wasMade(detected) === 'yes')
    judgeName(judging, 'tool', call.tool, server);
}

function judgeName(
  { config, tenant, session, detected, registry, raise }: Judging,
  kind: Unregistered['kind'],
  name: string | undefined,
  server: string | undefined,
): void {
  if (name === undefined || name === '' || isKnown(registry, kind, name, server)) return;
  const key = `${kind} ${server === undefined ? '' : `${server}/`}${name}`;
  if (session.raised?.includes(key) === true) return;
  const isHabit = kind === 'server' && isCovered(tenant);
  const found = judgedOf(tenant, `${key}${isHabit ? ' !' : ''}`, () =>
    unregisteredOf(registry, kind, name, server, isHabit),
  );
  if (found === undefined) return;
  const admitted = admit(tenant.flood, detected.timeMs, config.alerts_per_hour);
  if (admitted === 'no') return;
  pushBounded((session.raised ??= []), key, maxRaised);
  const isGrave = detected.call !== undefined && hasConsequences(detected.call);
  raise(describeUnregistered(found, key, isGrave, admitted === 'last'));
}

function isCovered({ registeredCalls, strangeCalls }: UnregisteredTenant): boolean {
  return registeredCalls >= coveredCalls && strangeCalls * coveredRatio <= registeredCalls;
}

function isServerKnown(registry: Registry, server: string | undefined): boolean {
  return server === undefined || !registry.isComplete('servers') || registry.server(server) !== undefined;
}

function isKnown(
  registry: Registry,
  kind: Unregistered['kind'],
  name: string,
  server: string | undefined,
): boolean {
  switch (kind) {
    case 'server':
      return registry.server(name) !== undefined;
    case 'client':
      return registry.client(name) !== undefined;
    case 'agent':
      return registry.agent(name) !== undefined;
    case 'tool':
      return registry.tool(server, name) !== undefined;
  }
}

const lists = { server: 'servers', client: 'clients', agent: 'agents', tool: 'tools' } as const;

/** Looking for look-alikes costs a few thousand look-ups: once for each name. */
function judgedOf(
  { judged: known }: UnregisteredTenant,
  key: string,
  judge: () => Unregistered | undefined,
): Unregistered | undefined {
  if (known.has(key)) return known.get(key);
  const found = judge();
  if (known.size >= maxJudged) known.clear();
  known.set(key, found);
  return found;
}

/**
 * Of a registry that does not claim to be complete names that look the same tell something, and servers where nearly all calls
 * of the tenant go to registered ones.
 */
function unregisteredOf(
  registry: Registry,
  kind: Unregistered['kind'],
  name: string,
  server: string | undefined,
  isHabit: boolean,
): Unregistered | undefined {
  const isComplete = registry.isComplete(lists[kind]);
  // Agents are registered by pattern: a variant that matches one says nothing.
  const lookAlike =
    kind === 'agent' ? undefined : lookAlikeOf(name, (variant) => isKnown(registry, kind, variant, server));
  if (!isComplete && !isHabit && lookAlike?.kind !== 'same-looking') return undefined;
  return { kind, name, server, lookAlike, isComplete, isHabit, registryDigest: registry.digest };
}
