import { performance } from 'node:perf_hooks';
import { anchorOrigin } from '../../evidence/anchor-log/entry.ts';
import { NO_TRUST, type PinnedTrust } from '../../evidence/anchor-log/pinned-keys.ts';
import type { AnchorView } from '../../evidence/anchor-log/verify.ts';
import type { LogHead } from '../../evidence/entry-builder.ts';
import type { Finding, FindingCause } from '../../evidence/finding.ts';
import { parseLogId } from '../../evidence/log-id.ts';
import { createLogVerifier, type LogVerifier } from '../../evidence/verify-log.ts';
import type { Topic } from '../../streams/topic.ts';
import type { LedgerState } from './ledger-heads.ts';
import { SINGLE, type SchemaVariant } from './migrations/migration.ts';
import type { RawQuery } from './store.ts';
import { readAnchorView } from './verify-anchor-log.ts';
import { oldestDay, prunedSince, retainedStarts, storedRows, type Scope } from './verify-bound.ts';
import { checkHeadsOutside, committedOffsets, knownHeads } from './verify-heads.ts';
import { comparePartitions } from './verify-partitions.ts';
import { createPlaces } from './verify-places.ts';
import { readStore } from './verify-read.ts';
import {
  createChecklist,
  createFindingLog,
  type Checklist,
  type FindingLog,
  type VerifyReport,
} from './verify-report.ts';
import { checkHiddenRows, checkSchema } from './verify-schema.ts';
import {
  consult,
  type ConsultedAnchor,
  expectedHeads,
  signedReport,
  signedSizes,
  verifiedLogs,
} from './verify-signed.ts';

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
  /** Keys that checkpoints are held against; default: none, and then checkpoints make the verdict undecidable at best. */
  readonly trust?: PinnedTrust | undefined;
  /** Who holds checkpoints outside of the store. */
  readonly anchors?: readonly ConsultedAnchor[] | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Findings that a statement which failed for lack of time or memory would cause by itself. */
const ABSENCE: ReadonlySet<FindingCause> = new Set<FindingCause>([
  'GAP',
  'HEAD_MISSING',
  'TRUNCATED',
  'LOG_MISSING',
  'UNAUTHORISED_PRUNE',
  'DAY',
]);
/** Findings of absence held back until it is known that nothing was removed by right meanwhile. */
const ABSENT_MAX = 1000;

/**
 * Verifies the store: every row against its hashes and its neighbours, the logs against signed checkpoints, anchors and the
 * recorded heads, what lies beyond the heads against the records, the derived columns against the bodies, the tables
 * against their definition. Reads only; a running pipeline and retention cause no finding. Never rejects for what the
 * store holds.
 */
export async function verifyStore(options: VerifyOptions): Promise<VerifyReport> {
  const { raw, tenant, deployment, trust = NO_TRUST } = options;
  const beganAt = performance.now();
  const findings = createFindingLog();
  const checks = createChecklist();
  const windowed = options.sinceDay !== undefined;
  const wanted = (log: string) => tenant === undefined || parseLogId(log)?.tenant === tenant;

  // T0: what must be there, in the order it comes to be known: anchors last, so they are asked first.
  await checks.attempt(
    'table definition',
    () => checkSchema(raw, options.schema ?? SINGLE, findings),
    undefined,
  );
  const external = await consult(options.anchors ?? [], findings);
  const view = await readAnchorView({ raw, deployment, trust, external, findings });
  const topics = (await openTopics(options, checks)) ?? [];
  // Offsets before heads: they are committed after the heads are recorded.
  const committed = await committedOffsets(topics);
  const known = await knownHeads(options.states, topics, committed, checks);
  const recorded = new Map([...(known?.logs ?? [])].filter(([log]) => wanted(log)));
  const expected = expectedHeads(recorded, view, wanted);
  const rebuild = mayRebuild(options, checks) && known !== undefined;

  // T1: the store up to now; rows written later are left out.
  const where = await storedRows(raw, options, findings);
  const records = await openTopics(options, checks);
  const starts = await retainedStarts(records ?? topics);
  const places = createPlaces({ expected: recorded, signedSizes: signedSizes(view), starts, rebuild });
  const absent: Finding[] = [];
  let unread = false;
  const verifier = createLogVerifier({
    expected,
    window: windowed,
    starts: view?.pruned.starts,
    oldestDay: where === undefined ? undefined : await oldestDay(raw, where),
    onFinding(finding) {
      if (!ABSENCE.has(finding.cause) || absent.length >= ABSENT_MAX) findings.add(finding);
      else if (!unread) absent.push(finding);
    },
  });
  const conclude = (whole: boolean): VerifyReport => ({
    verdict: findings.verdict() === 'valid' && !whole ? 'undecidable' : findings.verdict(),
    ...summary(verifier, view),
    findings: findings.first,
    findings_total: findings.total,
    beyond_heads: places.beyondHeads,
    signed: signedReport(view, trust, external),
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
        if (known !== undefined || view !== undefined) places.note(row);
      },
      // A rebuild takes notes of every row.
      follow: rebuild ? undefined : verifier.follow,
      count: () => verifier.entryCount,
      onUnread() {
        unread = true;
        verifier.forgetTrees();
      },
      onProgress: options.onProgress,
    });
    verifier.finish();
    await checkHiddenRows(raw, where, findings);
  } catch (error) {
    readAll = false;
    unread = true;
    findings.readFailure('custody.entries', error);
  }
  if (!(await reportAbsent(options, view, absent, findings, checks))) readAll = false;

  if (windowed) await checkHeadsOutside(raw, newestOf(expected), verifier.logs, findings);
  if (known !== undefined && unread) {
    checks.skip('records of the log: not every entry could be read');
  } else if (known !== undefined) {
    const held = {
      raw,
      deployment,
      heads: known,
      expected: newestOf(expected),
      committed,
      places,
      wanted,
      rebuild,
    };
    const current = records !== undefined;
    await comparePartitions({ ...held, findings, current }, records ?? topics);
  } else if (view === undefined ? verifier.entryCount > 0 : places.beyondHeads > 0) {
    const detail = 'no recorded heads: a cut tail or an older store cannot be told from a whole one';
    findings.add({ cause: 'HEADS_UNAVAILABLE', log: 'ledger', seq: null, column: null, detail });
  }
  return conclude(readAll);
}

/** Reports what is missing, unless retention announced a removal while the store was read. */
async function reportAbsent(
  { raw, deployment }: VerifyOptions,
  view: AnchorView | undefined,
  absent: readonly Finding[],
  findings: FindingLog,
  checks: Checklist,
): Promise<boolean> {
  if (absent.length === 0) return true;
  const check = 'removals since';
  const meanwhile = await checks.attempt(
    check,
    () => prunedSince(raw, anchorOrigin(deployment), view?.size ?? 0n),
    false,
  );
  if (meanwhile) {
    checks.skip('whether entries are missing: retention removed some meanwhile');
    return false;
  }
  for (const finding of absent) findings.add(finding);
  return true;
}

/** The last entry that each log must have. */
function newestOf(expected: ReadonlyMap<string, readonly LogHead[]>): Map<string, LogHead> {
  return new Map(
    [...expected].flatMap(([log, heads]) => heads.slice(-1).map((head) => [log, head] as const)),
  );
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

function summary(verifier: LogVerifier, view: AnchorView | undefined) {
  return {
    entries: verifier.entryCount,
    logs: verifier.logs.size,
    duplicates: verifier.duplicateCount,
    verified_up_to: verifiedLogs(verifier, view),
  };
}
