/**
 * Runs the detectors over recorded agent sessions and prints how well they separate attacked from benign ones.
 * usage: npx tsx bench/eval.ts <folder> [--alerts]
 * The folder holds `warmup`, `stream` and `livemcp_benign` as `*.events.jsonl.gz`, labels and `score_alerts.py`.
 * Learning stays on throughout: the stream is judged as a running system would judge it.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { builtInDetectors } from '../detectors/built-in.ts';
import { createEngine } from '../detectors/engine/engine.ts';
import { novelChain } from '../detectors/novel-chain.ts';
import type { Alert } from '../schemas/alert.ts';
import { configSchema } from '../schemas/config.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../schemas/event.ts';

interface Recorded {
  session: string;
  tenant: string;
  agent: string;
  seq: number;
  ts: string;
  tool: string;
  kind: string;
  args_bytes: number;
  args_hash: string;
  output_bytes: number;
  destinations: { d: string }[];
  error: boolean;
  server: string | null;
}
interface Label {
  session: string;
  label: 'benign' | 'attack_succeeded' | 'attack_resisted';
}
interface Outcome {
  readonly alerts: Map<string, Alert[]>;
  readonly scores: { session: string; seq: number; score: number; bits: number }[];
}

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: eval.ts <folder>');
const detect = configSchema.parse({}).detect;

function readRecords<T>(name: string): T[] {
  return gunzipSync(readFileSync(join(folder ?? '', name)))
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}

const hex = (text: string) => createHash('sha256').update(text).digest('hex');

/** What our normaliser would say of the call: kinds as recorded, or by the verb in the name where all say `read`. */
function actionOf({ tool, kind }: Recorded): 'read' | 'write' | 'execute' | 'egress' {
  if (kind.startsWith('egress')) return 'egress';
  if (kind !== 'read') return 'write';
  const verb = /(?:^|[._-])(write|create|update|delete|move|edit|add|execute|run|send|post)(?=$|[._-])/.exec(
    tool,
  )?.[1];
  if (verb === undefined) return 'read';
  if (verb === 'execute' || verb === 'run') return 'execute';
  return verb === 'send' || verb === 'post' ? 'egress' : 'write';
}

function toEvent(record: Recorded, tenant: string, withVerbs: boolean): CustodyEvent {
  const id = hex(`${record.session} ${record.seq}`);
  const timeUnixNano = `${Date.parse(record.ts.endsWith('Z') ? record.ts : `${record.ts}Z`)}000000`;
  const destinations = [...new Set(record.destinations.map(({ d }) => d.replace(/^\w+:/, '')))];
  return {
    schema: EVENT_SCHEMA,
    event_id: `${id.slice(0, 8)}-${id.slice(8, 12)}-8${id.slice(13, 16)}-a${id.slice(17, 20)}-${id.slice(20, 32)}`,
    kind: 'tool_call',
    phase: 'complete',
    tenant,
    time_unix_nano: timeUnixNano,
    observed_time_unix_nano: timeUnixNano,
    source: { collector: 'otlp_http', signal: 'span', dialect: 'eval', vantage: 'client' },
    actor: { id: record.agent, type: 'agent' },
    ...(record.server === null ? {} : { server: { name: record.server } }),
    tool: { name: record.tool, action: actionOf({ ...record, tool: withVerbs ? record.tool : '' }) },
    session: { key: record.session, source: 'conversation_id', confidence: 'high' },
    arguments: { digest: hex(record.args_hash), size_bytes: record.args_bytes },
    result: { size_bytes: record.output_bytes, category: record.error ? 'tool_error' : 'ok' },
    policy: { decision: 'allow' },
    ...(destinations.length === 0 ? {} : { destinations: destinations.slice(0, 32) }),
  };
}

function createEvaluation() {
  const scores: Outcome['scores'] = [];
  const bySession = new Map<string, { session: string; seq: number }>();
  const probed = novelChain(detect.novel_chain, (eventId, score, bits) => {
    const place = bySession.get(eventId);
    if (place !== undefined) scores.push({ ...place, score, bits });
  });
  const detectors = builtInDetectors(detect).map((detector) =>
    detector.id === 'novel-chain' ? probed : detector,
  );
  const engine = createEngine(detect, { detectors });
  const run = (records: Recorded[], tenantOf: (record: Recorded) => string, withVerbs = false): Outcome => {
    scores.length = 0;
    const alerts = new Map<string, Alert[]>();
    for (const record of records) {
      const event = toEvent(record, tenantOf(record), withVerbs);
      bySession.set(event.event_id, { session: record.session, seq: record.seq });
      const raised = engine.process({ event, appendTimeMs: Number(event.time_unix_nano.slice(0, -6)) });
      if (raised.length > 0) alerts.set(record.session, [...(alerts.get(record.session) ?? []), ...raised]);
    }
    return { alerts, scores: [...scores] };
  };
  return { engine, run };
}

