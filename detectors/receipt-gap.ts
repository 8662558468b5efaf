import type { DetectConfig } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import type { CallFacts, DetectEvent, Detector, Raise } from './detector.ts';
import { describeGap, type MissingHalf } from './receipt-gap-words.ts';

/** One half of a call whose other half has not been seen. */
interface Waiting {
  readonly missing: MissingHalf;
  readonly dueMs: number;
  readonly sinceMs: number;
  readonly eventId: string;
  readonly server: string;
  /** The session was under an alert: nothing is learned from it. */
  readonly isQuarantined: boolean;
  readonly sessionKey: string | undefined;
  readonly traceId: string | undefined;
  readonly actorId: string | undefined;
  readonly userId: string | undefined;
  readonly serverName: string | undefined;
  readonly toolName: string | undefined;
}

/** How calls of a server are usually seen: with both halves, or with one. */
interface Habit {
  whole: number;
  /** Executed, and nobody told of a decision. */
  undecided: number;
  /** Allowed apart from the call: with an outcome, and without. */
  settled: number;
  unsettled: number;
}

interface GapTenant {
  /** Latest stream time. */
  nowMs: number;
  nextId: number;
  readonly waiting: Map<number, Waiting>;
  readonly habits: Map<string, Habit>;
}

/** What is known of one call of the session. */
interface Half {
  readonly id: number;
  /** Position of the call in its session; undefined while only a decision was seen. */
  index: number | undefined;
  callId: string | undefined;
  traceId: string | undefined;
  spanId: string | undefined;
  tool: string | undefined;
  decision: 'none' | 'allow' | 'other' | 'deny';
  isExecuted: boolean;
  isOver: boolean;
  /** Both halves are known, or given up. */
  isClosed: boolean;
}

interface GapSession {
  readonly halves: Half[];
}

const maxWaiting = 256;
const maxServers = 64;
const maxHalves = 16;
/** Of the calls of a server, so many have both halves where that is the habit. */
const habitualShare = 0.95;
/** Counts are halved at this, so that habits follow a change. */
const habitMemory = 400;

/**
 * A call has one half of what belongs to it: a decision without an outcome, or an outcome without a decision.
 *
 * Habits are counted in `step`, not at the close of sessions: they say how our own gateways and taps report, which is a rate of the
 * telemetry and no behaviour of agents, and a wait often ends when its session is long gone. A gap is told before it counts, so
 * who wants to teach that gaps are normal sets off an alarm with each of them until they are 5 in 100.
 */
export function receiptGap(config: DetectConfig['receipt_gap']): Detector<GapTenant, GapSession> {
  return {
    id: 'receipt-gap',
    version: 2,
    newTenantState: () => ({ nowMs: 0, nextId: 0, waiting: new Map(), habits: new Map() }),
    newSessionState: () => ({ halves: [] }),

    step(detected, { tenant, session }, raise) {
      tenant.nowMs = Math.max(tenant.nowMs, detected.timeMs);
      const half = halfOf(detected, tenant, session);
      if (half !== undefined && !half.isClosed) settle(config, detected, tenant, half);
      // After the event: what it brings is there in time.
      expire(config, tenant, raise);
    },

    status: ({ habits }) => {
      const seen = [...habits.values()].reduce((sum, { whole }) => sum + whole, 0);
      return { learning: seen > 0 && seen < config.learning_calls, seen };
    },
  };
}

/** The call that the event tells one half of, opened when it is new; undefined for events about no call. */
function halfOf({ event, call }: DetectEvent, tenant: GapTenant, { halves }: GapSession): Half | undefined {
  const isDecision = event.kind === 'policy';
  if (!isDecision && (event.kind !== 'tool_call' || call === undefined)) return undefined;
  const known = isDecision ? decidedCall(halves, event) : callOf(halves, event, call);
  // A decision that names neither tool nor call may be about anything.
  if (known === undefined && isDecision && (event.tool?.name ?? event.tool?.call_id) === undefined)
    return undefined;
  if (known !== undefined) {
    known.index ??= isDecision ? undefined : call?.index;
    known.callId ??= event.tool?.call_id;
    known.traceId ??= event.trace?.trace_id;
    if (!isDecision) known.spanId ??= event.trace?.span_id;
    return known;
  }
  const half: Half = {
    id: tenant.nextId,
    index: isDecision ? undefined : call?.index,
    callId: event.tool?.call_id,
    traceId: event.trace?.trace_id,
    // A decision's parent is the call's span.
    spanId: isDecision ? event.trace?.parent_span_id : event.trace?.span_id,
    tool: event.tool?.name ?? call?.tool,
    decision: 'none',
    isExecuted: false,
    isOver: false,
    isClosed: false,
  };
  tenant.nextId += 1;
  halves.push(half);
  if (halves.length > maxHalves) dropHalf(tenant, halves);
  return half;
}

/** What is settled goes first; of what is dropped before, nothing is said. */
function dropHalf(tenant: GapTenant, halves: Half[]): void {
  const closed = halves.findIndex(({ isClosed }) => isClosed);
  const [dropped] = halves.splice(Math.max(closed, 0), 1);
  if (dropped !== undefined) tenant.waiting.delete(dropped.id);
}

/** The newest call that a decision may be about and that has none. */
function decidedCall(halves: readonly Half[], event: CustodyEvent): Half | undefined {
  return halves.findLast(
    (half) =>
      half.index !== undefined &&
      half.decision === 'none' &&
      isSame(half, event, event.trace?.parent_span_id),
  );
}

