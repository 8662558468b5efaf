import { checkCustodyChain } from '../custody-chain.ts';
import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import { trustPolicySchema } from '../../schemas/trust-policy.ts';
import { type AnchorNote, checkAnchorNote } from './anchor-note.ts';
import { type Bag, openBag } from './bag.ts';
import { type BundleFiles, BundleReadError } from './files.ts';
import {
  type BundleCase,
  type BundleLog,
  caseSchema,
  entriesFile,
  FILE,
  LIMITS,
  logNoteFile,
  logsSchema,
  proofFile,
} from './format.ts';
import { checkLog } from './log-proof.ts';
import { checkSeal, checkSealedCase } from './seal.ts';
import { type TrustedKeys, trustedKeys } from './trusted-keys.ts';
import {
  type BundleFindings,
  type BundleVerdict,
  collectFindings,
  printable,
  type TimeBounds,
  type VerifiedLog,
} from './verdict.ts';
import { claimOf, NEVER_PROMISED } from './words.ts';

export interface VerifyBundleOptions {
  /** From outside of the bundle. Without one the bundle is at most undecidable. */
  readonly trust: TrustPolicy | undefined;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

interface Facts {
  readonly case: BundleCase | undefined;
  readonly logs: readonly VerifiedLog[];
  readonly anchor: AnchorNote | undefined;
}

/**
 * Verifies a bundle from its bytes alone: layout and manifests, the seal, the anchor log's checkpoint under pinned keys, every
 * entry of every log up to that checkpoint, the chain of custody. Memory is bounded whatever the bundle is. Reads
 * attacker-controlled bytes: what is wrong with them is a finding. Throws a RangeError for a trust policy with keys that
 * are none, and what `files` throws about the disk.
 */
export async function verifyBundle(files: BundleFiles, options: VerifyBundleOptions): Promise<BundleVerdict> {
  const findings = collectFindings();
  const pinned = options.trust === undefined ? undefined : trustedKeys(options.trust);
  const total = files.files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  const onBytes = (count: number) => {
    done += count;
    options.onProgress?.(done, total);
  };
  let facts: Facts = { case: undefined, logs: [], anchor: undefined };
  try {
    const bag = await openBag(files, findings, onBytes);
    facts = await checkBag(bag, pinned, findings, (known) => {
      facts = known;
    });
  } catch (error) {
    if (!(error instanceof BundleReadError)) throw error;
    findings.add(error.kind, { file: error.file }, error.message);
  }
  return verdictOf(facts, findings, pinned === undefined ? 'bundle' : 'pinned');
}

/** The verdict on what could not even be opened. */
export function unreadableVerdict(
  { kind, file, message }: BundleReadError,
  { trust }: VerifyBundleOptions,
): BundleVerdict {
  const findings = collectFindings();
  findings.add(kind, { file }, message);
  return verdictOf(
    { case: undefined, logs: [], anchor: undefined },
    findings,
    trust === undefined ? 'bundle' : 'pinned',
  );
}

async function checkBag(
  bag: Bag,
  pinned: TrustedKeys | undefined,
  findings: BundleFindings,
  onFacts: (facts: Facts) => void,
): Promise<Facts> {
  const trust = pinned ?? (await ownKeys(bag, findings));
  const seal = await checkSeal(bag, trust, findings);
  const found = await bag.json(FILE.case, caseSchema);
  const logs = await bag.json(FILE.logs, logsSchema);
  if (found === undefined || logs === undefined) {
    await bag.readRest();
    return { case: found, logs: [], anchor: undefined };
  }
  onFacts({ case: found, logs: [], anchor: undefined });
  if ((found.findings ?? []).length > 0)
    findings.add(
      'EXPORTED_INVALID',
      { file: FILE.case },
      'the exporter says that the store contradicts its checkpoints',
    );
  if (seal !== undefined) checkSealedCase(seal, found, logs, findings);
  const anchor = await checkAnchorNote(bag, found, seal, trust, findings);
  checkLogFiles(bag, logs, findings);
  const verified: VerifiedLog[] = [];
  for (const window of logs) {
    if (!bag.has(entriesFile(window.index))) {
      findings.add('MISSING_FILE', { file: entriesFile(window.index), log: window.log }, 'a log has entries');
      continue;
    }
    const log = await checkLog(bag, window, found, anchor, findings);
    if (log !== undefined) verified.push(log);
    onFacts({ case: found, logs: verified, anchor });
  }
  await checkCustody(bag, found, trust, findings);
  await bag.readRest();
  return { case: found, logs: verified, anchor };
}

/** Keys from inside: enough to see contradictions, never to prove anything. */
async function ownKeys(bag: Bag, findings: BundleFindings): Promise<TrustedKeys | undefined> {
  findings.add('NO_PINNED_KEY', {}, 'no trust policy from outside of the bundle was given');
  if (!bag.has(FILE.trustPolicy)) return undefined;
  const policy = await bag.json(FILE.trustPolicy, trustPolicySchema);
  if (policy === undefined) return undefined;
  try {
    return trustedKeys(policy);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    findings.add('LAYOUT', { file: FILE.trustPolicy }, 'a key it names is none');
    return undefined;
  }
}

/** Every file of entries, proofs and notes is that of a log in logs.json: none is shown that was not proven. */
function checkLogFiles(bag: Bag, logs: readonly BundleLog[], findings: BundleFindings): void {
  const known = new Set<string>();
  const named = new Set<string>();
  for (const { log, index } of logs) {
    if (known.has(entriesFile(index)) || named.has(log))
      throw new BundleReadError('LAYOUT', 'a log or an index comes twice', FILE.logs);
    named.add(log);
    for (const name of [entriesFile(index), proofFile(index), logNoteFile(index)]) known.add(name);
  }
  for (const folder of ['data/entries/', 'data/proofs/', 'data/checkpoints/logs/'])
    for (const file of bag.under(folder))
      if (!known.has(file)) findings.add('EXTRA_FILE', { file }, 'it belongs to no log of logs.json');
}

async function checkCustody(
  bag: Bag,
  facts: BundleCase,
  trust: TrustedKeys | undefined,
  findings: BundleFindings,
): Promise<void> {
  const file = FILE.custody;
  const bytes = await bag.bytes(file, LIMITS.jsonBytes);
  if (bytes === undefined) return;
  const keys = trust?.bundleKeys ?? [];
  const { acts, findings: found } = checkCustodyChain(Buffer.from(bytes).toString('utf8'), { keys });
  for (const { cause, line, detail } of found) {
    // Without a pinned key that is known already.
    if (cause === 'CUSTODY_KEY' && keys.length === 0) continue;
    findings.add(cause, { file }, `line ${line}: ${detail}`);
  }
  if (acts.some((act) => act.case !== facts.case))
    findings.add('CASE_MISMATCH', { file }, 'an act is about another case');
  if (!acts.some((act) => act.action === 'seal'))
    findings.add('CUSTODY_LINK', { file }, 'no act says that the bundle was sealed');
}

function verdictOf(
  { case: of, logs, anchor }: Facts,
  findings: BundleFindings,
  source: BundleVerdict['key_source'],
): BundleVerdict {
  const verdict = findings.verdict();
  const mode = of?.mode ?? null;
  const times = timeBounds(logs, anchor);
  return {
    verdict,
    mode,
    case: of === undefined ? null : printable(of.case),
    claim: claimOf(verdict, mode, logs, times),
    never_promised: NEVER_PROMISED,
    findings: findings.first,
    findings_total: findings.total,
    entries: logs.reduce((sum, { entries }) => sum + entries, 0),
    logs,
    time_bounds: times,
    witnesses: anchor?.witnesses ?? [],
    timestamps: anchor?.timestamps ?? [],
    key_source: source,
  };
}

function timeBounds(logs: readonly VerifiedLog[], anchor: AnchorNote | undefined): TimeBounds {
  const stated = logs.flatMap(({ checkpoint_ms }) => (checkpoint_ms === null ? [] : [checkpoint_ms]));
  const bounds = [
    ...(anchor?.witnesses ?? []).map(({ time_ms }) => ({ time_ms, source: 'witness' as const })),
    ...(anchor?.timestamps ?? []).flatMap(({ status, time_ms }) =>
      status === 'valid' && time_ms !== null ? [{ time_ms, source: 'timestamp' as const }] : [],
    ),
  ].sort((a, b) => a.time_ms - b.time_ms);
  return {
    stated_ms: stated.length === 0 ? null : Math.max(...stated),
    not_after_ms: bounds[0]?.time_ms ?? null,
    not_after_source: bounds[0]?.source ?? null,
  };
}
