import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { IngestDeps } from '../../collectors/intake.ts';
import type { BearerToken } from '../../runtime/bearer.ts';
import { systemClock, type Clock } from '../../runtime/clock.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { configSchema, type IngestConfig } from '../../schemas/config.ts';
import { openEmbeddedLog } from '../../streams/embedded/open-log.ts';
import type { Topic } from '../../streams/topic.ts';
import type { Parsed } from './parsed.ts';
import { embeddedLogConfig } from './embedded-log-config.ts';

export interface TestIngest {
  readonly deps: IngestDeps;
  /** The records of a topic, parsed. */
  readonly stored: (topic: Topic) => Promise<Parsed[]>;
  readonly close: () => Promise<void>;
}

/** Everything a receiver needs, on a real embedded log; listeners take any free port. */
export async function testIngest(
  config: Record<string, unknown> = {},
  options: { tokens?: readonly BearerToken[]; clock?: Clock } = {},
): Promise<TestIngest> {
  const directory = await mkdtemp(join(tmpdir(), 'custody-ingest-'));
  const clock = options.clock ?? systemClock;
  const log = await openEmbeddedLog({ directory, config: embeddedLogConfig(), clock });
  const ingest: IngestConfig = configSchema.parse({
    ingest: { http: { port: 0 }, grpc: { port: 0 }, ...config },
  }).ingest;
  return {
    deps: {
      config: ingest,
      tokens: options.tokens ?? [],
      events: log.topic('custody.events'),
      deadletter: log.topic('custody.deadletter'),
      digestKey: new Uint8Array(32).fill(7),
      clock,
      logger: pino({ level: 'silent' }),
      metrics: createMetrics(),
    },
    async stored(topic) {
      const records: Parsed[] = [];
      for (let partition = 0; partition < topic.partitions; partition++) {
        for await (const record of topic.read(partition, 0n)) {
          records.push(JSON.parse(Buffer.from(record.value).toString()));
        }
      }
      return records;
    },
    async close() {
      await log.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A topic whose appends wait until the test lets them go, or fail with the error it gives. */
export function heldTopic(
  topic: Topic,
): Topic & { appending: Promise<void>; settle: (error?: Error) => void } {
  let settle: (error?: Error) => void = () => undefined;
  let started: () => void = () => undefined;
  const appending = new Promise<void>((resolve) => (started = resolve));
  const gate = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === undefined ? resolve() : reject(error));
  });
  gate.catch(() => undefined);
  return {
    ...topic,
    appending,
    settle: (error) => settle(error),
    async append(records) {
      started();
      await gate;
      return topic.append(records);
    },
  };
}
