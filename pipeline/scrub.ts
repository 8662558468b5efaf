import { verifyStore } from '../sinks/store/verify-store.ts';
import { TOPIC_NAMES } from '../streams/topic.ts';
import type { PipelineContext } from './context.ts';

/** Verifies the whole store of a running pipeline and raises an alarm when it contradicts the log or itself. */
export async function scrub(context: PipelineContext): Promise<void> {
  const { store, log, deployment, logger, alarms } = context;
  if (store === undefined) return;
  const report = await verifyStore({
    raw: store.raw,
    schema: store.schema,
    states: log.states('ledger'),
    topics: () => Promise.resolve(TOPIC_NAMES.map((name) => log.topic(name))),
    deployment,
  });
  const { verdict, entries, findings, findings_total, took_ms } = report;
  const outcome = { verdict, entries, findings_total, checks_not_done: report.checks_not_done, took_ms };
  if (verdict === 'undecidable') logger.warn(outcome, 'store not verified: not everything could be checked');
  else logger.info(outcome, 'store verified');
  if (verdict !== 'invalid') return;
  const [first] = findings;
  const where = first === undefined ? '' : `: ${first.cause} in ${first.log} at ${first.seq ?? 'no entry'}`;
  alarms.raise({
    component: 'store',
    code: 'invalid',
    message: `the store does not verify, ${findings_total} findings${where}`,
  });
}
