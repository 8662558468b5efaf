import type { ExternalHead } from '../../evidence/anchor-log/external-heads.ts';
import type { PinnedTrust } from '../../evidence/anchor-log/pinned-keys.ts';
import type { AnchorView } from '../../evidence/anchor-log/verify.ts';
import type { LogHead } from '../../evidence/entry-builder.ts';
import type { ExpectedHead } from '../../evidence/expected-head.ts';
import type { LogVerifier } from '../../evidence/verify-log.ts';
import type { FindingLog, SignedReport, VerifiedLog } from './verify-report.ts';

/** Somebody outside of the store who may hold checkpoints. */
export interface ConsultedAnchor {
  readonly id: string;
  /** The largest it holds; `undefined` when it holds none. */
  readonly latest: () => Promise<ExternalHead | undefined>;
}

const DAY_MS = 86_400_000;
/** Logs listed in a report. */
const LOGS_MAX = 1000;

/** Asks each; one that does not answer is a finding, after which nothing can be said either way. */
export async function consult(
  anchors: readonly ConsultedAnchor[],
  findings: FindingLog,
): Promise<ExternalHead[]> {
  const heads: ExternalHead[] = [];
  for (const { id, latest } of anchors) {
    try {
      const head = await latest();
      if (head !== undefined) heads.push(head);
    } catch (error) {
      const detail = error instanceof Error ? error.message : 'it failed';
      findings.add({ cause: 'ANCHOR_UNAVAILABLE', log: `anchor ${id}`, seq: null, column: null, detail });
    }
  }
  return heads;
}

/** What each log must hold: the head that its writer recorded, and the checkpoints that were signed. */
export function expectedHeads(
  recorded: ReadonlyMap<string, LogHead>,
  view: AnchorView | undefined,
  wanted: (log: string) => boolean,
): Map<string, ExpectedHead[]> {
  const expected = new Map<string, ExpectedHead[]>();
  for (const [log, { heads }] of view?.logs ?? []) {
    if (!wanted(log)) continue;
    expected.set(
      log,
      heads.map(({ size, root, leaf, timeMs }) => ({
        ...{ seq: size - 1n, leaf, root },
        signedDay: Math.floor(timeMs / DAY_MS),
      })),
    );
  }
  for (const [log, head] of recorded) {
    const heads = [...(expected.get(log) ?? []), head];
    expected.set(
      log,
      heads.sort((a, b) => (a.seq < b.seq ? -1 : a.seq > b.seq ? 1 : 0)),
    );
  }
  return expected;
}

/** Entries of each log that are under a signed checkpoint. */
export function signedSizes(view: AnchorView | undefined): Map<string, bigint> {
  const sizes = new Map<string, bigint>();
  for (const [log, { heads }] of view?.logs ?? []) sizes.set(log, heads.at(-1)?.size ?? 0n);
  return sizes;
}

/** What the report says of signatures; `null` when there are none. */
export function signedReport(
  view: AnchorView | undefined,
  trust: PinnedTrust,
  external: readonly ExternalHead[],
): SignedReport | null {
  if (view === undefined) return null;
  return {
    key_source: trust.source,
    keys: view.signers,
    anchor_log_size: String(view.size),
    signed_size: String(view.signedSize),
    signed_at_ms: view.signedMs ?? null,
    anchored_size: String(view.anchoredSize),
    witnessed_size: trust.witnesses === undefined ? null : String(view.witnessedSize),
    anchors: external
      .filter(({ isOwn }) => isOwn !== true)
      .map(({ anchor, size }) => ({ id: anchor, size: String(size) })),
    split_views: view.splits.map(({ size, notes }) => ({ size: String(size), notes })),
  };
}

/** How far each log was verified. */
export function verifiedLogs(verifier: LogVerifier, view: AnchorView | undefined): VerifiedLog[] {
  return [...verifier.logs].slice(0, LOGS_MAX).map(([log, { seq, leaf }]) => {
    const signed = view?.logs.get(log);
    const signedSize = signed?.heads.at(-1)?.size ?? 0n;
    const unsigned = seq + 1n > signedSize ? seq + 1n - signedSize : 0n;
    return {
      ...{ log, seq: String(seq), leaf },
      signed_size: String(signedSize),
      anchored_size: String(signed?.newestAnchored?.size ?? 0n),
      root_size: String(verifier.rootedSizes.get(log) ?? 0n),
      unsigned: String(unsigned),
    };
  });
}
