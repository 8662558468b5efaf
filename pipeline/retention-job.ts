import type { Notary } from '../notary/notary.ts';
import { ownNotary } from '../retention/notary-door.ts';
import { runRetention } from '../retention/run.ts';
import { IntegrityError } from '../runtime/errors.ts';
import { formatDay } from '../sinks/store/day.ts';
import { openServerDropper, type DayDropper } from '../sinks/store/drop-day.ts';
import type { PipelineContext } from './context.ts';
import { notaryStateDir } from './notary-state-dir.ts';
import type { Job } from './schedule.ts';

/** Components whose alarm says that the store may not be what was signed: it is kept as it is, to be looked at. */
const EVIDENCE: ReadonlySet<string> = new Set(['store', 'ledger', 'notary']);

/** Retention of this process, by the clock. */
export interface Retention {
  readonly job: Job;
  /** Ends a run that is under way, between two days; the next one goes on. */
  stop(): Promise<void>;
}

/**
 * Makes the scheduled job; `undefined` where this process does not sign, or the configuration lets nothing go: without a
 * notary nobody could tell later what was removed by right.
 */
export function createRetention(context: PipelineContext, notary: Notary | undefined): Retention | undefined {
  const { config, logger } = context;
  if (notary === undefined || !config.retention.enabled || config.retention.cron === '') return undefined;
  if (config.store.type === 'clickhouse' && config.retention.password === undefined) {
    logger.info('retention removes nothing here: retention.password is not set');
    return undefined;
  }
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const run = () => (running = retain(context, notary, stopping.signal));
  return {
    job: { name: 'retention', cron: config.retention.cron, run },
    async stop() {
      stopping.abort();
      // Its failure is the schedule's to log.
      await running.catch(() => undefined);
    },
  };
}

async function retain(context: PipelineContext, notary: Notary, signal: AbortSignal): Promise<void> {
  const { config, store, alarms, clock, logger, deployment } = context;
  if (store === undefined) return;
  const alarm = alarms.active.find(({ component, code }) => EVIDENCE.has(component) && code !== 'anchors');
  if (alarm !== undefined) {
    logger.warn(
      { component: alarm.component, code: alarm.code },
      'retention removes nothing while the alarm lasts',
    );
    return;
  }
  const opened = openDropper(context);
  try {
    const report = await runRetention({
      raw: store.raw,
      notary: ownNotary(notary, notaryStateDir(config), signal),
      dropper: opened.dropper,
      deployment,
      retentionDays: config.retention.days,
      operator: 'retention',
      clock,
      logger,
      signal,
    });
    const { plan, announced, dropped, stopped } = report;
    const [next] = plan.stays;
    const stays =
      next === undefined ? undefined : { day: formatDay(next.day), code: next.code, reason: next.reason };
    logger.info({ announced, dropped: dropped.map(formatDay), stopped, stays }, 'retention');
  } catch (error) {
    if (error instanceof IntegrityError)
      alarms.raise({ component: 'retention', code: 'integrity', message: error.message });
    throw error;
  } finally {
    await opened.close();
  }
}

/** The embedded engine's own, or a connection to the server as the user that may remove days, for this run alone. */
function openDropper({ config, store, secrets }: PipelineContext): {
  dropper: DayDropper;
  close(): Promise<void>;
} {
  if (config.store.type === 'clickhouse') {
    const { username, password } = config.retention;
    const secret = password === undefined ? undefined : secrets(password, 'retention.password');
    const dropper = openServerDropper({ config: config.store, password: secret }, username);
    return { dropper, close: () => dropper.close() };
  }
  if (store?.dropper === undefined) throw new Error('an embedded store has no dropper');
  return { dropper: store.dropper, close: () => Promise.resolve() };
}
