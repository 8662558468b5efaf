import { configDefaults, defineConfig } from 'vitest/config';
import { whyNoKafka } from './test/support/possible.ts';

/** Suites over a real Apache Kafka: everywhere but where none can run. */
const NEEDS_KAFKA = [
  'test/streams/kafka*.test.ts',
  'test/notary/anchors/kafka-anchor.test.ts',
  'test/support-tests/**',
  'test/determinism/**',
  'test/chaos/chaos.test.ts',
  'test/deploy/kafka.test.ts',
  'test/e2e/disposition.test.ts',
  'test/e2e/grow.test.ts',
  'test/e2e/namespace-move.test.ts',
  'test/e2e/backup-restore.test.ts',
  'test/e2e/rolling-restart.test.ts',
];
const noKafka = whyNoKafka();
if (noKafka !== undefined) {
  process.stdout.write(`\nNOT RUN, ${noKafka}:\n  ${NEEDS_KAFKA.join('\n  ')}\n\n`);
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(noKafka === undefined ? [] : NEEDS_KAFKA)],
    // Only what hangs runs into these: how long a thing takes is asserted in bench/, not here.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 120_000 } },
    // chDB binds one data directory per process: each test file gets its own process.
    pool: 'forks',
    // Many tests wait for brokers and sessions to time out: two files at once even on a small machine.
    maxWorkers: 2,
    reporters: ['default', './test/attack-table.ts'],
  },
});
