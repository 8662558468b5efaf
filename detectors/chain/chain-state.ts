import type { DetectorState, Finding } from '../detector.ts';
import type { KnownIntent } from '../learning/intents.ts';
import { newItemMemory, type ItemMemory } from '../learning/item-memory.ts';
import { newScoreHistogram, type ScoreHistogram } from '../learning/surprise.ts';

/** What is normal for a tenant: learned from sessions that closed without an open alert. */
export interface ChainTenant {
  readonly hash: number;
  /** Tools and steps from tool to tool: the only items that may be shared between tenants, as hashes. */
  readonly chains: ItemMemory;
  /** Destinations, values, and what requests led to. Never shared. */
  readonly known: ItemMemory;
  readonly intents: KnownIntent[];
  /** Items of doubtful sessions, by the days they were seen on: a habit becomes known after several. */
  readonly probation: ItemMemory;
  /** The highest bits of each recent session. */
  readonly scores: ScoreHistogram;
  /** How many sessions in `scores` were under an alert. */
  alarmedScores: number;
  sessions: number;
}

/** One item a session showed, with the class whose novelty it counts for. */
export interface Lesson {
  readonly items: number[];
  readonly rateKeys: number[];
}

export interface ChainSession {
  /** Words of what the agent was asked, and the known request it is; -1 while none was told. */
  asked: readonly number[];
  intentId: number;
  intentSessions: number;
  /** Steps so far, the latest distinct tools, oldest first. */
  readonly tools: ToolStep[];
  readonly chains: Lesson;
  readonly known: Lesson;
  /** What doubtful calls showed: known only when it becomes a habit, or when the session's alerts are dismissed. */
  readonly doubted: Lesson;
  /** Event time of its last event. */
  lastMs: number;
  /** Highest bits of a call that went through. */
  bits: number;
  /** A page was raised: what it teaches, it teaches because somebody dismissed it. */
  alarmed: boolean;
  /** Its place in the tenant's histogram while it is open: only under an alert. */
  bucket: number;
  /** What each call came after, by call index. */
  readonly steps: Map<number, ToolStep>;
  /** Calls whose execution nobody has confirmed yet, by index. */
  readonly pending: Map<number, Unconfirmed>;
}

export interface ToolStep {
  readonly hash: number;
  readonly key: string;
  readonly eventId: string;
}

/** What to learn and to raise once it is known that the call went through. */
export interface Unconfirmed {
  readonly chains: Lesson;
  readonly known: Lesson;
  readonly bits: number;
  readonly finding: Finding | undefined;
  /** Strange, and not strange enough for a page. */
  readonly doubtful: boolean;
}

export type ChainState = DetectorState<ChainTenant, ChainSession>;

export const newChainTenant = (hash: number): ChainTenant => ({
  hash,
  chains: newItemMemory(),
  known: newItemMemory(),
  probation: newItemMemory(),
  intents: [],
  scores: newScoreHistogram(),
  alarmedScores: 0,
  sessions: 0,
});

export const newLesson = (): Lesson => ({ items: [], rateKeys: [] });

export const newChainSession = (): ChainSession => ({
  asked: [],
  intentId: -1,
  intentSessions: 0,
  tools: [],
  chains: newLesson(),
  known: newLesson(),
  doubted: newLesson(),
  lastMs: 0,
  bits: 0,
  alarmed: false,
  bucket: -1,
  steps: new Map(),
  pending: new Map(),
});
