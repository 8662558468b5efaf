import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { SinkConfig } from '../../schemas/config.ts';
import type { Sink } from '../sink.ts';
import { createOcsfFileSink } from './ocsf-file/sink.ts';
import { createSyslogSink } from './syslog/sink.ts';
import { createWebhookSink } from './webhook/sink.ts';

export interface SinkDeps {
  readonly dataDir: string;
  /** Reads the secret a sink's configuration refers to; throws ConfigError. Called at `start`. */
  readonly secrets: (reference: {
    readonly file?: string | undefined;
    readonly env?: string | undefined;
  }) => string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** The sink a configuration describes; nothing is opened before `start`. */
export function createSink(config: SinkConfig, deps: SinkDeps): Sink {
  switch (config.type) {
    case 'ocsf_file':
      return createOcsfFileSink(config, deps);
    case 'webhook':
      return createWebhookSink(config, deps);
    case 'syslog':
      return createSyslogSink(config, deps);
  }
}
