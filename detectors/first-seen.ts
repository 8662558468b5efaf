import type { DetectConfig } from '../schemas/config.ts';
import { hasConsequences, wasMade } from './call-outcome.ts';
import { keptEntry } from './counters/kept-entry.ts';
import { admit, newFloodGuard, type FloodGuard } from './counters/flood-guard.ts';
import type { CallFacts, DetectEvent, Detector, Finding, Raise } from './detector.ts';
import { describeFirst, type First } from './first-seen-words.ts';
import { itemHash, pairHash } from './learning/item-hash.ts';
import { addItem, type KnownItems } from './learning/known-items.ts';

/** What is known of an actor or of a tool. */
export interface Known {
  /** Sessions it was in. */
  sessions: number;
  /** Of them, since the last that brought something new to it. */
  quiet: number;
  /** Different tools of the actor, actors of the tool. */
  others: number;
}

export interface FirstSeenTenant {
  readonly actors: Map<number, Known>;
  readonly tools: Map<number, Known>;
  /** Actor and tool. */
  readonly pairs: KnownItems;
  sessions: number;
  /** Sessions since the last new actor. */
  quiet: number;
  readonly flood: FloodGuard;
}

interface FirstSeenSession {
  /** Three numbers for each pair: actor, tool, and whether the call had consequences. */
  seen: number[] | undefined;
}

const maxActors = 512;
const maxTools = 1024;
const maxPairs = 4096;
const maxSeen = 3 * 64;
const pairClass = 11;
/** A tool that so few actors use is theirs. */
const fewActors = 4;

/** A tool the actor never used, an actor the tool was never used by, an actor nobody knows. */
export function firstSeen(config: DetectConfig['first_seen']): Detector<FirstSeenTenant, FirstSeenSession> {
  return {
    id: 'first-seen',
    version: 1,
    kinds: ['tool_call'],
    newTenantState: () => ({
      actors: new Map(),
      tools: new Map(),
      pairs: new Map(),
      sessions: 0,
      quiet: 0,
      flood: newFloodGuard(),
    }),
    newSessionState: () => ({ seen: undefined }),

    step(detected, { tenant, session }, raise) {
      const { call, fresh, actorKey } = detected;
      if (call === undefined || (!fresh.call && !fresh.outcome)) return;
      // Nobody told who acts: every session would be an actor of its own.
      if (actorKey === detected.session.key || call.toolKey === '' || wasMade(detected) !== 'yes') return;
      const actor = itemHash(actorKey);
      const pair = pairHash(pairClass, actor, call.toolHash);
      const isConsequential = hasConsequences(call);
      keepSeen(session, actor, call.toolHash, isConsequential);
      if (!tenant.pairs.has(pair)) judge(config, tenant, detected, call, isConsequential, raise);
    },

    learn({ tenant, session: { seen } }) {
      if (seen !== undefined) learnSession(tenant, seen);
    },

    status: ({ sessions }) => ({ learning: sessions < config.learning_sessions, seen: sessions }),
  };
}

function keepSeen(session: FirstSeenSession, actor: number, tool: number, isConsequential: boolean): void {
  const seen = (session.seen ??= []);
  for (let at = 0; at < seen.length; at += 3) if (seen[at] === actor && seen[at + 1] === tool) return;
  if (seen.length < maxSeen) seen.push(actor, tool, isConsequential ? 1 : 0);
}

function judge(
  config: DetectConfig['first_seen'],
  tenant: FirstSeenTenant,
  detected: DetectEvent,
  call: CallFacts,
  isConsequential: boolean,
  raise: Raise,
): void {
  const { actorKey, registry, event, timeMs } = detected;
  const agent = registry?.agent(event.actor?.id);
  if (agent !== undefined && agent.allowsTool(call.server, call.tool) && hasToolList(agent)) return;
  const { severity, kind } = severityOf(config, tenant, actorKey, call, isConsequential, agent !== undefined);
  if (severity === undefined) return;
  const admitted = admit(tenant.flood, timeMs, config.alerts_per_hour);
  if (admitted === 'no') return;
  const actor = tenant.actors.get(itemHash(actorKey));
  const tool = tenant.tools.get(call.toolHash);
  const first: First = { kind, severity, actorKey, actor, tool, sessions: tenant.sessions };
  raise(describeFirst(first, call, admitted === 'last'));
}

/**
 * Agents vary: a first use is common. It is worth a look only where it can do harm and where first uses have become rare, which
 * keeps the share of honest sessions with such a finding below 1 in `quiet_sessions`, whatever the agent does.
 */
function severityOf(
  config: DetectConfig['first_seen'],
  tenant: FirstSeenTenant,
  actorKey: string,
  { toolHash, traits }: CallFacts,
  isConsequential: boolean,
  isRegistered: boolean,
): { severity: Finding['severity'] | undefined; kind: First['kind'] } {
  const actor = tenant.actors.get(itemHash(actorKey));
  const tool = tenant.tools.get(toolHash);
  const isSettled = (known: Pick<Known, 'sessions' | 'quiet'>) =>
    known.sessions >= config.learning_sessions && known.quiet >= config.quiet_sessions;
  if (actor !== undefined && actor.sessions >= config.learning_sessions) {
    if (isConsequential && isSettled(actor)) return { severity: 'medium', kind: 'tool' };
    if (isSettled(actor)) return { severity: 'low', kind: 'tool' };
  }
  const isGrave = traits.privileged || traits.destructive;
  if (tool !== undefined && isGrave && tool.others <= fewActors && isSettled(tool))
    return { severity: isRegistered ? 'low' : 'medium', kind: 'actor-of-tool' };
  if (actor === undefined && !isRegistered && isSettled(tenant)) return { severity: 'low', kind: 'actor' };
  const isNews = isConsequential && (isGrave || tool === undefined);
  return { severity: isNews ? 'info' : undefined, kind: 'tool' };
}

/** Whether the registry says which tools the agent may use: without a list, any name is allowed. */
function hasToolList(agent: { allowsTool(server: string | undefined, tool: string): boolean }): boolean {
  return !agent.allowsTool('\u0000', '\u0000');
}

function learnSession(tenant: FirstSeenTenant, seen: readonly number[]): void {
  const { actors, tools, pairs } = tenant;
  const isNewActor = seen.some((actor, at) => at % 3 === 0 && !actors.has(actor));
  tenant.sessions += 1;
  tenant.quiet = isNewActor ? 0 : tenant.quiet + 1;
  const counted = new Set<Known>();
  const renewed = new Set<Known>();
  for (let at = 0; at < seen.length; at += 3) {
    const [actor = 0, tool = 0, consequential = 0] = seen.slice(at, at + 3);
    const ofActor = keptEntry(actors, actor, maxActors, newKnown, isEstablished);
    const ofTool = keptEntry(tools, tool, maxTools, newKnown, isEstablished);
    counted.add(ofActor).add(ofTool);
    const pair = pairHash(pairClass, actor, tool);
    if (!pairs.has(pair)) {
      ofActor.others += 1;
      ofTool.others += 1;
      renewed.add(ofTool);
      // What only reads is no news that would make the next write less of one.
      if (consequential === 1) renewed.add(ofActor);
    }
    addItem(pairs, pair, maxPairs);
  }
  for (const known of counted) {
    known.sessions += 1;
    known.quiet = renewed.has(known) ? 0 : known.quiet + 1;
  }
}

const newKnown = (): Known => ({ sessions: 0, quiet: 0, others: 0 });
const isEstablished = ({ sessions }: Known) => sessions > 1;
