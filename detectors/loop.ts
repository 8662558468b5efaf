import type { DetectConfig } from '../schemas/config.ts';
import type { CallFacts, DetectEvent, Detector, Raise } from './detector.ts';
import {
  countRetry,
  judgeDepth,
  learnDepth,
  learningSessions,
  newLoopTenant,
  type LoopTenant,
} from './loop-spending.ts';
import { describeLoop } from './loop-words.ts';

/** What the detector keeps of one call. */
interface Turn {
  readonly index: number;
  readonly toolKey: string;
  /** Undefined when none is known, which is never equal to anything. */
  readonly argumentsDigest: string | undefined;
  readonly reading: boolean;
  readonly eventId: string;
  resultDigest: string | undefined;
  outcome: 'ok' | 'failed' | 'cancelled' | undefined;
}

/** Calls of one tool in a row. */
interface ToolRun {
  toolKey: string;
  calls: number;
  failed: number;
  /** Calls since the last new result: known to bring nothing new, and with nobody knowing. */
  stuck: number;
  unknown: number;
}

interface LoopSession {
  readonly turns: Turn[];
  /** The last distinct result digests. */
  readonly results: string[];
  identical: number;
  /** Repetitions forgiven because the request before them never got an answer. */
  reissued: number;
  run: ToolRun;
  /** Calls of the session, and those of them with a result that was new. */
  calls: number;
  news: number;
}

const maxResults = 32;
const longestCycle = 4;
const forgivenReissues = 2;

/** The agent goes round in circles: identical calls, cycles, runs without progress, errors, retries, endless plans. */
export function loop(config: DetectConfig['loop']): Detector<LoopTenant, LoopSession> {
  const maxTurns = Math.min(64, Math.max(16, longestCycle * config.cycle_repeats));
  return {
    id: 'loop',
    version: 2,
    newTenantState: newLoopTenant,
    newSessionState: () => ({
      turns: [],
      results: [],
      identical: 0,
      reissued: 0,
      run: newRun(''),
      calls: 0,
      news: 0,
    }),

    step(detected, { tenant, session }, raise) {
      judgeClaims(config, detected, raise);
      const { call, fresh } = detected;
      if (call === undefined || call.continuation) return;
      if (fresh.call) {
        const isRetry = beginTurn(session, call, maxTurns);
        if (isRetry || (detected.event.retry_count ?? 0) > 0) countRetry(config, tenant, detected, raise);
        judgeDepth(config, tenant, session.calls, session.news, raise);
      }
      const turn = session.turns.find(({ index }) => index === call.index);
      if (turn !== undefined) settle(session, turn, detected, call);
      if (fresh.call) judgeRepetition(config, session, call, raise);
      judgeErrors(config, session, call, raise);
    },

    learn({ tenant, session }) {
      learnDepth(tenant, session.calls);
    },

    status: ({ depths: { count } }) => ({ learning: count < learningSessions, seen: count }),
  };
}

/** What the sender itself says about retries and planning. */
function judgeClaims(config: DetectConfig['loop'], { event, call }: DetectEvent, raise: Raise): void {
  const retries = event.retry_count ?? 0;
  if (retries > config.retries)
    raise(describeLoop('retries', retries, config.retries, call?.toolKey ?? '', []));
  const depth = event.plan_depth ?? 0;
  if (depth > config.plan_depth) raise(describeLoop('plan-depth', depth, config.plan_depth, '', []));
}

/** True when it asks again what failed just before. */
function beginTurn(session: LoopSession, call: CallFacts, maxTurns: number): boolean {
  const { turns } = session;
  const before = turns.at(-1);
  session.calls += 1;
  const reading = call.action === 'read' || call.action === 'unknown' || call.action === 'session';
  if (before === undefined || !sameQuestion(before, call)) {
    session.identical = 1;
    session.reissued = 0;
  } else if (unanswered(before) && session.reissued < forgivenReissues) session.reissued += 1;
  else if (reading && resultChanged(turns.at(-2), before)) session.identical = 2;
  else session.identical += 1;

  if (session.run.toolKey !== call.toolKey) session.run = newRun(call.toolKey);
  else if (before?.outcome === undefined) session.run.unknown += 1;
  session.run.calls += 1;

  turns.push({
    index: call.index,
    toolKey: call.toolKey,
    argumentsDigest: call.argumentsDigest,
    reading,
    eventId: call.eventId,
    resultDigest: undefined,
    outcome: undefined,
  });
  if (turns.length > maxTurns) turns.shift();
  return before?.outcome === 'failed' && sameQuestion(before, call);
}

