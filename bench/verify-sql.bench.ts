/** The verification views over the read-only endpoint, in its default limits: `tsx bench/verify-sql.bench.ts [entries]`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../runtime/clock.ts';
import { createLogger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { configSchema } from '../schemas/config.ts';
import { openChdbStore } from '../sinks/store/chdb-store.ts';
import { createSqlEndpoint } from '../sinks/store/sql-endpoint/sql-endpoint.ts';
import { report } from './machine.ts';
import { writeSignedStore } from './signed-store.ts';

const count = Number(process.argv[2] ?? 1_000_000);
const path = mkdtempSync(join(tmpdir(), 'custody-verify-sql-bench-'));
const store = await openChdbStore({ path });
await writeSignedStore(store, count);
const endpoint = createSqlEndpoint({
  ...{
    config: configSchema.parse({ sql: { listener: { port: 0 } } }).sql,
    tokens: [],
    storePath: store.path,
  },
  ...{ logger: createLogger({ level: 'silent' }), metrics: createMetrics(), clock: systemClock },
});
await endpoint.start();
const { host, port } = endpoint.address();

async function seconds(query: string, expected: string): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    const began = performance.now();
    const response = await fetch(`http://${host}:${port}/`, { method: 'POST', body: query });
    const answer = (await response.text()).trim();
    if (answer !== expected)
      throw new Error(`cannot use the measurement: ${query} gave ${answer.slice(0, 300)}`);
    best = Math.min(best, (performance.now() - began) / 1000);
  }
  return Number(best.toFixed(2));
}

const result = {
  entries: count + 1,
  verify_entries_seconds: await seconds('SELECT count() FROM custody.verify_entries', '0'),
  verify_logs_seconds: await seconds('SELECT state FROM custody.verify_logs', 'covered'),
  verify_roots_seconds: await seconds('SELECT same FROM custody.verify_roots', '1'),
};
await endpoint.stop();
await store.close();
rmSync(path, { recursive: true, force: true });
report(
  'verify-sql',
  'views over the read-only endpoint, one thread, 512 MiB; one log; best of three',
  result,
);
