import type { BearerToken } from '../runtime/bearer.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Config } from '../schemas/config.ts';
import type { ChdbStore } from '../sinks/store/chdb-store.ts';
import type { EmbeddedLog } from '../streams/embedded/open-log.ts';
import type { Alarms } from './alarms.ts';

/** What a user of the pipeline brings. */
export interface PipelineOptions {
  readonly config: Config;
  readonly version: string;
  readonly tokens: {
    readonly ingest: readonly BearerToken[];
    readonly sql: readonly BearerToken[];
    readonly admin: readonly BearerToken[];
  };
  /** Reads a secret a sink refers to. */
  readonly secrets: (
    reference: { readonly file?: string | undefined; readonly env?: string | undefined },
    path: string,
  ) => string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What every part is built from, once the data directory is open. */
export interface PipelineContext extends PipelineOptions {
  readonly log: EmbeddedLog;
  readonly store: ChdbStore;
  readonly deployment: string;
  readonly digestKey: Uint8Array;
  readonly metrics: Metrics;
  readonly alarms: Alarms;
}
