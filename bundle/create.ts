import { entriesFile } from '../evidence/bundle/format.ts';
import { formatVerifierKey, type SigningKey } from '../evidence/note/key.ts';
import type { CustodyStatement } from '../evidence/custody-chain.ts';
import type { Clock } from '../runtime/clock.ts';
import { IntegrityError } from '../runtime/errors.ts';
import type { RawQuery } from '../sinks/store/store.ts';
import { writeBagFiles } from './bag.ts';
import type { BundleFacts, BundleMode, CaseEntry, CaseFinding, LogFacts } from './case-data.ts';
import { writeCheckpointFiles } from './checkpoint-files.ts';
import { claimOf } from './claim.ts';
import { requireSpace } from './disk-space.ts';
import { awaitCoverage, type Coverage, type CoverageWait } from './coverage.ts';
import { rangeOf, writeFacts } from './fact-files.ts';
import { renderEntries, renderFacts, type Renderers } from './render.ts';
import type { ReceiptSource } from './receipts.ts';
import { findScope, type CaseQuery, type CaseScope } from './scope.ts';
import { sealBundle, writeActs } from './seal.ts';
import { stageLogs } from './stage-logs.ts';
import { openStaging, type Staging } from './staging.ts';
import { writeZip } from './zip.ts';

/** What the operator wants exported, and why. */
export interface BundleRequest {
  readonly caseId: string;
  readonly question: string | undefined;
  readonly operator: string;
  readonly role: string;
  readonly reason: string;
  readonly query: CaseQuery;
  readonly mode: BundleMode;
  readonly outFile: string;
  /** Seals the bundle and signs its acts. */
  readonly key: SigningKey;
  /** Export although the store contradicts its checkpoints; the bundle says so and never verifies as valid. */
  readonly evenIfInvalid: boolean;
}

export type BundleStep = 'find' | 'wait' | 'entries' | 'render' | 'zip';

export interface BundleDeps {
  readonly raw: RawQuery;
  readonly deployment: string;
  readonly clock: Clock;
  /** Ids of acts. */
  readonly newId: () => string;
  readonly tool: { readonly name: string; readonly version: string };
  readonly wait: CoverageWait;
  readonly signal: AbortSignal;
  readonly onProgress: (step: BundleStep, done: number, total: number) => void;
  /** Given the alerts of the case that rest on an event. */
  readonly renderers: (alertsOf: (eventId: string) => readonly string[]) => Renderers;
  /** Tag files: VERIFY.md and the verifier. */
  readonly tagFiles: ReadonlyMap<string, string | Uint8Array>;
  /** RFC 3161 token over the bytes; absent without an authority. */
  readonly timestamp?: ((bytes: Uint8Array) => Promise<Uint8Array>) | undefined;
  readonly receipts?: ReceiptSource | undefined;
}

export interface CreatedBundle {
  readonly sha256: string;
  readonly bytes: number;
  readonly caseId: string;
  readonly mode: BundleMode;
  readonly entryCount: number;
  readonly logs: readonly LogFacts[];
  readonly findings: readonly CaseFinding[];
  readonly leftOut: readonly string[];
}

const FINDINGS_MAX = 100;

/**
 * Makes an evidence bundle: finds the case, waits for a checkpoint that covers it, streams and recomputes every entry,
 * proves the whole against the signed root, renders, seals, zips. The file appears under its name in one step, complete.
 * @throws IntegrityError when the store contradicts its checkpoints and the request does not allow that.
 */
export async function createBundle(request: BundleRequest, deps: BundleDeps): Promise<CreatedBundle> {
  const startedMs = deps.clock.nowMs();
  deps.onProgress('find', 0, 1);
  const scope = await findScope(deps.raw, deps.deployment, request.query, request.mode);
  await requireSpace(request.outFile, scope);
  const staging = await openStaging(request.outFile);
  try {
    deps.onProgress('wait', 0, 1);
    const coverage = await awaitCoverage(deps.raw, deps.deployment, scope.logs, deps.wait);
    return await build(request, deps, { startedMs, scope, staging, coverage });
  } finally {
    await staging.discard();
  }
}

interface Work {
  readonly startedMs: number;
  readonly scope: CaseScope;
  readonly staging: Staging;
  readonly coverage: Coverage;
}

