/**
 * Where the tables live: in one engine (embedded or a server), or on every replica of a cluster's one shard. A ledger is
 * never spread over shards.
 */
export interface SchemaVariant {
  /** Name of the ClickHouse cluster; `{cluster}` = the server's own macro. */
  readonly cluster?: string | undefined;
}

export const SINGLE: SchemaVariant = {};

/** One step of the store's schema; a released step never changes. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  /** Run in order; each may be run again after a crash without effect. */
  readonly statements: (variant: SchemaVariant) => readonly string[];
}

/** What follows the name of a thing that is made: nothing, or the cluster to make it on. */
export function onCluster({ cluster }: SchemaVariant): string {
  return cluster === undefined ? '' : ` ON CLUSTER '${cluster}'`;
}

/** The engine clause: the path holds the table's UUID, so a table made again never meets its old replicas. */
export function engineOf({ cluster }: SchemaVariant): string {
  return cluster === undefined
    ? 'MergeTree'
    : "ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')";
}