function sameQuestion(one: Turn, other: Pick<Turn, 'toolKey' | 'argumentsDigest'>): boolean {
  return (
    one.argumentsDigest !== undefined &&
    one.argumentsDigest === other.argumentsDigest &&
    one.toolKey === other.toolKey
  );
}

/** A stream that broke before the answer makes clients ask again: that is no repetition by the agent. */
function unanswered(turn: Turn): boolean {
  return turn.outcome === undefined || turn.outcome === 'cancelled';
}

/** Polling: the same question got another answer the last time. */
function resultChanged(earlier: Turn | undefined, later: Turn): boolean {
  return (
    earlier !== undefined &&
    sameQuestion(earlier, later) &&
    earlier.resultDigest !== undefined &&
    later.resultDigest !== undefined &&
    earlier.resultDigest !== later.resultDigest
  );
}

/** Takes in how the call ended, once. */
function settle(session: LoopSession, turn: Turn, { event }: DetectEvent, call: CallFacts): void {
  turn.resultDigest ??= call.resultDigest;
  if (turn.outcome !== undefined) return;
  turn.outcome = outcomeOf(call, event.phase);
  const { run } = session;
  if (turn.outcome === undefined || run.toolKey !== turn.toolKey) return;
  if (turn.outcome === 'failed') {
    run.failed += 1;
    run.stuck += 1;
    return;
  }
  run.failed = 0;
  if (turn.resultDigest === undefined) run.unknown += 1;
  else if (session.results.includes(turn.resultDigest)) run.stuck += 1;
  else {
    run.stuck = 0;
    run.unknown = 0;
    session.news += 1;
    session.results.push(turn.resultDigest);
    if (session.results.length > maxResults) session.results.shift();
  }
}

function outcomeOf(call: CallFacts, phase: string | undefined): Turn['outcome'] {
  switch (call.category) {
    case 'ok':
    case 'input_required':
      return 'ok';
    case 'cancelled':
      return 'cancelled';
    case undefined:
    case 'unknown':
      return phase === 'request' ? undefined : 'ok';
    default:
      return 'failed';
  }
}

function judgeRepetition(
  config: DetectConfig['loop'],
  session: LoopSession,
  call: CallFacts,
  raise: Raise,
): void {
  const { turns, run } = session;
  const last = (count: number) => turns.slice(-count).map(({ eventId }) => eventId);
  if (session.identical >= config.identical_calls)
    raise(
      describeLoop(
        'identical',
        session.identical,
        config.identical_calls,
        call.toolKey,
        last(session.identical),
      ),
    );
  const period = cyclePeriod(turns, config.cycle_repeats);
  if (period !== undefined) {
    const names = turns.slice(-period).map(({ toolKey }) => toolKey);
    const { cycle_repeats: repeats } = config;
    raise(describeLoop('cycle', repeats, repeats, names.join(' → '), last(period * repeats)));
  }
  if (run.stuck + Math.floor(run.unknown / 2) >= config.same_tool_run)
    raise(describeLoop('same-tool', run.calls, config.same_tool_run, call.toolKey, last(run.calls)));
}

function judgeErrors(
  config: DetectConfig['loop'],
  { turns, run }: LoopSession,
  call: CallFacts,
  raise: Raise,
): void {
  if (run.failed < config.error_run || run.toolKey !== call.toolKey) return;
  const evidence = turns.slice(-run.failed).map(({ eventId }) => eventId);
  const kind = run.failed >= 2 * config.error_run ? 'long-errors' : 'errors';
  raise(describeLoop(kind, run.failed, config.error_run, call.toolKey, evidence));
}

/** Length (2 to 4) of a cycle of calls with equal arguments, repeated often enough, whose answers do not change. */
function cyclePeriod(turns: readonly Turn[], repeats: number): number | undefined {
  for (let period = 2; period <= longestCycle; period += 1) {
    const length = period * repeats;
    if (turns.length < length) return undefined;
    const last = turns.at(-1);
    const before = turns.at(-1 - period);
    if (last === undefined || before === undefined || !sameQuestion(last, before)) continue;
    if (isCycle(turns.slice(-length), period)) return period;
  }
  return undefined;
}

function isCycle(turns: readonly Turn[], period: number): boolean {
  const [first] = turns;
  if (first === undefined || turns.slice(1, period).every((turn) => sameQuestion(first, turn))) return false;
  return turns.every((turn, index) => {
    const earlier = turns[index - period];
    if (earlier === undefined) return true;
    return sameQuestion(earlier, turn) && !(turn.reading && resultChanged(earlier, turn));
  });
}

function newRun(toolKey: string): ToolRun {
  return { toolKey, calls: 0, failed: 0, stuck: 0, unknown: 0 };
}