async function build(request: BundleRequest, deps: BundleDeps, work: Work): Promise<CreatedBundle> {
  const { scope, staging, coverage } = work;
  const findings: CaseFinding[] = [...coverage.findings];
  const onFinding = (finding: CaseFinding) => {
    if (findings.length < FINDINGS_MAX) findings.push(finding);
  };
  const { raw, signal } = deps;
  const { logs, evidence } = await stageLogs({
    ...{ raw, staging, scope, coverage, signal, onFinding },
    onProgress: (done, total) => deps.onProgress('entries', done, total),
  });
  const indexes = new Map(logs.map(({ log, index }) => [log, index]));
  const checkpoints = await writeCheckpointFiles(deps.raw, staging, coverage, indexes);
  for (const finding of checkpoints.findings) onFinding(finding);
  if (findings.length > 0 && !request.evenIfInvalid) throw contradicted(findings);

  const total = logs.reduce((sum, { entryCount }) => sum + entryCount, 0);
  // The rest of the window is there for completeness; what was asked about has receipts.
  const isAskedFor = ({ event }: CaseEntry) =>
    event !== undefined &&
    (scope.sessionKeys.length === 0 ||
      scope.sessionKeys.includes(event.session?.key ?? '') ||
      evidence.has(event.event_id));
  const renderers = deps.renderers((eventId) => evidence.get(eventId) ?? []);
  const leftOut = await renderEntries({
    ...{ staging, renderers, evidence: evidence.keys(), signal: deps.signal },
    files: logs.map(({ log, index }) => ({ log, path: staging.pathOf(entriesFile(index)) })),
    onEntries: (count) => deps.onProgress('render', count, total),
    onEntry: (entry) => (isAskedFor(entry) ? deps.receipts?.push(entry) : undefined),
  });
  const receipts = (await deps.receipts?.write(staging, coverage, checkpoints.note)) ?? {
    count: 0,
    leftOut: ['no receipts: they were not asked for'],
  };
  leftOut.push(...receipts.leftOut);
  if (!deps.tagFiles.has('verify/verify.mjs'))
    leftOut.push('no verifier of its own: the program that exported was not built with one');
  if (checkpoints.anchors.length === 0)
    leftOut.push(
      'no anchor outside of the store had confirmed the checkpoint; only the key of the notary vouches for it',
    );

  const createdMs = deps.clock.nowMs();
  const acts = await writeActs(staging, actsOf(request, deps, work.startedMs, createdMs), request.key);
  const facts: BundleFacts = {
    ...{ caseId: request.caseId, question: request.question, mode: request.mode },
    claim: claimOf(request.mode, findings.length),
    ...{ deployment: deps.deployment, tenant: scope.tenant, fromMs: scope.fromMs, toMs: scope.toMs },
    ...{
      filters: scope.filters,
      createdMs,
      operator: request.operator,
      reason: request.reason,
      tool: deps.tool,
    },
    logs,
    anchorLog: {
      ...{ origin: coverage.checkpoint.origin, size: coverage.checkpoint.size },
      root: Buffer.from(coverage.checkpoint.root).toString('hex'),
      ...{ timeMs: coverage.checkpoint.timeMs, cosigners: checkpoints.cosigners },
    },
    anchors: checkpoints.anchors,
    keys: { notary: checkpoints.notaryKeys, bundle: formatVerifierKey(request.key) },
    ...{ acts, receiptCount: receipts.count, findings, leftOut },
  };
  await writeFacts(staging, facts);
  await renderFacts(staging, renderers, facts);
  for (const [name, content] of deps.tagFiles) await staging.write(name, content);
  await writeBagFiles(staging, {
    caseId: request.caseId,
    createdMs,
    tool: deps.tool,
    description: facts.claim,
  });
  await sealBundle(
    staging,
    { caseId: request.caseId, mode: request.mode, createdMs, tool: deps.tool, logs: logs.map(rangeOf) },
    request.key,
    deps.timestamp,
  );
  const zipped = await zipStaged(staging, deps);
  await staging.publish();
  return {
    ...zipped,
    caseId: request.caseId,
    mode: request.mode,
    entryCount: total,
    logs,
    findings,
    leftOut,
  };
}

function actsOf(
  request: BundleRequest,
  deps: BundleDeps,
  startedMs: number,
  createdMs: number,
): CustodyStatement[] {
  const common = {
    ...{ actor: request.operator, role: request.role, reason: request.reason, case: request.caseId },
    ...{ tool: `${deps.tool.name} ${deps.tool.version}`, time_source: 'system clock' },
  };
  return [
    {
      ...common,
      act_id: deps.newId(),
      action: 'collect',
      time_ms: startedMs,
      from: `store of ${deps.deployment}`,
    },
    { ...common, act_id: deps.newId(), action: 'seal', time_ms: createdMs },
  ];
}

async function zipStaged(staging: Staging, { signal, onProgress }: BundleDeps) {
  const sizes = [...staging.files.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  const zipped = await writeZip(staging, signal, (bytes) => onProgress('zip', bytes, sizes));
  onProgress('zip', sizes, sizes);
  return zipped;
}

function contradicted(findings: readonly CaseFinding[]): IntegrityError {
  const [first] = findings;
  const place =
    first === undefined ? '' : `${first.cause} in ${first.log} at ${first.seq ?? '?'}: ${first.detail}`;
  const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : '';
  return new IntegrityError(
    `cannot bundle the case: the store contradicts its checkpoints: ${place}${more}; run custody verify, or export it as it is with --even-if-invalid`,
  );
}
