/** What a log id says: `<deployment>/<tenant>/<topicId>-<partition>/<epoch>`. */
export interface LogName {
  readonly deployment: string;
  readonly tenant: string;
  readonly topicId: string;
  readonly partition: number;
  readonly epoch: number;
}

/** Tenant of records whose key is no tenant id. */
export const UNATTRIBUTED_TENANT = 'unattributed';

const LOG_ID =
  /^([a-z0-9][a-z0-9._-]{0,62})\/([a-z0-9][a-z0-9._-]{0,62})\/([a-z0-9][a-z0-9-]{0,51})-(0|[1-9]\d{0,8})\/(0|[1-9]\d{0,8})$/;

export function formatLogId(name: LogName): string {
  return `${name.deployment}/${name.tenant}/${name.topicId}-${name.partition}/${name.epoch}`;
}

/** Parses a log id strictly; `undefined` for anything else. Reads attacker-controlled text. */
export function parseLogId(logId: string): LogName | undefined {
  const [, deployment, tenant, topicId, partition, epoch] = LOG_ID.exec(logId) ?? [];
  if (deployment === undefined || tenant === undefined || topicId === undefined) return undefined;
  return { deployment, tenant, topicId, partition: Number(partition), epoch: Number(epoch) };
}
