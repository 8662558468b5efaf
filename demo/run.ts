// The whole product on real input, in under two minutes: real MCP servers driven by the official client through the tap,
// a real OpenTelemetry SDK, benign work, one attack per detector, verification, and tampering that is found.
// Exits non-zero if anything expected did not happen.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { queryRows, runCli, startPipelineProcess, until } from '../test/support/pipeline-process.ts';
import { makeBundle, tamperWithBundle, verifyBundle } from './bundle.ts';
import { playMcpServers } from './mcp-servers.ts';
import { say, check, failures } from './narrate.ts';
import { playAttacks, playBenignAgents, type Attack } from './otel-agents.ts';
import { tamperWithOneRow } from './tamper.ts';

const startedAt = performance.now();
const workDir = mkdtempSync(join(tmpdir(), 'custody-demo-'));
const dataDir = join(workDir, 'data');

say('Starting the pipeline in one process (log: LMDB, store: chDB) …');
const pipeline = await startPipelineProcess(dataDir);
say(`ready: OTLP ${pipeline.http}, SQL ${pipeline.sql}`);

interface AlertRow {
  readonly alert_id: string;
  readonly detector_id: string;
  readonly severity: string;
  readonly session_key: string;
  readonly title: string;
  readonly reason: string;
}
const alerts = new Map<string, AlertRow>();
async function printNewAlerts(): Promise<void> {
  const rows = await queryRows<AlertRow>(
    pipeline,
    'SELECT alert_id, detector_id, severity, session_key, title, reason FROM custody.alerts ORDER BY append_time, log, seq',
  );
  for (const row of rows) {
    if (alerts.has(row.alert_id)) continue;
    alerts.set(row.alert_id, row);
    say(`ALERT ${row.severity.padEnd(8)} ${row.detector_id}: ${row.title}\n        ${row.reason}`);
  }
}

say('\nBenign work: agents traced by the OpenTelemetry SDK (OTLP over HTTP and gRPC) …');
const benignSpans = await playBenignAgents(pipeline);
say(`  ${benignSpans} spans exported`);
say('Benign work: three real MCP servers behind the tap, driven by the official MCP client …');
const mcp = await playMcpServers({ collector: pipeline.http, dataDir, workDir });
say(`  ${mcp.calls} tool calls on ${mcp.servers.join(', ')}`);

await until('the benign work to be in the ledger', async () => {
  const [row] = await queryRows<{ n: string }>(
    pipeline,
    `SELECT toString(count()) AS n FROM custody.tool_calls`,
  );
  return Number(row?.n) >= benignSpans + mcp.calls;
});
await printNewAlerts();
const paging = [...alerts.values()].filter(({ severity }) => severity !== 'low' && severity !== 'info');
check(paging.length === 0, 'benign work raised no alert above low');

say('\nOne attack per detector …');
const attacks: readonly Attack[] = [...(await playAttacks(pipeline)), await mcp.loop()];
for (const attack of attacks) {
  await until(`an alert of ${attack.detector}`, async () => {
    await printNewAlerts();
    return [...alerts.values()].some(
      (alert) => alert.detector_id === attack.detector && alert.session_key === attack.session,
    );
  }).catch(() => undefined);
  const caught = [...alerts.values()].some(
    (alert) => alert.detector_id === attack.detector && alert.session_key === attack.session,
  );
  check(caught, `${attack.detector} caught: ${attack.story}`);
}

say('\nAn evidence bundle for the first alert, made while the pipeline runs …');
const handedOver = await makeBundle({ dataDir, workDir, alertId: [...alerts.keys()].at(-1) ?? '' });
for (const [how, verdict] of await verifyBundle(handedOver)) {
  if (verdict === undefined) say(`  not tried ${how}`);
  else check(verdict === 'VALID', `the bundle verifies ${how}: ${verdict}`);
}
for (const [how, verdict] of await verifyBundle(tamperWithBundle(handedOver))) {
  if (verdict !== undefined)
    check(verdict === 'INVALID', `the bundle with one changed word does not ${how}: ${verdict}`);
}

say('\nVerifying the store while the pipeline runs …');
const live = await runCli(['verify', '--json', '--data-dir', dataDir]);
const verdict = JSON.parse(live.stdout) as { verdict: string; entries: number };
check(
  live.code === 0 && verdict.verdict === 'valid',
  `verify: ${verdict.verdict}, ${verdict.entries} entries`,
);

say('\nStopping, copying the data, and changing one row of the copy with plain SQL …');
check((await pipeline.stop()) === 0, 'the pipeline drained and stopped');
const copy = join(workDir, 'copy');
cpSync(dataDir, copy, { recursive: true });
const changed = await tamperWithOneRow(join(copy, 'store'));
say(`  ${changed.statement}`);
const tampered = await runCli(['verify', '--json', '--data-dir', copy]);
const found = JSON.parse(tampered.stdout) as {
  verdict: string;
  findings: { cause: string; log?: string; seq?: string }[];
};
for (const finding of found.findings.slice(0, 3))
  say(`  ${finding.cause} at ${finding.log ?? '?'} entry ${finding.seq ?? '?'}`);
check(
  tampered.code === 3 &&
    found.verdict === 'invalid' &&
    found.findings.some((finding) => finding.log === changed.log && finding.seq === changed.seq),
  `verify names the changed row: entry ${changed.seq} of ${changed.log}`,
);
const untouched = await runCli(['verify', '--json', '--data-dir', dataDir]);
check(untouched.code === 0, 'the original is still valid');

rmSync(workDir, { recursive: true, force: true });
say(
  `\n${failures() === 0 ? 'Everything happened as expected' : `${failures()} expectations failed`} (${((performance.now() - startedAt) / 1000).toFixed(0)} s)`,
);
process.exit(failures() === 0 ? 0 : 1);
