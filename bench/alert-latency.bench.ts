// Time from the collector's answer to the alert in the sink's file, under a steady load.
// usage: npm run build && node --import tsx bench/alert-latency.bench.ts [seconds=30] [spans_per_second=1000]
import { existsSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPipelineProcess } from '../test/support/pipeline-process.ts';
import { createLoadRequest } from './otlp-load.ts';
import { percentile, report } from './machine.ts';

const [seconds = 30, spansPerSecond = 1000] = process.argv.slice(2).map(Number);
const dataDir = mkdtempSync(join(tmpdir(), 'custody-bench-'));
const pipeline = await startPipelineProcess(dataDir);
const alertFile = join(dataDir, 'alerts', 'ocsf.ocsf.ndjson');
const acceptedAt = new Map<string, number>();
const latencies: number[] = [];

const tail = (() => {
  let fd: number | undefined;
  let rest = '';
  const buffer = Buffer.alloc(1 << 20);
  return () => {
    if (fd === undefined && existsSync(alertFile)) fd = openSync(alertFile, 'r');
    if (fd === undefined) return;
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer))
      rest += buffer.toString('utf8', 0, read);
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    const now = performance.now();
    for (const line of lines) {
      const probe = /latency-probe-\d+/.exec(line)?.[0];
      const at = probe === undefined ? undefined : acceptedAt.get(probe);
      if (probe === undefined || at === undefined) continue;
      latencies.push(now - at);
      acceptedAt.delete(probe);
    }
  };
})();
const poller = setInterval(tail, 2);

let probes = 0;
async function probe(): Promise<void> {
  const name = `latency-probe-${probes++}`;
  const body = JSON.stringify({
    name: 'mcp.tool.invoke',
    'actor.id': name,
    'actor.type': 'agent',
    'session.id': name,
    'tool.name': 'read_file',
    'policy.decision': 'allow',
    'scope.grants': ['write:*'],
    ttl_sec: 3600,
  });
  // The alert may be in the file before the answer is read: the clock starts when the request is sent.
  acceptedAt.set(name, performance.now());
  const response = await fetch(`${pipeline.http}/v1/audit`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  await response.arrayBuffer();
}

const load = createLoadRequest(Math.round(spansPerSecond / 20), 7);
const timers = [
  setInterval(() => {
    void fetch(`${pipeline.http}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: new Uint8Array(load.next(Date.now())),
    }).then((response) => response.arrayBuffer());
  }, 50),
  setInterval(() => void probe(), 100),
];
await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
timers.forEach((timer) => clearInterval(timer));
await new Promise((resolve) => setTimeout(resolve, 3000));
clearInterval(poller);
report(
  'alert-latency',
  `OTLP load of ${spansPerSecond} spans/s, ten probes a second (an audit event that breaks a scope rule); from sending the probe to its line in the fsynced OCSF file`,
  {
    probes,
    missing: acceptedAt.size,
    p50_ms: Math.round(percentile(latencies, 0.5)),
    p99_ms: Math.round(percentile(latencies, 0.99)),
    max_ms: Math.round(Math.max(...latencies)),
  },
);
await pipeline.stop();
rmSync(dataDir, { recursive: true, force: true });
