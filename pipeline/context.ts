import type { EventSealing } from '../collectors/seal-event.ts';
import type { BearerToken } from '../runtime/bearer.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Config } from '../schemas/config.ts';
import type { DayDropper } from '../sinks/store/drop-day.ts';
import type { SchemaVariant } from '../sinks/store/migrations/migration.ts';
import type { Store } from '../sinks/store/store.ts';
import type { EmbeddedLog } from '../streams/embedded/open-log.ts';
import type { Log } from '../streams/topic.ts';
import type { Alarms } from './alarms.ts';
import type { Role } from './roles.ts';

/** What a user of the pipeline brings. */
export interface PipelineOptions {
  readonly config: Config;
  readonly version: string;
  /** What this process does. */
  readonly roles: ReadonlySet<Role>;
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

/** Any log; the embedded one looks after its own retention, a Kafka cluster does that by itself. */
export type OpenLog = Log & Partial<Pick<EmbeddedLog, 'retain'>>;

/**
 * Any store: the embedded one has a path for its SQL endpoint and removes days for retention, a server's has a schema
 * variant.
 */
export type OpenStore = Store & {
  readonly path?: string;
  readonly dropper?: DayDropper;
  readonly schema?: SchemaVariant;
};

/** What every part is built from, once log and store are open. */
export interface PipelineContext extends PipelineOptions {
  readonly log: OpenLog;
  /** `undefined` where no role here reads or writes it. */
  readonly store: OpenStore | undefined;
  readonly deployment: string;
  /** Of every process that collects. */
  readonly digestKey: Uint8Array | undefined;
  /** Encrypts what is personal, where this process collects and the configuration says so. */
  readonly sealing: EventSealing | undefined;
  readonly metrics: Metrics;
  readonly alarms: Alarms;
}
