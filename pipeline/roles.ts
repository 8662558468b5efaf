import { ConfigError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';

/** What one process of the pipeline does; a process without a choice does everything. */
export type Role = 'collector' | 'detect' | 'ledger' | 'sink' | 'notary';

export const ROLES: readonly Role[] = ['collector', 'detect', 'ledger', 'sink', 'notary'];

/**
 * @throws ConfigError when the processes could not share their data: an embedded log or store belongs to one process,
 * and the processes of a fleet must agree on the deployment, which none of them can make up.
 */
export function refuseImpossibleRoles(config: Config, roles: ReadonlySet<Role>): void {
  const isWhole = ROLES.every((role) => roles.has(role));
  if (config.log.type === 'embedded') {
    if (isWhole) return;
    throw new ConfigError(
      'cannot start single roles on an embedded log: it belongs to one process; set log.type: kafka, or start without --role',
      { path: 'log.type' },
    );
  }
  if (config.deployment === undefined) {
    throw new ConfigError(
      'cannot start on Kafka without a deployment id: it is part of every log id and the same in every process; set deployment',
      { path: 'deployment' },
    );
  }
  if (roles.has('collector') && config.digest_key === undefined) {
    throw new ConfigError(
      'cannot collect on Kafka without a digest key: collectors with keys of their own would give one value different digests; set digest_key (openssl rand -hex 32)',
      { path: 'digest_key' },
    );
  }
  if (!isWhole && config.store.type === 'embedded' && (roles.has('ledger') || roles.has('notary'))) {
    throw new ConfigError(
      'cannot start the ledger apart from the rest on an embedded store: it belongs to one process; set store.type: clickhouse',
      { path: 'store.type' },
    );
  }
}

/** Whether these roles read or write the store. */
export const needStore = (roles: ReadonlySet<Role>): boolean => roles.has('ledger') || roles.has('notary');
