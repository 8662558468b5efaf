import type { DetectConfig } from '../schemas/config.ts';
import { chainLesson, extendLesson, hasConsequences, knownLesson } from './chain/chain-items.ts';
import {
  newChainSession,
  newChainTenant,
  type ChainSession,
  type ChainState,
  type ChainTenant,
  type Lesson,
  type ToolStep,
  type Unconfirmed,
} from './chain/chain-state.ts';
import { describeChain } from './chain/chain-words.ts';
import { evidenceOf, type Evidence } from './chain/evidence.ts';
import type { CallFacts, DetectEvent, Detector, Raise, ScoreProbe } from './detector.ts';
import { shareItem, unshareItem } from './engine/shared-statistics.ts';
import { decodeTokens } from '../schemas/token-set.ts';
import { addIntent, findIntent, intentTokens } from './learning/intents.ts';
import { itemHash } from './learning/item-hash.ts';
import { addSession, fade, lastDay, sessionsWith } from './learning/item-memory.ts';
import { percentile, recordScore, scoreBucket } from './learning/surprise.ts';

const maxChainItems = 4096;
const maxKnownItems = 24_576;
const maxProbation = 4096;
const habitDays = 5;
const maxPending = 8;
const maxSteps = 16;
const maxTools = 12;
const dayMs = 86_400_000;
/** Below this even the highest score of a very regular tenant is no news. */
const minBits = 4;
/** Below this a call is like any other, and no score is told. */
const scoredBits = 2;
const highBits = 10;
const highScore = 0.97;
/** What a call this strange shows becomes known only when it comes again on other days, although it pages nobody. */
const doubtfulScore = 0.85;
/** Scores count from the last part of the learning period on: the last of so many. */
const calibratingShare = 2.5;
/** One in forty. */
const alarmedShare = 40;
/** A tool nobody here has ever used is worth a page where new tools are this rare. */
const rareToolBits = 6;

/**
 * A call with consequences that does not fit: a destination or a value that this tenant never used and that was copied from
 * what strangers wrote, a tool that the same request never led to, a new chain of tools. Each part weighs as many bits as
 * it is rare among the tenant's closed sessions; the score is the percentile of the sum among its recent sessions.
 */
export function novelChain(
  config: DetectConfig['novel_chain'],
  onScore?: ScoreProbe,
): Detector<ChainTenant, ChainSession> {
  return {
    id: 'novel-chain',
    version: 2,
    kinds: ['tool_call', 'api_call', 'plan', 'session', 'policy', 'model'],
    newTenantState: (tenant) => newChainTenant(itemHash(tenant)),
    newSessionState: newChainSession,
    sharesItems: true,

    step(detected, state, raise) {
      hearRequest(detected, state);
      const { call, fresh } = detected;
      if (call === undefined || call.continuation) return;
      if (detected.decision === 'deny') {
        state.session.pending.delete(call.index);
        return;
      }
      confirm(state, detected, call, raise);
      if (!fresh.call && !fresh.values && fresh.destinations.length === 0) return;
      const from = stepBefore(state.session, call, fresh.call);
      const evidence = evidenceOf(state, detected, call, from);
      const unconfirmed = {
        chains: chainLesson(call, from),
        known: knownLesson(call, state.session),
        bits: evidence.bits,
        ...judge(config, onScore, evidence, { detected, call, from, state }),
      };
      if (executed(detected)) accept(state, unconfirmed, raise);
      else postpone(state.session, call.index, unconfirmed);
    },

    learn(state) {
      const { tenant, session, shared } = state;
      const day = Math.floor(session.lastMs / dayMs);
      for (const item of fade(tenant.chains, day)) unshareItem(shared, item, tenant.hash);
      fade(tenant.known, day);
      const { chains, known, doubted } = session;
      learnAll(chains, (item, rateKey) => {
        if (!tenant.chains.items.has(item)) shareItem(shared, item, tenant.hash);
        const evicted = addSession(tenant.chains, item, rateKey, day, maxChainItems);
        if (evicted !== undefined) unshareItem(shared, evicted, tenant.hash);
      });
      const learnKnown = (item: number, rateKey: number) =>
        addSession(tenant.known, item, rateKey, day, maxKnownItems);
      learnAll(known, learnKnown);
      learnAll(doubted, (item, rateKey) => {
        if (session.alarmed || isHabit(tenant, item, day)) learnKnown(item, rateKey);
      });
      addIntent(tenant.intents, session.asked, day);
      tenant.sessions += 1;
      // To who knows little, nothing is rare: the first scores are too low to compare with.
      if (tenant.sessions * calibratingShare <= config.learning_sessions * (calibratingShare - 1)) return;
      const bucket = scoreBucket(session.bits);
      recordScore(tenant.scores, session.bucket, bucket);
      session.bucket = bucket;
    },

    status: ({ sessions }) => ({ learning: sessions < config.learning_sessions, seen: sessions }),
  };
}

function learnAll({ items, rateKeys }: Lesson, learn: (item: number, rateKey: number) => void): void {
  for (let index = 0; index < items.length; index += 1) learn(items[index] ?? 0, rateKeys[index] ?? 0);
}

/** Known already, or seen in doubtful calls on so many days that it is a habit of this tenant. */
function isHabit({ known, probation }: ChainTenant, item: number, day: number): boolean {
  if (known.items.has(item)) return true;
  if (lastDay(probation, item) === day) return false;
  addSession(probation, item, 0, day, maxProbation);
  return sessionsWith(probation, item) >= habitDays;
}

