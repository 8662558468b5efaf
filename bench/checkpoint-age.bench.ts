/** Age of the oldest unsigned entry when its checkpoint is in the store: `tsx bench/checkpoint-age.bench.ts [seconds] [entries per second] [tenants]`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anchorOrigin } from '../evidence/anchor-log/entry.ts';
import { createEntryBuilder } from '../evidence/entry-builder.ts';
import { formatVerifierKey } from '../evidence/note/key.ts';
import { loadNotaryKeys } from '../notary/keys.ts';
import { createNotary } from '../notary/notary.ts';
import { openStateDirectory } from '../notary/state-directory.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLogger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { configSchema } from '../schemas/config.ts';
import { openChdbStore } from '../sinks/store/chdb-store.ts';
import { sampleEvent } from '../test/support/sample-event.ts';
import { report } from './machine.ts';

const seconds = Number(process.argv[2] ?? 60);
const ratePerSec = Number(process.argv[3] ?? 10_000);
const tenantCount = Number(process.argv[4] ?? 100);
const directory = mkdtempSync(join(tmpdir(), 'custody-checkpoint-bench-'));
const origin = anchorOrigin('bench');
const store = await openChdbStore({ path: join(directory, 'store') });
const keys = await loadNotaryKeys({ directory: join(directory, 'notary'), origin, configured: undefined });
const state = await openStateDirectory(join(directory, 'notary'), {
  origin,
  verifierKey: formatVerifierKey(keys.current),
});

/** Entries by tenant in log order, from the first that no published checkpoint covers. */
const waiting = new Map<string, number[]>();
const sizes = new Map<string, number>();
const ages: number[] = [];
let published = 0;
const notary = createNotary({
  deployment: 'bench',
  config: configSchema.parse({}).notary,
  store: {
    ...store,
    async publish(publication) {
      await store.publish(publication);
      published += 1;
      const now = performance.now();
      for (const { origin: log, size } of publication.checkpoints) {
        const times = waiting.get(log);
        if (times === undefined) continue;
        const covered = Number(size) - (sizes.get(log) ?? 0);
        sizes.set(log, Number(size));
        for (const time of times.splice(0, covered)) ages.push(now - time);
      }
    },
  },
  directory: state,
  keys,
  anchors: [],
  clock: systemClock,
  logger: createLogger({ level: 'warn' }),
  metrics: createMetrics(),
  raise: (condition, message) => {
    throw new Error(`${condition.code}: ${message}`);
  },
  clear: () => undefined,
});
await notary.start();

const source = { deployment: 'bench', topic: 'custody.events', topicId: 'topic', partition: 0 };
const builder = createEntryBuilder(source, { day: -1, heads: [] });
const bodies = Array.from({ length: tenantCount }, (_, tenant) =>
  Array.from({ length: 20 }, (_unused, number) => sampleEvent(number, `t${tenant}`)),
);
const beganAt = performance.now();
const cpuBegan = process.cpuUsage();
let offset = 0n;
const batch = Math.round(ratePerSec / 5);
for (let sent = 0; sent < seconds * ratePerSec; sent += batch) {
  const now = performance.now();
  const entries = Array.from({ length: batch }, (_, number) => {
    const tenant = (sent + number) % tenantCount;
    const value = bodies[tenant]?.[number % 20] ?? new Uint8Array();
    return builder.add({ key: `t${tenant}`, value, offset: offset++, appendTimeMs: Date.now() });
  }).flat();
  for (const { logId } of entries) {
    const times = waiting.get(logId) ?? [];
    times.push(now);
    waiting.set(logId, times);
  }
  await store.append(entries);
  const due = beganAt + ((sent + batch) / ratePerSec) * 1000;
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
}
const wrote = (performance.now() - beganAt) / 1000;
await notary.stop();
const cpu = process.cpuUsage(cpuBegan);
ages.sort((a, b) => a - b);
const at = (part: number) => Math.round(ages[Math.min(ages.length - 1, Math.floor(ages.length * part))] ?? 0);
report(
  'checkpoint-age',
  `${ratePerSec} entries/s of ${tenantCount} tenants in one process with chDB, default settings`,
  {
    entries: ages.length,
    entries_per_sec: Math.round((seconds * ratePerSec) / wrote),
    cycles: published,
    age_p50_ms: at(0.5),
    age_p99_ms: at(0.99),
    age_max_ms: Math.round(ages.at(-1) ?? 0),
    cpu_us_per_entry: Math.round((cpu.user + cpu.system) / ages.length),
  },
);
await store.close();
rmSync(directory, { recursive: true, force: true });