const paging = (alert: Alert) => alert.severity !== 'low' && alert.severity !== 'info';

function report(name: string, sessions: readonly string[], { alerts }: Outcome): void {
  const of = (test: (alert: Alert) => boolean) =>
    sessions.filter((session) => (alerts.get(session) ?? []).some(test)).length;
  const share = (count: number) => `${count} (${((100 * count) / sessions.length).toFixed(1)} %)`;
  const byDetector = ['novel-chain', 'exfil-spike', 'scope-drift', 'loop'].map(
    (id) => `${id} ${share(of((alert) => alert.detector.id === id))}`,
  );
  console.log(
    `${name}: ${sessions.length} sessions, alerted ${share(of(() => true))}, medium or more ${share(of(paging))}; ${byDetector.join(', ')}`,
  );
}

function score(name: string, lines: readonly object[]): void {
  const scratch = mkdtempSync(join(tmpdir(), 'custody-eval-'));
  const file = join(scratch, 'alerts.jsonl');
  writeFileSync(file, lines.map((line) => JSON.stringify(line)).join('\n'));
  console.log(`\n${name}`);
  console.log(
    execFileSync('python3', [
      join(folder ?? '', 'score_alerts.py'),
      join(folder ?? '', 'stream.labels.jsonl.gz'),
      file,
    ]).toString(),
  );
  rmSync(scratch, { recursive: true });
}

const warmup = readRecords<Recorded>('warmup.events.jsonl.gz');
const stream = readRecords<Recorded>('stream.events.jsonl.gz');
const labels = readRecords<Label>('stream.labels.jsonl.gz');
const live = readRecords<Recorded>('livemcp_benign.events.jsonl.gz');

const main = createEvaluation();
const sessionsOf = (records: Recorded[]) => [...new Set(records.map(({ session }) => session))];
report(
  'warm-up (benign)',
  sessionsOf(warmup),
  main.run(warmup, ({ tenant }) => tenant),
);
const outcome = main.run(stream, ({ tenant }) => tenant);
for (const label of ['benign', 'attack_succeeded', 'attack_resisted'] as const)
  report(
    label,
    labels.filter((one) => one.label === label).map(({ session }) => session),
    outcome,
  );
score(
  'novel-chain, every score (percentile)',
  outcome.scores.map(({ session, seq, score: value }) => ({
    session,
    seq,
    score: value,
    detector: 'novel-chain',
  })),
);
score(
  'novel-chain, every score (bits)',
  outcome.scores.map(({ session, seq, bits }) => ({ session, seq, score: bits, detector: 'novel-chain' })),
);
score(
  'all four, alerts of medium or more',
  [...outcome.alerts].flatMap(([session, alerts]) =>
    alerts
      .filter(paging)
      .map((alert) => ({ session, seq: null, score: alert.score, detector: alert.detector.id })),
  ),
);

const liveReport = (
  name: string,
  engine: { run: ReturnType<typeof createEvaluation>['run'] },
  tenant?: string,
) => {
  const ran = engine.run(live, (record) => tenant ?? record.tenant, true);
  report(name, sessionsOf(live), ran);
  return ran;
};
liveReport('livemcp, its own tenants', createEvaluation());
const together = liveReport('livemcp, as one tenant', createEvaluation(), 'tenant-live');
const reasons = (ran: Outcome) => {
  for (const alerts of ran.alerts.values())
    for (const alert of alerts) console.log(`  ${alert.severity} ${alert.detector.id}: ${alert.reason}`);
};
if (process.argv.includes('--alerts')) {
  reasons(together);
  for (const { session } of labels.filter(({ label }) => label === 'benign'))
    for (const alert of outcome.alerts.get(session) ?? [])
      console.log(`  benign ${alert.severity} ${alert.detector.id}: ${alert.reason}`);
}
