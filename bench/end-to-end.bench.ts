// End to end, embedded: OTLP protobuf over HTTP → durable log → detectors → ledger entry read back from the store.
// usage: npm run build && node --import tsx bench/end-to-end.bench.ts [seconds=60] [spans_per_request=500] [connections=4]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'node:http';
import { startPipelineProcess, until, queryRows } from '../test/support/pipeline-process.ts';
import { createLoadRequest } from './otlp-load.ts';
import { cpuSeconds, report, residentMiB } from './machine.ts';

const [seconds = 60, spansPerRequest = 500, connections = 4] = process.argv.slice(2).map(Number);
const dataDir = mkdtempSync(join(tmpdir(), 'custody-bench-'));
const pipeline = await startPipelineProcess(dataDir);
const agent = new Agent({ keepAlive: true, maxSockets: connections });
const url = new URL('/v1/traces', pipeline.http);

function send(body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/x-protobuf', 'content-length': body.length },
      },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const memory: number[] = [];
const sampler = setInterval(() => memory.push(residentMiB(pipeline.pid)), 1000);
let accepted = 0;
let refused = 0;
const cpuBefore = cpuSeconds(pipeline.pid);
const startedAt = performance.now();
const deadline = startedAt + seconds * 1000;
await Promise.all(
  Array.from({ length: connections }, async (_, worker) => {
    for (let round = 0; performance.now() < deadline; round++) {
      const load = createLoadRequest(spansPerRequest, worker * 1000 + (round % 40));
      for (let again = 0; again < 25 && performance.now() < deadline; again++) {
        if ((await send(load.next(Date.now()))) === 200) accepted += spansPerRequest;
        else {
          refused += 1;
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
    }
  }),
);
const acceptSeconds = (performance.now() - startedAt) / 1000;
const inLedger = async () =>
  Number(
    (
      await queryRows<{ n: string }>(
        pipeline,
        `SELECT toString(count()) AS n FROM custody.entries WHERE topic='custody.events' AND kind='event'`,
      )
    )[0]?.n ?? 0,
  );
await until('the ledger to hold every accepted span', async () => (await inLedger()) >= accepted, 300_000);
const ledgerSeconds = (performance.now() - startedAt) / 1000;
clearInterval(sampler);
const half = memory.slice(Math.floor(memory.length / 2));
report(
  'end-to-end',
  'prepared OTLP protobuf requests with fresh ids from one client process on the same two cores; RSS of the pipeline process each second',
  {
    spans: accepted,
    refused_requests: refused,
    accepted_spans_per_second: Math.round(accepted / acceptSeconds),
    durable_ledger_spans_per_second: Math.round(accepted / ledgerSeconds),
    cpu_microseconds_per_span: Math.round(((cpuSeconds(pipeline.pid) - cpuBefore) / accepted) * 1e6),
    ledger_behind_at_end_seconds: Number((ledgerSeconds - acceptSeconds).toFixed(2)),
    rss_mib: {
      max: Math.max(...memory),
      second_half_min: Math.min(...half),
      second_half_max: Math.max(...half),
    },
    bytes_per_span: createLoadRequest(spansPerRequest, 1).bytesPerSpan,
  },
);
agent.destroy();
await pipeline.stop();
rmSync(dataDir, { recursive: true, force: true });
