import { performance } from 'node:perf_hooks';
import type { FindingCause } from '../../evidence/finding.ts';
import { parseLogId } from '../../evidence/log-id.ts';
import { createLogVerifier, type LogVerifier } from '../../evidence/verify-log.ts';
import type { Topic } from '../../streams/topic.ts';
import type { LedgerState } from './ledger-heads.ts';
import { SINGLE, type SchemaVariant } from './migrations/migration.ts';
import type { RawQuery } from './store.ts';
import { retainedStarts, storedRows, type Scope } from './verify-bound.ts';
import { checkHeadsOutside, committedOffsets, knownHeads } from './verify-heads.ts';
import { comparePartitions } from './verify-partitions.ts';
import { createPlaces } from './verify-places.ts';
import { readStore } from './verify-read.ts';
import { createChecklist, createFindingLog, type Checklist, type VerifyReport } from './verify-report.ts';
import { checkHiddenRows, checkSchema } from './verify-schema.ts';

export interface VerifyOptions extends Scope {
  readonly raw: RawQuery;
  /** Where the ledger writer records its heads; `undefined` makes the verdict undecidable at best. */
  readonly states: readonly LedgerState[] | undefined;
  /**
   * The three topics. Called again after the store's bound is known, because a reader beside a running pipeline sees
   * the log as it was when it was opened.
   */
  readonly topics: (() => Promise<readonly Topic[]>) | undefined;
  /** Build every entry from the retained records again and compare. */
  readonly rebuild?: boolean | undefined;
  /** The schema variant in force; default: one engine, embedded or a server. */
  readonly schema?: SchemaVariant | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

const UP_TO_MAX = 1000;

/** Findings that a statement which failed for lack of time or memory would cause by itself. */
const ABSENCE: ReadonlySet<FindingCause> = new Set<FindingCause>([
  'GAP',
  'HEAD_MISSING',
  'TRUNCATED',
  'LOG_MISSING',
  'DAY',
]);

/**
 * Verifies the store: every row against its hashes and its neighbours, the logs against the recorded heads, what lies
 * beyond the heads against the records, the derived columns against the bodies, the table against its definition.
 * Reads only; a running pipeline and retention cause no finding. Never rejects for what the store holds.
 */
export async function verifyStore(options: VerifyOptions): Promise<VerifyReport> {
  const { raw, tenant, deployment } = options;
  const beganAt = performance.now();
  const findings = createFindingLog();
  const checks = createChecklist();
  const windowed = options.sinceDay !== undefined;
  const wanted = (log: string) => tenant === undefined || parseLogId(log)?.tenant === tenant;

  // T0: what must be there. Offsets first: they are committed after the heads are recorded.
  const topics = (await openTopics(options, checks)) ?? [];
  const committed = await committedOffsets(topics);
  const known = await knownHeads(options.states, topics, committed, checks);
  const expected = new Map([...(known?.logs ?? [])].filter(([log]) => wanted(log)));
  const rebuild = mayRebuild(options, checks) && known !== undefined;

  // T1: the store up to now; rows written later are left out.
  await checks.attempt(
    'table definition',
    () => checkSchema(raw, options.schema ?? SINGLE, findings),
    undefined,
  );
  const where = await storedRows(raw, options, findings);
  const records = await openTopics(options, checks);
  const places = createPlaces({ expected, starts: await retainedStarts(records ?? topics), rebuild });
  let unread = false;
  const verifier = createLogVerifier({
    expected: new Map([...expected].map(([log, head]) => [log, [head]])),
    window: windowed,
    onFinding(finding) {
      if (!unread || !ABSENCE.has(finding.cause)) findings.add(finding);
    },
  });
  const conclude = (whole: boolean): VerifyReport => ({
    verdict: findings.verdict() === 'valid' && !whole ? 'undecidable' : findings.verdict(),
    ...summary(verifier),
    findings: findings.first,
    findings_total: findings.total,
    beyond_heads: places.beyondHeads,
    checks_not_done: checks.notDone,
    took_ms: Math.round(performance.now() - beganAt),
  });
  // Without a bound nothing was read, so nothing can be said to be missing.
  if (where === undefined) return conclude(false);

  let readAll: boolean;
  try {
    readAll = await readStore({
      raw,
      where,
      findings,
      push(row) {
        verifier.push(row);
        if (known !== undefined) places.note(row);
      },
      onUnread: () => (unread = true),
      onProgress: options.onProgress,
    });
    verifier.finish();
    await checkHiddenRows(raw, where, findings);
  } catch (error) {
    readAll = false;
    unread = true;
    findings.readFailure('custody.entries', error);
  }

  if (windowed) await checkHeadsOutside(raw, expected, verifier.logs, findings);
  if (known !== undefined && unread) {
    checks.skip('records of the log: not every entry could be read');
  } else if (known !== undefined) {
    const held = { raw, deployment, heads: known, expected, committed, places, wanted, rebuild };
    const current = records !== undefined;
    await comparePartitions({ ...held, findings, current }, records ?? topics);
  } else if (verifier.entryCount > 0) {
    const detail = 'no recorded heads: a cut tail or an older store cannot be told from a whole one';
    findings.add({ cause: 'HEADS_UNAVAILABLE', log: 'ledger', seq: null, column: null, detail });
  }
  return conclude(readAll);
}

/** The topics as they are now; `undefined` when there are none to ask or they could not be opened. */
async function openTopics(
  { topics }: VerifyOptions,
  checks: Checklist,
): Promise<readonly Topic[] | undefined> {
  return topics && checks.attempt<readonly Topic[] | undefined>('records of the log', topics, undefined);
}

/** Links of one tenant or of some days do not give the state a rebuild starts from. */
function mayRebuild({ rebuild, tenant, sinceDay }: VerifyOptions, checks: Checklist): boolean {
  if (rebuild !== true) return false;
  if (tenant === undefined && sinceDay === undefined) return true;
  checks.skip('rebuild: only over whole logs of all tenants');
  return false;
}

function summary(verifier: LogVerifier) {
  return {
    entries: verifier.entryCount,
    logs: verifier.logs.size,
    duplicates: verifier.duplicateCount,
    verified_up_to: [...verifier.logs]
      .slice(0, UP_TO_MAX)
      .map(([log, { seq, leaf }]) => ({ log, seq: String(seq), leaf })),
  };
}
