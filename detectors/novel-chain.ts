import type { DetectConfig } from '../schemas/config.ts';
import {
  chainClass,
  chainClasses,
  chainItems,
  destinationItems,
  extendContext,
  type ChainClass,
  type ChainContext,
  type ChainItem,
} from './chain-items.ts';
import { describeChain } from './chain-words.ts';
import {
  isConsequential,
  type CallFacts,
  type DetectEvent,
  type Detector,
  type DetectorState,
  type Finding,
} from './detector.ts';
import { itemHash } from './item-hash.ts';
import { addItem, knownToOthers, removeItem, type KnownItems } from './known-items.ts';
import { knownEverywhere, shareItem, unshareItem, type SharedItems } from './shared-items.ts';
import {
  countOpportunity,
  forgetScore,
  newScoreHistogram,
  noveltyShare,
  percentile,
  recordScore,
  scoreBucket,
  surpriseBits,
  type NoveltyRate,
  type ScoreHistogram,
} from './surprise.ts';

interface ChainTenant {
  readonly hash: number;
  readonly items: KnownItems;
  /** By chain class. */
  readonly rates: NoveltyRate[];
  readonly scores: ScoreHistogram;
}

interface ChainSession extends ChainContext {
  /** Items this session taught. */
  readonly learned: Set<number>;
  /** Bit per chain class: it had an opportunity, it did something new. */
  opportunities: number;
  novelties: number;
  /** Its place in the tenant's histogram, -1 before its first call. */
  bucket: number;
  /** Surprise of the latest calls without their destinations, by call index: destinations may be told later. */
  readonly chainBits: Map<number, number>;
  /** Findings about calls whose execution nobody has confirmed yet. */
  readonly pending: Map<number, Finding>;
}

type State = DetectorState<ChainTenant, ChainSession, SharedItems>;

const maxTenantItems = 8192;
const maxSessionItems = 512;
const maxPending = 4;
const maxChainBits = 16;
/** Below this even the highest score of a very regular tenant is no news. */
const minBits = 3;
const highBits = 8;
/** How often an item known to three tenants is new to a fourth; counts less the more sessions the tenant has. */
const knownElsewhereShare = 0.25;
const tenantWeightSessions = 50;

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
): Detector<ChainTenant, ChainSession, SharedItems> {
  return {
    id: 'novel-chain',
    version: 1,
    newTenantState: (tenant) => ({
      hash: itemHash(tenant),
      items: new Map(),
      rates: [...Array(chainClasses.length + 1).keys()].map(() => ({ opportunities: 0, novel: 0 })),
      scores: newScoreHistogram(),
    }),
    newSessionState: () => ({
      tools: [],
      learned: new Set(),
      opportunities: 0,
      novelties: 0,
      bucket: -1,
      chainBits: new Map(),
      pending: new Map(),
    }),
    newSharedState: () => new Map(),

    step(detected, state, raise) {
      const { call } = detected;
      if (call === undefined || call.continuation) return;
      if (detected.decision === 'deny') {
        state.session.pending.delete(call.index);
        return;
      }
      confirm(state.session, detected, call, raise);
      const items = newItems(detected, call, state.session);
      if (items.length === 0) return;
      const judged = judge(state, call, items, detected.fresh.call);
      if (judged !== undefined) {
        const score = percentile(state.tenant.scores, scoreBucket(judged.bits), state.session.bucket);
        probe?.(detected.event.event_id, score, judged.bits);
        const others = othersCount(state);
        if (others >= config.learning_sessions && score > config.threshold && judged.bits >= minBits) {
          const finding = describeChain({
            call,
            decision: detected.decision,
            novel: judged.novel,
            bits: judged.bits,
            score,
            sessions: others,
            threshold: config.threshold,
            severity: severityOf(judged.novel, judged.bits),
          });
          if (executed(detected)) raise(finding);
          else postpone(state.session, call.index, finding);
        }
      }
      if (!detected.quarantined) learn(state, items, judged?.bits);
      if (detected.fresh.call) extendContext(state.session, itemHash(call.toolKey), call);
    },

    quarantine(state) {
      const { tenant, session, shared } = state;
      for (const item of session.learned)
        if (removeItem(tenant.items, item)) unshareItem(shared, item, tenant.hash);
      session.learned.clear();
      for (const itemClass of chainClasses) {
        const rate = tenant.rates[itemClass];
        if (rate === undefined) continue;
        if (has(session.opportunities, itemClass)) rate.opportunities = Math.max(0, rate.opportunities - 1);
        if (has(session.novelties, itemClass)) rate.novel = Math.max(0, rate.novel - 1);
      }
      session.opportunities = 0;
      session.novelties = 0;
      if (session.bucket >= 0) forgetScore(tenant.scores, session.bucket);
      session.bucket = -1;
    },

    status: ({ scores }) => ({ learning: scores.total < config.learning_sessions, seen: scores.total }),
  };
}