/** Keeps what was asked and finds out whether it was asked before. */
function hearRequest({ event, timeMs }: DetectEvent, { tenant, session }: ChainState): void {
  session.lastMs = Math.max(session.lastMs, timeMs);
  if (event.intent === undefined || session.asked.length > 0) return;
  session.asked = intentTokens(decodeTokens(event.intent.tokens));
  const known = findIntent(tenant.intents, session.asked);
  if (known === undefined) return;
  session.intentId = known.id;
  session.intentSessions = known.sessions;
}

/** The tool the call came after; it becomes the newest of the session's tools. */
function stepBefore(session: ChainSession, call: CallFacts, isFirst: boolean): ToolStep | undefined {
  if (!isFirst) return session.steps.get(call.index);
  const { tools, steps } = session;
  const before = tools.at(-1);
  if (before !== undefined) steps.set(call.index, before);
  dropOldest(steps, maxSteps);
  const at = tools.findIndex(({ hash }) => hash === call.toolHash);
  if (at >= 0) tools.splice(at, 1);
  tools.push({ hash: call.toolHash, key: call.toolKey, eventId: call.eventId });
  if (tools.length > maxTools) tools.shift();
  return before;
}

interface JudgedCall {
  readonly detected: DetectEvent;
  readonly call: CallFacts;
  readonly from: ToolStep | undefined;
  readonly state: ChainState;
}

function judge(
  config: DetectConfig['novel_chain'],
  onScore: ScoreProbe | undefined,
  evidence: Evidence,
  { detected, call, from, state: { tenant, session } }: JudgedCall,
): Pick<Unconfirmed, 'finding' | 'doubtful'> {
  const bucket = scoreBucket(evidence.bits);
  const share = percentile(tenant.scores, bucket, session.bucket);
  const others = tenant.scores.total - (session.bucket >= 0 ? 1 : 0);
  if (evidence.bits >= scoredBits)
    onScore?.({
      eventId: detected.event.event_id,
      sessionKey: detected.session.key,
      callIndex: call.index,
      detector: 'novel-chain',
      score: share + Math.min(63, evidence.bits) / 64 / (others + 1),
    });
  if (tenant.sessions < config.learning_sessions) return { finding: undefined, doubtful: false };
  const doubtful = evidence.bits >= minBits && share > doubtfulScore;
  const severity = severityOf(config, evidence, share, hasConsequences(call));
  if (severity === undefined) return { finding: undefined, doubtful };
  const finding = describeChain({
    call,
    from,
    evidence,
    severity,
    decision: detected.decision,
    score: share,
    sessions: others,
    threshold: config.threshold,
  });
  return { finding, doubtful };
}

/**
 * Only what strangers put in, or a tool that can do harm, is worth a page; a new order of known tools is common in honest
 * work and worth a note.
 */
function severityOf(
  config: DetectConfig['novel_chain'],
  { bits, contact, value, grave, newTool, newStep, toolBits, stepBits }: Evidence,
  share: number,
  counts: boolean,
): 'high' | 'medium' | 'low' | undefined {
  const isCopied = contact !== undefined || value !== undefined;
  const isOdd = share > config.threshold;
  // A tool nobody ever used, to a place nobody ever went to and that an output named: all of the chain is new.
  if (isOdd && newTool && contact?.origin === 'output') return 'high';
  if (isOdd && bits >= minBits && (isCopied || grave))
    return bits >= highBits && share > highScore && isCopied ? 'high' : 'medium';
  if (isOdd && newTool && counts && toolBits >= rareToolBits) return 'medium';
  if ((newTool && toolBits >= minBits) || (newStep && stepBits >= rareToolBits)) return 'low';
  return undefined;
}

/** Somebody allowed it, or it has an outcome that is no refusal, or its whole span was told. */
function executed({ decision, event, call }: DetectEvent): boolean {
  return decision !== 'none' || event.phase !== 'request' || call?.category !== undefined;
}

function accept({ tenant, session }: ChainState, unconfirmed: Unconfirmed, raise: Raise): void {
  const { bits, chains, known, finding, doubtful } = unconfirmed;
  session.bits = Math.max(session.bits, bits);
  extendLesson(session.chains, chains);
  extendLesson(doubtful ? session.doubted : session.known, known);
  if (finding === undefined) return;
  // One page a session is enough, until it gets worse.
  raise(session.alarmed && finding.severity === 'medium' ? { ...finding, severity: 'low' } : finding);
  if (finding.severity === 'low') return;
  session.alarmed = true;
  // Some sessions under an alert stay in the calibration, or every alarm would lower the bar for the next; but so few
  // that a flood of attacks cannot raise it.
  if (session.bucket >= 0 || (tenant.alarmedScores + 1) * alarmedShare > tenant.scores.total) return;
  tenant.alarmedScores += 1;
  session.bucket = scoreBucket(session.bits);
  recordScore(tenant.scores, -1, session.bucket);
}

function postpone(session: ChainSession, callIndex: number, unconfirmed: Unconfirmed): void {
  session.pending.set(callIndex, unconfirmed);
  dropOldest(session.pending, maxPending);
}

/** A call only requested so far has gone through when it gets an outcome, or when the session goes on after it. */
function confirm(state: ChainState, detected: DetectEvent, call: CallFacts, raise: Raise): void {
  const { pending } = state.session;
  if (pending.size === 0) return;
  for (const [index, unconfirmed] of pending) {
    if (index === call.index ? !executed(detected) : !detected.fresh.call) continue;
    pending.delete(index);
    accept(state, unconfirmed, raise);
  }
}

function dropOldest<Value>(map: Map<number, Value>, cap: number): void {
  if (map.size <= cap) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}
