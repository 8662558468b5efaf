import type { DetectConfig } from '../schemas/config.ts';
import { hasConsequences, wasMade } from './call-outcome.ts';
import { keptEntry } from './counters/kept-entry.ts';
import type { DetectEvent, Detector, Raise } from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import { addSize, newSizeSketch, p99Bytes, sizeBucket, type SizeSketch } from './learning/size-sketch.ts';
import {
  addCalls,
  hourNumber,
  hourOfWeek,
  newWeekHistogram,
  shareAt,
  type WeekHistogram,
} from './learning/week-histogram.ts';
import type { RegisteredAgent } from './registry/registry.ts';
import { describeFrequency, describeHour, describeOffHours } from './unusual-hours-words.ts';

/** When an agent, or a whole tenant, works. */
interface Hours {
  readonly histogram: WeekHistogram;
  /** Sessions since the last at an unusual hour. */
  quiet: number;
}

interface AgentHours extends Hours {
  /** Sessions begun in this hour, of which nothing is learned yet. */
  hour: number;
  begun: number;
  alertedHour: number;
  /** Sessions that ended well, by the hour they began in: hour and count in turn, not yet in the sketch. */
  readonly recent: number[];
  readonly begunPerHour: SizeSketch;
}

interface HoursTenant {
  readonly agents: Map<number, AgentHours>;
  readonly all: Hours;
}

interface HoursSession {
  /** Actor, hour and number of calls in turn. */
  calls: number[] | undefined;
  /** The last hour that was judged. */
  judgedHour: number;
}

const maxAgents = 128;
const maxCalls = 3 * 24;
const maxRecent = 2 * 4;
const minActiveHours = 24;
/** So many sessions more than usual are no news, however few are usual. */
const minSurplus = 10;

/** An agent works when it never does, or begins far more sessions in an hour than it ever does. */
export function unusualHours(config: DetectConfig['unusual_hours']): Detector<HoursTenant, HoursSession> {
  return {
    id: 'unusual-hours',
    version: 1,
    kinds: ['tool_call'],
    newTenantState: () => ({ agents: new Map(), all: { histogram: newWeekHistogram(), quiet: 0 } }),
    newSessionState: () => ({ calls: undefined, judgedHour: -1 }),

    step(detected, { tenant, session }, raise) {
      const { call, fresh, timeMs } = detected;
      if (call === undefined || (!fresh.call && !fresh.outcome)) return;
      const isNamed = detected.actorKey !== detected.session.key;
      const actor = isNamed ? itemHash(detected.actorKey) : 0;
      const hour = hourNumber(timeMs);
      const isBegun = session.calls !== undefined && isIn(session.calls, actor);
      if (isNamed && !isBegun) {
        const agent = keptEntry(tenant.agents, actor, maxAgents, newAgentHours, isEstablished);
        judgeFrequency(config, agent, detected, hour, raise);
      }
      if (fresh.call) keepCall(session, actor, hour);
      // Once an hour is enough: the hour is the same for every call in it.
      if (session.judgedHour === hour || !hasConsequences(call) || wasMade(detected) !== 'yes') return;
      session.judgedHour = hour;
      judgeHour(config, tenant.agents.get(actor), tenant.all, detected, hour, raise);
    },

    learn({ tenant, session: { calls } }) {
      if (calls !== undefined) learnSession(config, tenant, calls);
    },

    status: ({ all: { histogram } }) => ({
      learning: !isKnown(config, histogram),
      seen: histogram.total,
    }),
  };
}

function isIn(calls: readonly number[], actor: number): boolean {
  for (let at = 0; at < calls.length; at += 3) if (calls[at] === actor) return true;
  return false;
}

function keepCall(session: HoursSession, actor: number, hour: number): void {
  const calls = (session.calls ??= []);
  for (let at = calls.length - 3; at >= 0; at -= 3) {
    if (calls[at] !== actor || calls[at + 1] !== hour) continue;
    calls[at + 2] = (calls[at + 2] ?? 0) + 1;
    return;
  }
  if (calls.length < maxCalls) calls.push(actor, hour, 1);
}

