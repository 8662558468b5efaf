import type { RawEntry } from '../evidence/raw-entry.ts';
import type { CaseFinding, LogFacts } from './case-data.ts';
import type { Coverage } from './coverage.ts';
import type { CaseScope } from './scope.ts';
import { stageLog } from './stage-entries.ts';
import type { Staging } from './staging.ts';
import type { RawQuery } from '../sinks/store/store.ts';

export interface StageLogs {
  readonly raw: RawQuery;
  readonly staging: Staging;
  readonly scope: CaseScope;
  readonly coverage: Coverage;
  readonly signal: AbortSignal;
  readonly onFinding: (finding: CaseFinding) => void;
  readonly onProgress: (done: number, total: number) => void;
}

export interface StagedLogs {
  readonly logs: readonly LogFacts[];
  /** Ids of the alerts among the entries, by the id of each event they rest on. */
  readonly evidence: ReadonlyMap<string, readonly string[]>;
}

/** Streams every log's entries out of the store, one log after the other. */
export async function stageLogs(stage: StageLogs): Promise<StagedLogs> {
  const { scope, coverage, onProgress } = stage;
  const logs: LogFacts[] = [];
  const evidence = new Map<string, string[]>();
  const total = scope.logs.reduce(
    (sum, { fromSeq, toSeq, seqs }) => sum + (seqs?.length ?? Number(toSeq - fromSeq) + 1),
    0,
  );
  let done = 0;
  const onEntry = (row: RawEntry) => {
    done += 1;
    if (done % PROGRESS_ENTRIES === 0) onProgress(done, total);
    if (row.topic === ALERTS_TOPIC && row.kind === 'event') noteEvidence(evidence, row);
  };
  for (const [place, window] of scope.logs.entries()) {
    const covered = coverage.logs.get(window.log);
    if (covered === undefined) continue;
    const index = String(place + 1).padStart(4, '0');
    const { origin } = coverage.checkpoint;
    const entryCount = await stageLog({ ...stage, index, window, coverage: covered, origin, onEntry });
    const { log, fromSeq, toSeq } = window;
    const { size, timeMs, root, anchor } = covered;
    logs.push({
      ...{ log, index, mode: scope.mode, fromSeq, toSeq, entryCount, size },
      ...{ root: Buffer.from(root).toString('hex'), anchorSeq: anchor.seq, checkpointMs: timeMs },
    });
  }
  onProgress(total, total);
  return { logs, evidence };
}

const PROGRESS_ENTRIES = 4096;
const ALERTS_TOPIC = 'custody.alerts';
const EVIDENCE_IDS_MAX = 64;
const EVIDENCE_MAX = 200_000;
const ALERTS_OF_EVENT_MAX = 32;

/** Notes which events an alert rests on. Reads attacker-controlled bytes. */
function noteEvidence(into: Map<string, string[]>, { body }: RawEntry): void {
  let alert: { readonly alert_id?: unknown; readonly evidence?: unknown };
  try {
    alert = JSON.parse(Buffer.from(body).toString('utf8')) as typeof alert;
  } catch {
    return;
  }
  const { alert_id: alertId, evidence } = alert;
  if (!isId(alertId) || !Array.isArray(evidence)) return;
  for (const eventId of evidence.slice(0, EVIDENCE_IDS_MAX).filter(isId)) {
    const alerts = into.get(eventId) ?? [];
    if (into.size >= EVIDENCE_MAX || alerts.length >= ALERTS_OF_EVENT_MAX || alerts.includes(alertId))
      continue;
    into.set(eventId, [...alerts, alertId]);
  }
}

const isId = (value: unknown): value is string => typeof value === 'string' && value.length <= 64;
