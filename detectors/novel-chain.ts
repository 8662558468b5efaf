import type { DetectConfig } from '../schemas/config.ts';
import {
  chainClass,
  chainClasses,
  chainItems,
  destinationItems,
  extendContext,
  type ChainClass,
  type ChainItem,
} from './chain-items.ts';
import {
  bitsOf,
  learn,
  takeBack,
  type ChainSession,
  type ChainState,
  type ChainTenant,
  type Unconfirmed,
} from './chain-memory.ts';
import { describeChain } from './chain-words.ts';
import {
  isConsequential,
  type CallFacts,
  type DetectEvent,
  type Detector,
  type Finding,
  type Raise,
} from './detector.ts';
import { itemHash } from './learning/item-hash.ts';
import { knownToOthers } from './learning/known-items.ts';
import {
  forgetScore,
  newScoreHistogram,
  percentile,
  scoreBucket,
  surpriseBits,
} from './learning/surprise.ts';

const maxPending = 8;
const maxChainBits = 16;
/**
 * Below this even the highest score of a very regular tenant is no news. With less history nothing can be this rare;
 * then a finding must come within `slackBits` of the rarest that the history can show.
 */
const minBits = 6;
const slackBits = 1.25;
const highBits = 10;
/** Receives every score, alert or not; for evaluation. */
export type ScoreProbe = (eventId: string, score: number, bits: number) => void;

/**
 * Unseen combination of tools in one session, ending in a call that writes, executes or sends, or in a tool never
 * seen. Each kind of novelty weighs as many bits as it is rare among this tenant's sessions; the score is the
 * percentile of the sum among the tenant's recent sessions.
 */
export function novelChain(
  config: DetectConfig['novel_chain'],
  probe?: ScoreProbe,
): Detector<ChainTenant, ChainSession> {
  return {
    id: 'novel-chain',
    version: 1,
    newTenantState: (tenant) => ({
      hash: itemHash(tenant),
      items: new Map(),
      rates: [...Array(chainClasses.length + 1).keys()].map(() => ({ occurrences: 0, singles: 0 })),
      scores: newScoreHistogram(),
      alarmedScores: 0,
    }),
    newSessionState: () => ({
      tools: [],
      learned: { hashes: [], classes: [] },
      bucket: -1,
      chainBits: new Map(),
      pending: new Map(),
    }),
    sharesItems: true,

    step(detected, state, raise) {
      const { call } = detected;
      if (call === undefined || call.continuation) return;
      if (detected.decision === 'deny') {
        state.session.pending.delete(call.index);
        return;
      }
      confirm(state, detected, call, raise);
      const items = newItems(detected, call, state.session);
      if (items.length === 0) return;
      const judged = judge(state, call, items, detected.fresh.call);
      const finding =
        judged === undefined ? undefined : findingOf(config, probe, judged, detected, call, state);
      const unconfirmed = { items, bits: judged?.bits ?? 0, finding };
      if (executed(detected)) accept(state, unconfirmed, detected.quarantined, raise);
      else postpone(state.session, call.index, unconfirmed);
      if (detected.fresh.call) extendContext(state.session, call.toolHash, call);
    },

    quarantine(state) {
      const { tenant, session } = state;
      const { hashes, classes } = session.learned;
      hashes.forEach((item, index) => takeBack(state, item, classes[index]));
      hashes.length = 0;
      classes.length = 0;
      // Some sessions under an alert stay in the calibration, or every alarm would lower the bar for the next; but so
      // few that a flood of attacks cannot raise it.
      const kept = tenant.alarmedScores + 1;
      if (session.bucket >= 0 && kept <= (tenant.scores.total * (1 - config.threshold)) / 2)
        tenant.alarmedScores = kept;
      else if (session.bucket >= 0) forgetScore(tenant.scores, session.bucket);
      session.bucket = -1;
    },

    status: ({ scores }) => ({ learning: scores.total < config.learning_sessions, seen: scores.total }),
  };
}

/** What this event brings to the chain: the call with its destinations, or destinations told later. */
function newItems(detected: DetectEvent, call: CallFacts, session: ChainSession): ChainItem[] {
  const toolHash = call.toolHash;
  const destinations = destinationItems(detected.fresh.destinations, toolHash);
  return detected.fresh.call
    ? [...chainItems(toolHash, session, hasConsequences(call)), ...destinations]
    : destinations;
}

