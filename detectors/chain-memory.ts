import type { ChainClass, ChainContext, ChainItem } from './chain-items.ts';
import type { DetectorState, Finding } from './detector.ts';
import { addItem, removeItem, type KnownItems } from './learning/known-items.ts';
import { knownEverywhere, shareItem, unshareItem } from './engine/shared-statistics.ts';
import {
  noveltyShare,
  recordScore,
  scoreBucket,
  surpriseBits,
  type NoveltyRate,
  type ScoreHistogram,
} from './learning/surprise.ts';

export interface ChainTenant {
  readonly hash: number;
  readonly items: KnownItems;
  /** By chain class. */
  readonly rates: NoveltyRate[];
  readonly scores: ScoreHistogram;
  /** How many sessions in `scores` were under an alert. */
  alarmedScores: number;
}

/** Arrays rather than a Map: numbers lie unboxed in them, and most sessions teach few items. */
interface LearnedItems {
  readonly hashes: number[];
  readonly classes: ChainClass[];
}

export interface ChainSession extends ChainContext {
  /** Items this session taught, with their class. */
  readonly learned: LearnedItems;
  /** Its place in the tenant's histogram, -1 before its first call. */
  bucket: number;
  /** Surprise of the latest calls without their destinations, by call index: destinations may be told later. */
  readonly chainBits: Map<number, number>;
  /** Calls whose execution nobody has confirmed yet, by index. */
  readonly pending: Map<number, Unconfirmed>;
}

/** What to learn and to raise once it is known that the call went through. */
export interface Unconfirmed {
  readonly items: readonly ChainItem[];
  readonly bits: number;
  readonly finding: Finding | undefined;
}

export type ChainState = DetectorState<ChainTenant, ChainSession>;

const maxTenantItems = 8192;
const maxSessionItems = 512;
/** How often an item known to three tenants is new to a fourth; counts less the more sessions the tenant has. */
const knownElsewhereShare = 0.25;
const tenantWeightSessions = 50;

/** How rare it is here that something of this class is new; less so when three tenants know the item. */
export function bitsOf({ tenant, session, shared }: ChainState, { itemClass, hash }: ChainItem): number {
  const rate = tenant.rates[itemClass];
  if (rate === undefined) return 0;
  let ownOccurrences = 0;
  let ownSingles = 0;
  const { hashes, classes } = session.learned;
  for (let index = 0; index < hashes.length; index += 1) {
    if (classes[index] !== itemClass) continue;
    ownOccurrences += 1;
    if (tenant.items.get(hashes[index] ?? 0) === 1) ownSingles += 1;
  }
  const share = noveltyShare(rate, ownOccurrences, ownSingles);
  if (!knownEverywhere(shared, hash)) return surpriseBits(share);
  const weight = tenant.scores.total / (tenant.scores.total + tenantWeightSessions);
  return surpriseBits(weight * share + (1 - weight) * Math.max(share, knownElsewhereShare));
}

export function learn(state: ChainState, items: readonly ChainItem[], bits: number): void {
  const { tenant, session, shared } = state;
  const { learned } = session;
  for (const { itemClass, hash } of items) {
    if (learned.hashes.length >= maxSessionItems || learned.hashes.includes(hash)) continue;
    learned.hashes.push(hash);
    learned.classes.push(itemClass);
    const rate = tenant.rates[itemClass];
    const before = tenant.items.get(hash) ?? 0;
    if (rate !== undefined) {
      rate.occurrences += 1;
      if (before < 2) rate.singles += before === 0 ? 1 : -1;
    }
    const evicted = addItem(tenant.items, hash, maxTenantItems);
    if (evicted !== undefined) unshareItem(shared, evicted, tenant.hash);
    if (before === 0) shareItem(shared, hash, tenant.hash);
  }
  const bucket = scoreBucket(bits);
  if (bucket > session.bucket) {
    recordScore(tenant.scores, session.bucket, bucket);
    session.bucket = bucket;
  }
}

export function takeBack(
  { tenant, shared }: ChainState,
  item: number,
  itemClass: ChainClass | undefined,
): void {
  const before = tenant.items.get(item);
  if (before === undefined || itemClass === undefined) return;
  const rate = tenant.rates[itemClass];
  if (rate !== undefined) {
    rate.occurrences = Math.max(0, rate.occurrences - 1);
    if (before <= 2) rate.singles = Math.max(0, rate.singles + (before === 1 ? -1 : 1));
  }
  if (removeItem(tenant.items, item)) unshareItem(shared, item, tenant.hash);
}