function judgeHour(
  config: DetectConfig['unusual_hours'],
  agent: AgentHours | undefined,
  all: Hours,
  { registry, event, actorKey, timeMs, call }: DetectEvent,
  hour: number,
  raise: Raise,
): void {
  if (call === undefined) return;
  const registered = registry?.agent(event.actor?.id);
  if (registered?.worksAt(timeMs) === false) {
    raise(describeOffHours(actorKey, call, timeMs));
    return;
  }
  const isOwn = agent !== undefined && isKnown(config, agent.histogram);
  const known = isOwn ? agent : all;
  if (!isKnown(config, known.histogram) || known.quiet < config.quiet_sessions) return;
  const share = shareAt(known.histogram, hour);
  if (share >= config.share_max || (registered !== undefined && hasHours(registered))) return;
  const { total, hours } = known.histogram;
  const seen = { share, total, inHour: hours[hourOfWeek(hour)] ?? 0, isOwn };
  raise(describeHour(actorKey, call, timeMs, seen, config.share_max));
}

function isKnown(
  { learning_calls, learning_days }: DetectConfig['unusual_hours'],
  { total, days }: WeekHistogram,
): boolean {
  return total >= learning_calls && days >= learning_days;
}

/** Whether the registry limits the hours of the agent: some hour of the week is not among them. */
function hasHours(agent: RegisteredAgent): boolean {
  for (let halfHour = 0; halfHour < 2 * 168; halfHour += 1)
    if (!agent.worksAt(halfHour * 1_800_000)) return true;
  return false;
}

function judgeFrequency(
  { frequency_ratio }: DetectConfig['unusual_hours'],
  agent: AgentHours,
  { actorKey, call, event }: DetectEvent,
  hour: number,
  raise: Raise,
): void {
  if (hour < agent.hour) return;
  if (hour > agent.hour) {
    agent.hour = hour;
    agent.begun = 0;
  }
  agent.begun += 1;
  const usual = p99Bytes(agent.begunPerHour, minActiveHours);
  if (usual === undefined || agent.alertedHour === hour) return;
  const limit = Math.max(usual * frequency_ratio, usual + minSurplus);
  if (agent.begun <= limit) return;
  agent.alertedHour = hour;
  raise(
    describeFrequency(actorKey, call?.eventId ?? event.event_id, {
      begun: agent.begun,
      usual,
      limit,
      hours: agent.begunPerHour.count,
    }),
  );
}

function learnSession(
  config: DetectConfig['unusual_hours'],
  { agents, all }: HoursTenant,
  calls: readonly number[],
): void {
  const judged = new Map<Hours, boolean>();
  for (let at = 0; at < calls.length; at += 3) {
    const [actor = 0, hour = 0, count = 0] = calls.slice(at, at + 3);
    const agent = actor === 0 ? undefined : keptEntry(agents, actor, maxAgents, newAgentHours, isEstablished);
    for (const known of agent === undefined ? [all] : [all, agent]) {
      const isUnusual = shareAt(known.histogram, hour) < config.share_max;
      judged.set(known, judged.get(known) === true || isUnusual);
      addCalls(known.histogram, hour, count);
    }
    if (agent !== undefined && calls.indexOf(actor) === at) learnBegun(agent, hour);
  }
  for (const [known, isUnusual] of judged) known.quiet = isUnusual ? 0 : known.quiet + 1;
}

/** Counts a session that began in the hour; hours that are long over go into the distribution. */
function learnBegun({ recent, begunPerHour }: AgentHours, hour: number): void {
  for (let at = 0; at < recent.length; at += 2) {
    if (recent[at] !== hour) continue;
    recent[at + 1] = (recent[at + 1] ?? 0) + 1;
    return;
  }
  recent.push(hour, 1);
  while (recent.length > maxRecent) {
    const [, count = 0] = recent.splice(0, 2);
    addSize(begunPerHour, sizeBucket(count));
  }
}

function newAgentHours(): AgentHours {
  return {
    histogram: newWeekHistogram(),
    quiet: 0,
    hour: -1,
    begun: 0,
    alertedHour: -1,
    recent: [],
    begunPerHour: newSizeSketch(),
  };
}

const isEstablished = ({ histogram }: AgentHours) => histogram.total >= 20;
