/** Ledger writer throughput, CPU and memory, reading back included: `tsx bench/ledger.bench.ts [records] [rate per second, 0 = as fast as it goes]`. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { configSchema } from '../schemas/config.ts';
import { openChdbStore } from '../sinks/store/chdb-store.ts';
import { createLedgerWriter } from '../sinks/store/ledger-writer.ts';
import { memoryLog, memoryState, memoryTopic } from '../test/support/memory-topic.ts';
import { sampleEvent } from '../test/support/sample-event.ts';
import { report } from './machine.ts';

const count = Number(process.argv[2] ?? 100_000);
const ratePerSec = Number(process.argv[3] ?? 0);
const path = mkdtempSync(join(tmpdir(), 'custody-ledger-bench-'));
const startMs = 1_790_000_000_000;
/** Memory of its own: RssAnon leaves out the engine's program text and mapped files. */
const rssMiB = () =>
  Math.round(Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024);
const events = memoryTopic('custody.events', startMs);
const store = await openChdbStore({ path });
const writer = createLedgerWriter({
  topics: {
    events,
    alerts: memoryTopic('custody.alerts', startMs),
    deadletter: memoryTopic('custody.deadletter', startMs),
  },
  store,
  log: memoryLog(memoryState()),
  deployment: 'bench',
  config: configSchema.parse({}).ledger,
  logger: createLogger({ level: 'warn' }),
  metrics: createMetrics(),
  onIntegrity: (error) => {
    throw error;
  },
});
const bodies = Array.from({ length: 5000 }, (_, number) => sampleEvent(number));
const bodyBytes = bodies.reduce((sum, body) => sum + body.length, 0) / bodies.length;
let maxRssMiB = 0;
const sampler = setInterval(() => (maxRssMiB = Math.max(maxRssMiB, rssMiB())), 100);
const beganAt = performance.now();
const cpuBegan = process.cpuUsage();
await writer.start();
for (let sent = 0; sent < count; sent += 1000) {
  await events.append(
    Array.from({ length: 1000 }, (_, number) => ({
      key: 'acme',
      value: bodies[(sent + number) % bodies.length] ?? new Uint8Array(),
    })),
  );
  if (ratePerSec > 0) {
    const due = beganAt + ((sent + 1000) / ratePerSec) * 1000;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  } else if (sent % 20_000 === 0) await events.drained('ledger');
}
await events.drained('ledger');
const seconds = (performance.now() - beganAt) / 1000;
const cpu = process.cpuUsage(cpuBegan);
clearInterval(sampler);
report(
  'ledger',
  `${count} records of one tenant, ${ratePerSec === 0 ? 'as fast as it goes' : `${ratePerSec}/s`}, topic and state in memory`,
  {
    records: count,
    body_bytes: Math.round(bodyBytes),
    seconds: Number(seconds.toFixed(2)),
    records_per_sec: Math.round(count / seconds),
    cpu_us_per_record: Math.round((cpu.user + cpu.system) / count),
    rss_anon_max_mib: maxRssMiB,
    rss_anon_end_mib: rssMiB(),
  },
);
await writer.stop();
await store.close();
rmSync(path, { recursive: true, force: true });
