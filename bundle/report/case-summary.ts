import type { Alert } from '../../schemas/alert.ts';
import type { CaseEntry } from '../case-data.ts';
import { type EntryFacts, entryFacts } from '../entry-facts.ts';
import { createRecent } from './recent.ts';
import { createThinning } from './thinning.ts';

/** An entry as the report shows it. */
export interface ShownEntry extends EntryFacts {
  readonly timeMs: number;
  readonly log: string;
  readonly seq: bigint;
  readonly bodySha: string;
  readonly summary?: string | undefined;
}

/** An alert with its own entry and those of the events it rests on, as far as they are at hand. */
export interface ShownAlert {
  readonly alert: Alert;
  readonly entry: ShownEntry;
  readonly evidence: ReadonlyMap<string, ShownEntry>;
}

export interface CaseSummary {
  readonly entryCount: number;
  /** By what the entry is about. */
  readonly counts: ReadonlyMap<string, number>;
  /** By the decision of tool calls; `none` where nobody told. */
  readonly decisions: ReadonlyMap<string, number>;
  readonly firstEntries: readonly ShownEntry[];
  readonly alertCount: number;
  readonly alerts: readonly ShownAlert[];
  readonly bytesOut: bigint;
  readonly bytesIn: bigint;
  /** What is drawn, by time. */
  readonly drawn: readonly ShownEntry[];
  /** How many could have been drawn. */
  readonly drawable: number;
  /** Of the ones that nothing points out, every so many are drawn. */
  readonly stride: number;
  /** How many had a decision other than allow, and how many of these are drawn for that reason. */
  readonly stopped: number;
  readonly stoppedDrawn: number;
}

/** Bounds of what a report of any case holds. */
export const REPORT_LIMITS = {
  entries: 200,
  alerts: 50,
  even: 128,
  notable: 64,
  before: 10,
  recent: 5_000,
} as const;

/** What the drawing shows; other entries are context. */
const DRAWN: ReadonlySet<string> = new Set([
  'tool_call',
  'api_call',
  'policy',
  'session',
  'auth',
  'plan',
  'model',
]);

export interface SummaryBuilder {
  push(entry: CaseEntry): void;
  finish(): CaseSummary;
}

/** Reads a case once, in order, and keeps what the report shows: bounded, however long the case. */
export function createSummary(): SummaryBuilder {
  const counts = new Map<string, number>();
  const decisions = new Map<string, number>();
  const firstEntries: ShownEntry[] = [];
  const alerts: (ShownAlert & { readonly evidence: Map<string, ShownEntry> })[] = [];
  // What an alert rests on comes shortly before it.
  const recent = createRecent<ShownEntry>(REPORT_LIMITS.recent);
  const even = createThinning<ShownEntry>(REPORT_LIMITS.even);
  const notable = createThinning<ShownEntry>(REPORT_LIMITS.notable);
  // The last few actions, and those that were the last few when an alert came: how it got there.
  const latest: ShownEntry[] = [];
  const before: ShownEntry[] = [];
  let entryCount = 0;
  let alertCount = 0;
  let bytesIn = 0n;
  let bytesOut = 0n;
  const resolve = ({ alert, evidence }: (typeof alerts)[number]) => {
    for (const id of alert.evidence) {
      const found = evidence.has(id) ? undefined : recent.get(id);
      if (found !== undefined) evidence.set(id, found);
    }
  };
  return {
    push(entry) {
      const shown = shownEntry(entry);
      entryCount += 1;
      count(counts, shown.what);
      if (shown.what === 'tool_call') count(decisions, shown.decision ?? 'none');
      bytesIn += BigInt(shown.bytesIn ?? 0);
      bytesOut += BigInt(shown.bytesOut ?? 0);
      if (firstEntries.length < REPORT_LIMITS.entries) firstEntries.push(shown);
      if (entry.alert !== undefined) {
        alertCount += 1;
        if (alerts.length >= REPORT_LIMITS.alerts) return;
        const kept = { alert: entry.alert, entry: shown, evidence: new Map<string, ShownEntry>() };
        alerts.push(kept);
        if (before.length < REPORT_LIMITS.notable) before.push(...latest);
        resolve(kept);
        return;
      }
      if (shown.eventId !== undefined) recent.set(shown.eventId, shown);
      if (!DRAWN.has(shown.what)) return;
      even.push(shown);
      latest.push(shown);
      if (latest.length > REPORT_LIMITS.before) latest.shift();
      if (stopped(shown)) notable.push(shown);
    },
    finish() {
      // An alert may stand before its evidence within one millisecond.
      for (const alert of alerts) resolve(alert);
      const evidence = alerts
        .flatMap((alert) => [...alert.evidence.values()])
        .filter(({ what }) => DRAWN.has(what));
      const drawn = inOrder([
        ...new Set([...evidence.slice(0, REPORT_LIMITS.notable), ...before, ...notable.kept, ...even.kept]),
      ]);
      return {
        ...{ entryCount, counts, decisions, firstEntries, alertCount, alerts, bytesIn, bytesOut },
        ...{
          drawn,
          drawable: even.seen,
          stride: even.stride,
          stopped: notable.seen,
          stoppedDrawn: notable.kept.length,
        },
      };
    },
  };
}

function shownEntry(entry: CaseEntry): ShownEntry {
  const summary = entry.event?.arguments?.summary;
  return {
    ...entryFacts(entry),
    timeMs: entry.appendTimeMs,
    ...{ log: entry.log, seq: entry.seq, bodySha: entry.bodySha },
    ...(summary === undefined ? {} : { summary }),
  };
}

/** What did not simply go through. */
const stopped = ({ decision }: ShownEntry): boolean => decision !== undefined && decision !== 'allow';

const COUNTS_MAX = 32;

function count(counts: Map<string, number>, key: string): void {
  const known = counts.get(key);
  if (known !== undefined || counts.size < COUNTS_MAX) counts.set(key, (known ?? 0) + 1);
}

const inOrder = (entries: ShownEntry[]): ShownEntry[] =>
  entries.sort(
    (a, b) =>
      a.timeMs - b.timeMs ||
      (a.log < b.log ? -1 : a.log > b.log ? 1 : 0) ||
      (a.seq < b.seq ? -1 : a.seq > b.seq ? 1 : 0),
  );
