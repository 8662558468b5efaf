import type { DetectConfig } from '../schemas/config.ts';
import { hasConsequences, isUnauthenticated, wasMade } from './call-outcome.ts';
import { addDistinct, keptEntry, pushBounded } from './counters/kept-entry.ts';
import { describeDetour, describeProbing } from './denial-probing-words.ts';
import type { CallFacts, DetectEvent, Detector, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';

/** One refusal of an actor. */
interface Refusal {
  readonly tool: number;
  /** Arguments digest; empty where it was not told. */
  readonly digest: string;
  readonly timeMs: number;
  readonly eventId: string;
}

interface Probe {
  readonly refusals: Refusal[];
  /** Hashes of tools that are refused to the actor all the time. */
  readonly usual: number[];
  alertedMs: number | undefined;
}

interface ProbingTenant {
  readonly actors: Map<number, Probe>;
}

/** A refused call, for what comes after it in the session. */
export interface RefusedCall {
  readonly index: number;
  readonly tool: string;
  readonly eventId: string;
  readonly digest: string | undefined;
  readonly values: readonly number[];
  readonly destinations: readonly string[];
}

interface ProbingSession {
  refused: RefusedCall[] | undefined;
  /** Actor and tool hashes in turn, for learning. */
  taught: number[] | undefined;
}

const maxActors = 128;
const maxUsual = 16;
const maxRefusedCalls = 8;
const maxValues = 16;
const maxTaught = 32;
/** Shorter values are flags and small numbers: two calls share them by chance. */
const minValueBytes = 4;
/** `{}` is the same for every tool. */
const minArgumentsBytes = 8;

/** One actor is refused one thing after the other, or reaches what it was refused in another way. */
export function denialProbing(
  config: DetectConfig['denial_probing'],
): Detector<ProbingTenant, ProbingSession> {
  return {
    id: 'denial-probing',
    version: 1,
    kinds: ['tool_call', 'policy'],
    newTenantState: () => ({ actors: new Map() }),
    newSessionState: () => ({ refused: undefined, taught: undefined }),

    step(detected, { tenant, session }, raise) {
      if (isRefusal(detected)) {
        judgeRefusal(config, tenant, session, detected, raise);
        if (detected.call !== undefined) keepRefused(session, detected.call);
      } else if (session.refused !== undefined && detected.call !== undefined)
        judgeDetour(session.refused, detected, detected.call, raise);
    },

    learn({ tenant, session: { taught = [] } }) {
      for (let at = 0; at < taught.length; at += 2) {
        const probe = tenant.actors.get(taught[at] ?? 0);
        if (probe !== undefined) addDistinct(probe.usual, taught[at + 1] ?? 0, maxUsual);
      }
    },
  };
}

function isRefusal({ event, call, decision, fresh }: DetectEvent): boolean {
  if (event.kind === 'policy') return event.policy?.decision === 'deny' && event.tool?.name !== undefined;
  if (call === undefined || isUnauthenticated(event.result?.code)) return false;
  return decision === 'deny'
    ? fresh.call || fresh.outcome || fresh.values
    : fresh.outcome && call.category === 'denied';
}

function judgeRefusal(
  config: DetectConfig['denial_probing'],
  { actors }: ProbingTenant,
  session: ProbingSession,
  { event, call, timeMs, actorKey }: DetectEvent,
  raise: Raise,
): void {
  // By the bare name: a policy event may not tell the server.
  const tool = itemHash(call?.tool ?? event.tool?.name ?? '');
  const actor = itemHash(actorKey);
  const probe = keptEntry(
    actors,
    actor,
    maxActors,
    (): Probe => ({ refusals: [], usual: [], alertedMs: undefined }),
    ({ usual }) => usual.length > 0,
  );
  session.taught ??= [];
  if (session.taught.length < 2 * maxTaught) session.taught.push(actor, tool);
  if (probe.usual.includes(tool)) return;
  const digest = call?.argumentsDigest ?? event.arguments?.digest ?? '';
  const { refusals } = probe;
  const sinceMs = timeMs - config.window_ms;
  while (refusals[0] !== undefined && refusals[0].timeMs < sinceMs) refusals.shift();
  // Policy and call tell of the same refusal.
  if (refusals.some((one) => one.tool === tool && (one.digest === digest || digest === ''))) return;
  // So many that twice the limit, which is high, can be seen.
  const maxRefusals = 2 * Math.max(config.tools, config.attempts);
  pushBounded(refusals, { tool, digest, timeMs, eventId: event.event_id }, maxRefusals);
  const tools = new Set(refusals.map((one) => one.tool)).size;
  const attempts = refusals.filter((one) => one.tool === tool).length;
  if (tools < config.tools && attempts < config.attempts) return;
  if (probe.alertedMs !== undefined && timeMs - probe.alertedMs < config.window_ms) return;
  probe.alertedMs = timeMs;
  const firstMs = refusals[0]?.timeMs ?? timeMs;
  const evidence = refusals.map(({ eventId }) => eventId);
  raise(describeProbing({ actorKey, tools, attempts, spanMs: timeMs - firstMs, evidence }, config));
}

/** What the refused call was about. */
function keepRefused(session: ProbingSession, call: CallFacts): void {
  const refused: RefusedCall = {
    index: call.index,
    tool: call.tool,
    eventId: call.eventId,
    digest: (call.argumentsBytes ?? 0) < minArgumentsBytes ? undefined : call.argumentsDigest,
    values: call.values
      .filter(({ sizeBytes }) => sizeBytes >= minValueBytes)
      .slice(0, maxValues)
      .map(({ hash }) => hash),
    destinations: call.destinations.slice(0, 4),
  };
  const known = (session.refused ??= []);
  const at = known.findIndex(({ index }) => index === call.index);
  if (at >= 0) known[at] = refused;
  else pushBounded(known, refused, maxRefusedCalls);
}

/** Another tool that changes or sends something is used on what was refused before. */
function judgeDetour(
  refused: readonly RefusedCall[],
  detected: DetectEvent,
  call: CallFacts,
  raise: Raise,
): void {
  const { fresh } = detected;
  if (!fresh.call && !fresh.outcome && !fresh.values && fresh.destinations.length === 0) return;
  if (!hasConsequences(call) || wasMade(detected) !== 'yes' || call.category === 'error') return;
  const before = refused.find(
    (one) => one.index < call.index && one.tool !== call.tool && isSameTarget(one, call),
  );
  if (before !== undefined) raise(describeDetour(before, call));
}

function isSameTarget({ digest, destinations, values }: RefusedCall, call: CallFacts): boolean {
  if (digest !== undefined && digest === call.argumentsDigest) return true;
  if (destinations.some((destination) => call.destinations.includes(destination))) return true;
  const shared = values.filter((value) => call.values.some(({ hash }) => hash === value)).length;
  return shared > 0 && 2 * shared >= values.length;
}