/** What this event brings to the chain: the call with its destinations, or destinations told later. */
function newItems(detected: DetectEvent, call: CallFacts, session: ChainSession): ChainItem[] {
  const toolHash = itemHash(call.toolKey);
  const destinations = destinationItems(detected.fresh.destinations, toolHash);
  return detected.fresh.call ? [...chainItems(toolHash, session), ...destinations] : destinations;
}

function judge(
  state: State,
  call: CallFacts,
  items: readonly ChainItem[],
  isFirst: boolean,
): { bits: number; novel: ChainItem[] } | undefined {
  const { tenant, session } = state;
  const novel = items.filter(({ hash }) => !knownToOthers(tenant.items, hash, session.learned));
  const consequential =
    isConsequential(call.action) || (call.action === 'unknown' && call.destinations.length > 0);
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
  return { bits: chain + contact, novel };
}

/** How rare it is here to do something new of this class; less of a surprise when three tenants know the item. */
function bitsOf({ tenant, session, shared }: State, item: ChainItem): number {
  const rate = tenant.rates[item.itemClass];
  if (rate === undefined) return 0;
  const share = noveltyShare(
    rate,
    has(session.opportunities, item.itemClass),
    has(session.novelties, item.itemClass),
  );
  if (!knownEverywhere(shared, item.hash)) return surpriseBits(share);
  const weight = rate.opportunities / (rate.opportunities + tenantWeightSessions);
  return surpriseBits(weight * share + (1 - weight) * Math.max(share, knownElsewhereShare));
}

/** Rates are those of the calls that are judged, so that they measure what the score is made of. */
function learn(state: State, items: readonly ChainItem[], bits: number | undefined): void {
  const { tenant, session, shared } = state;
  for (const { itemClass, hash } of items) {
    const judged = bits !== undefined || itemClass === chainClass.tool;
    const rate = judged ? tenant.rates[itemClass] : undefined;
    if (rate !== undefined && !has(session.opportunities, itemClass)) {
      session.opportunities |= 1 << itemClass;
      countOpportunity(rate);
    }
    if (session.learned.has(hash) || session.learned.size >= maxSessionItems) continue;
    if (rate !== undefined && !tenant.items.has(hash) && !has(session.novelties, itemClass)) {
      session.novelties |= 1 << itemClass;
      rate.novel += 1;
    }
    session.learned.add(hash);
    const evicted = addItem(tenant.items, hash, maxTenantItems);
    if (evicted !== undefined) unshareItem(shared, evicted, tenant.hash);
    shareItem(shared, hash, tenant.hash);
  }
  const bucket = scoreBucket(bits ?? 0);
  if (bucket > session.bucket) {
    recordScore(tenant.scores, session.bucket, bucket);
    session.bucket = bucket;
  }
}

function severityOf(novel: readonly ChainItem[], bits: number): 'medium' | 'high' {
  const classes = new Set<ChainClass>(novel.map(({ itemClass }) => itemClass));
  const chain =
    classes.has(chainClass.tool) || classes.has(chainClass.bigram) || classes.has(chainClass.pair);
  const firstContact = classes.has(chainClass.destination);
  return bits >= highBits && chain && firstContact ? 'high' : 'medium';
}

/** Somebody allowed it, or it has an outcome that is no refusal, or its whole span was told. */
function executed({ decision, event, call }: DetectEvent): boolean {
  return decision !== 'none' || event.phase !== 'request' || call?.category !== undefined;
}

function postpone(session: ChainSession, callIndex: number, finding: Finding): void {
  if (session.pending.size < maxPending) session.pending.set(callIndex, finding);
}

/** A call only requested so far has gone through when it gets an outcome, or when the session goes on after it. */
function confirm(
  session: ChainSession,
  detected: DetectEvent,
  call: CallFacts,
  raise: (finding: Finding) => void,
): void {
  if (session.pending.size === 0) return;
  for (const [index, finding] of session.pending) {
    if (index === call.index ? !executed(detected) : !detected.fresh.call) continue;
    session.pending.delete(index);
    raise(finding);
  }
}

function othersCount({ tenant, session }: State): number {
  return tenant.scores.total - (session.bucket >= 0 ? 1 : 0);
}

function has(mask: number, itemClass: ChainClass): boolean {
  return (mask & (1 << itemClass)) !== 0;
}