function findingOf(
  config: DetectConfig['novel_chain'],
  probe: ScoreProbe | undefined,
  judged: Judged,
  { event, decision }: DetectEvent,
  call: CallFacts,
  { tenant, session }: ChainState,
): Finding | undefined {
  const score = percentile(tenant.scores, scoreBucket(judged.bits), session.bucket);
  probe?.(event.event_id, score, judged.bits);
  const others = tenant.scores.total - (session.bucket >= 0 ? 1 : 0);
  if (others < config.learning_sessions || score <= config.threshold) return undefined;
  if (judged.bits < floorBits(tenant, judged)) return undefined;
  const { novel, bits } = judged;
  const severity = severityOf(judged);
  return describeChain({
    call,
    decision,
    novel,
    bits,
    score,
    sessions: others,
    threshold: config.threshold,
    severity,
  });
}

interface Judged {
  readonly bits: number;
  readonly novel: readonly ChainItem[];
  readonly consequential: boolean;
}

function hasConsequences({ action, destinations }: CallFacts): boolean {
  return isConsequential(action) || (action === 'unknown' && destinations.length > 0);
}

function judge(
  state: ChainState,
  call: CallFacts,
  items: readonly ChainItem[],
  isFirst: boolean,
): Judged | undefined {
  const { tenant, session } = state;
  const novel = items.filter(({ hash }) => !knownToOthers(tenant.items, hash, session.learned.hashes));
  const consequential = hasConsequences(call);
  if (!consequential && !novel.some(({ itemClass }) => itemClass === chainClass.tool)) return undefined;
  let chain = isFirst ? 0 : (session.chainBits.get(call.index) ?? 0);
  let contact = 0;
  for (const item of novel) {
    const bits = bitsOf(state, item);
    if (item.itemClass >= chainClass.destination) contact = Math.max(contact, bits);
    else chain = Math.max(chain, bits);
  }
  session.chainBits.set(call.index, chain);
  if (session.chainBits.size > maxChainBits) {
    const oldest = session.chainBits.keys().next().value;
    if (oldest !== undefined) session.chainBits.delete(oldest);
  }
  return { bits: chain + contact, novel, consequential };
}

function floorBits({ rates }: ChainTenant, { novel }: Judged): number {
  let occurrences = 0;
  for (const { itemClass } of novel) occurrences = Math.max(occurrences, rates[itemClass]?.occurrences ?? 0);
  return Math.min(minBits, surpriseBits(1 / (occurrences + 2)) - slackBits);
}

/**
 * A new order of known tools is common in honest work, and so is a new tool that only reads: worth a note, not a page.
 * A consequential call to a tool or a place nobody used before is worth a look; a new way to a new place most of all.
 */
function severityOf({ novel, bits, consequential }: Judged): 'low' | 'medium' | 'high' {
  const classes = new Set<ChainClass>(novel.map(({ itemClass }) => itemClass));
  const newTool = classes.has(chainClass.tool);
  const newPlace = classes.has(chainClass.destination);
  if (!consequential || (!newTool && !newPlace)) return 'low';
  const chain = newTool || classes.has(chainClass.bigram) || classes.has(chainClass.pair);
  return bits >= highBits && chain && newPlace ? 'high' : 'medium';
}

/** Somebody allowed it, or it has an outcome that is no refusal, or its whole span was told. */
function executed({ decision, event, call }: DetectEvent): boolean {
  return decision !== 'none' || event.phase !== 'request' || call?.category !== undefined;
}

function accept(state: ChainState, unconfirmed: Unconfirmed, quarantined: boolean, raise: Raise): void {
  if (unconfirmed.finding !== undefined) raise(unconfirmed.finding);
  if (!quarantined) learn(state, unconfirmed.items, unconfirmed.bits);
}

function postpone(session: ChainSession, callIndex: number, unconfirmed: Unconfirmed): void {
  session.pending.set(callIndex, unconfirmed);
  if (session.pending.size <= maxPending) return;
  const oldest = session.pending.keys().next().value;
  if (oldest !== undefined) session.pending.delete(oldest);
}

/** A call only requested so far has gone through when it gets an outcome, or when the session goes on after it. */
function confirm(state: ChainState, detected: DetectEvent, call: CallFacts, raise: Raise): void {
  const { pending } = state.session;
  if (pending.size === 0) return;
  for (const [index, unconfirmed] of pending) {
    if (index === call.index ? !executed(detected) : !detected.fresh.call) continue;
    pending.delete(index);
    accept(state, unconfirmed, detected.quarantined, raise);
  }
}
