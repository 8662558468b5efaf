import type { VerifyReport } from '../sinks/store/verify-report.ts';
import { verifyStore } from '../sinks/store/verify-store.ts';
import { TOPIC_NAMES } from '../streams/topic.ts';
import type { PipelineContext } from './context.ts';
import { openVerifyEvidence } from './verify-evidence.ts';

/** `whole`: every stored entry; `recent`: what today and yesterday brought, from the checkpoints before on. */
export type ScrubScope = 'whole' | 'recent';

/** How one verification by schedule ended. */
export interface ScrubOutcome {
  /** When it ended, RFC 3339. */
  readonly at: string;
  readonly verdict: VerifyReport['verdict'];
  readonly entries: number;
  /** Size of the anchor log it reached; 0 without checkpoints. */
  readonly signed_size: string;
  readonly anchored_size: string;
  readonly findings_total: number;
  readonly checks_not_done: readonly string[];
  readonly took_ms: number;
}

/** The last run of each scope since the start of the process. */
export type ScrubStatus = Readonly<Partial<Record<ScrubScope, ScrubOutcome>>>;

export interface Scrub {
  run(scope: ScrubScope): Promise<void>;
  status(): ScrubStatus;
}

const DAY_MS = 86_400_000;
/** One run that could not check everything may be an anchor that was restarted; two are a condition. */
const PATIENCE_RUNS = 2;

/**
 * Verifies the store of a running pipeline and raises an alarm when it contradicts the log, the checkpoints or itself, and
 * when twice in a row not everything could be checked. One run at a time.
 */
export function createScrub(context: PipelineContext): Scrub {
  const { store, log, deployment, clock, logger, alarms, metrics } = context;
  const last: Partial<Record<ScrubScope, ScrubOutcome>> = {};
  const incomplete: Record<ScrubScope, number> = { whole: 0, recent: 0 };
  let running: Promise<unknown> = Promise.resolve();

  async function verify(scope: ScrubScope): Promise<VerifyReport | undefined> {
    if (store === undefined) return undefined;
    const evidence = await openVerifyEvidence({ ...context, withAnchors: true });
    try {
      return await verifyStore({
        raw: store.raw,
        schema: store.schema,
        states: log.states('ledger'),
        topics: () => Promise.resolve(TOPIC_NAMES.map((name) => log.topic(name))),
        deployment,
        trust: evidence.trust,
        anchors: evidence.anchors,
        sinceDay: scope === 'recent' ? Math.floor(clock.nowMs() / DAY_MS) - 1 : undefined,
      });
    } finally {
      await evidence.close();
    }
  }

  function judge(scope: ScrubScope, report: VerifyReport): void {
    const { verdict, findings, findings_total, checks_not_done } = report;
    const condition = { component: 'store', code: 'unverified', place: scope };
    if (verdict === 'invalid') {
      const [first] = findings;
      const where =
        first === undefined ? '' : `: ${first.cause} in ${first.log} at ${first.seq ?? 'no entry'}`;
      const message = `the store does not verify, ${findings_total} findings${where}`;
      alarms.raise({ component: 'store', code: 'invalid', message });
      return;
    }
    const isComplete = verdict === 'valid' && checks_not_done.length === 0;
    incomplete[scope] = isComplete ? 0 : incomplete[scope] + 1;
    if (isComplete) alarms.clear(condition);
    if (incomplete[scope] < PATIENCE_RUNS) return;
    const reason = checks_not_done[0] ?? findings[0]?.detail ?? 'not everything could be read';
    const message = `the store could not be verified ${incomplete[scope]} times in a row: ${reason}`;
    alarms.raise({ ...condition, message });
  }

  async function runOnce(scope: ScrubScope): Promise<void> {
    const report = await verify(scope);
    if (report === undefined) return;
    const { verdict, entries, findings_total, checks_not_done, took_ms, signed } = report;
    const outcome: ScrubOutcome = {
      at: new Date(clock.nowMs()).toISOString(),
      ...{ verdict, entries, findings_total, checks_not_done, took_ms },
      signed_size: signed?.signed_size ?? '0',
      anchored_size: signed?.anchored_size ?? '0',
    };
    last[scope] = outcome;
    metrics.verifyRuns.inc({ scope, verdict });
    if (verdict === 'valid') metrics.verifiedTime.set({ scope }, clock.nowMs() / 1000);
    if (scope === 'whole') metrics.verifiedEntries.set(verdict === 'valid' ? entries : 0);
    if (scope === 'whole' && verdict === 'valid') metrics.verifiedSize.set(Number(outcome.signed_size));
    if (verdict === 'valid') logger.info({ scope, ...outcome }, 'store verified');
    else logger.warn({ scope, ...outcome }, 'store not verified');
    judge(scope, report);
  }

  return {
    status: () => ({ ...last }),
    run(scope) {
      const turn = running.then(() => runOnce(scope));
      running = turn.catch(() => undefined);
      return turn;
    },
  };
}

/** Jobs of the schedule of a process that verifies. */
export function scrubJobs({ config, roles }: PipelineContext, scrub: Scrub) {
  if (!roles.has('notary')) return [];
  return [
    { name: 'store_scrub', cron: config.verify_cron, run: () => scrub.run('whole') },
    { name: 'store_scrub_recent', cron: config.verify_recent_cron, run: () => scrub.run('recent') },
  ];
}
