import { randomUUID } from 'node:crypto';
import { configSchema, type KafkaLogConfig } from '../../schemas/config.ts';
import { openKafkaLog } from '../../streams/kafka/open-log.ts';
import type { Log } from '../../streams/topic.ts';

/** Log settings for a namespace nobody else uses, on one broker or several. */
export function kafkaConfig(
  brokers: readonly string[],
  changes: Partial<KafkaLogConfig> = {},
): KafkaLogConfig {
  const { log } = configSchema.parse({
    log: {
      type: 'kafka',
      brokers: [...brokers],
      namespace: `t-${randomUUID().slice(0, 8)}`,
      partitions: 1,
      replication_factor: 1,
      session_timeout_ms: 6000,
      ...changes,
    },
  });
  if (log.type !== 'kafka') throw new Error('not a Kafka log');
  return log;
}

export interface KafkaLogHarness {
  readonly config: KafkaLogConfig;
  log(): Log;
  reopen(): Promise<void>;
  close(): Promise<void>;
}

export async function startKafkaLog(config: KafkaLogConfig): Promise<KafkaLogHarness> {
  const open = () => openKafkaLog({ config, credentials: { password: undefined } });
  let log = await open();
  return {
    config,
    log: () => log,
    async reopen() {
      await log.close();
      log = await open();
    },
    close: () => log.close(),
  };
}