/** The call itself, or the oldest decision that waits for one like it. */
function callOf(halves: readonly Half[], event: CustodyEvent, call: CallFacts | undefined): Half | undefined {
  return (
    halves.find(({ index }) => index !== undefined && index === call?.index) ??
    halves.find((half) => half.index === undefined && isSame(half, event, event.trace?.span_id))
  );
}

function isSame(half: Half, { tool, trace }: CustodyEvent, spanId: string | undefined): boolean {
  if (tool?.call_id !== undefined && half.callId !== undefined) return tool.call_id === half.callId;
  if (tool?.name !== undefined && half.tool !== undefined && tool.name !== half.tool) return false;
  if (trace?.trace_id !== undefined && half.traceId !== undefined && trace.trace_id !== half.traceId)
    return false;
  if (spanId !== undefined && half.spanId !== undefined) return spanId === half.spanId;
  return tool?.name !== undefined && half.tool !== undefined;
}

/** Takes in what the event says of the call, and begins or ends the wait for what it does not. */
function settle(
  config: DetectConfig['receipt_gap'],
  detected: DetectEvent,
  tenant: GapTenant,
  half: Half,
): void {
  const { event, call, decision } = detected;
  const wasDecidedApart = half.decision === 'allow' && !half.isOver;
  if (half.decision === 'none') half.decision = decision;
  if (event.kind === 'tool_call') takeOutcome(half, event, call);
  const isWhole = half.decision !== 'none' && half.isOver;
  if (isWhole || half.decision === 'deny') {
    if (isWhole && half.isExecuted && !detected.session.quarantined)
      learnWhole(tenant, event, half, wasDecidedApart);
    close(tenant, half);
    return;
  }
  const missing = half.decision === 'allow' ? 'outcome' : half.isExecuted ? 'decision' : undefined;
  if (missing === undefined) return;
  if (tenant.waiting.get(half.id)?.missing === missing) return;
  tenant.waiting.delete(half.id);
  tenant.waiting.set(
    half.id,
    waitingFor(missing, detected, half, tenant.nowMs, tenant.nowMs + config.within_ms),
  );
  while (tenant.waiting.size > maxWaiting) {
    const oldest = tenant.waiting.keys().next();
    if (oldest.done === true) break;
    tenant.waiting.delete(oldest.value);
  }
}

/** Each count belongs to the server that the wait would be judged by. */
function learnWhole(
  tenant: GapTenant,
  { kind, server }: CustodyEvent,
  half: Half,
  wasDecidedApart: boolean,
): void {
  const waited = tenant.waiting.get(half.id)?.server;
  const called = kind === 'tool_call' ? (server?.name ?? '') : (waited ?? '');
  habitOf(tenant, called).whole += 1;
  if (wasDecidedApart) habitOf(tenant, waited ?? called).settled += 1;
  forget(habitOf(tenant, called));
}

function takeOutcome(half: Half, { phase, result }: CustodyEvent, call: CallFacts | undefined): void {
  const category = call?.category ?? result?.category;
  if (phase !== 'request') half.isOver = true;
  if (category === undefined || category === 'unknown') return;
  half.isOver = true;
  // An error of the protocol, a time-out or a refusal does not say that the tool ran.
  if (category === 'ok' || category === 'tool_error') half.isExecuted = true;
}

function close(tenant: GapTenant, half: Half): void {
  half.isClosed = true;
  tenant.waiting.delete(half.id);
}

/** What the time that went by has decided. */
function expire(config: DetectConfig['receipt_gap'], tenant: GapTenant, raise: Raise): void {
  for (const [id, waiting] of tenant.waiting) {
    // In the order they began, and all wait for as long.
    if (waiting.dueMs >= tenant.nowMs) return;
    tenant.waiting.delete(id);
    const habit = habitOf(tenant, waiting.server);
    const counts =
      waiting.missing === 'outcome' ? [habit.settled, habit.unsettled] : [habit.whole, habit.undecided];
    const [with_ = 0, without = 0] = counts;
    const isHabit = with_ >= config.learning_calls && with_ / (with_ + without) >= habitualShare;
    if (isHabit) raise(describeGap(waiting, with_, with_ + without, config.within_ms));
    if (waiting.isQuarantined) continue;
    if (waiting.missing === 'outcome') habit.unsettled += 1;
    else habit.undecided += 1;
    forget(habit);
  }
}

function waitingFor(
  missing: MissingHalf,
  { event, session }: DetectEvent,
  half: Half,
  sinceMs: number,
  dueMs: number,
): Waiting {
  return {
    missing,
    dueMs,
    sinceMs,
    eventId: event.event_id,
    server: event.server?.name ?? '',
    isQuarantined: session.quarantined,
    sessionKey: event.session?.key,
    traceId: event.trace?.trace_id ?? half.traceId,
    actorId: event.actor?.id,
    userId: event.actor?.user_id,
    serverName: event.server?.name,
    toolName: event.tool?.name ?? half.tool,
  };
}

/** The server's habit, in order of last use. */
function habitOf({ habits }: GapTenant, server: string): Habit {
  const habit = habits.get(server) ?? { whole: 0, undecided: 0, settled: 0, unsettled: 0 };
  habits.delete(server);
  habits.set(server, habit);
  if (habits.size > maxServers) {
    const oldest = habits.keys().next();
    if (oldest.done !== true) habits.delete(oldest.value);
  }
  return habit;
}

function forget(habit: Habit): void {
  if (habit.whole + habit.undecided >= habitMemory) {
    habit.whole /= 2;
    habit.undecided /= 2;
  }
  if (habit.settled + habit.unsettled >= habitMemory) {
    habit.settled /= 2;
    habit.unsettled /= 2;
  }
}
