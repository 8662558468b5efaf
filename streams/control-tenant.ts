import { CONTROL_TENANT } from '../schemas/control-tenant.ts';
import { partitionForKey } from './partition-for-key.ts';

/**
 * The control tenant whose records land in the partition: `custody-control.<n>` with the smallest such n. Both logs place
 * records by their key alone, so a partition is reached by a key that maps to it.
 */
export function controlTenant(partition: number, partitions: number): string {
  if (!(Number.isInteger(partition) && partition >= 0 && partition < partitions))
    throw new RangeError(`there is no partition ${partition} of ${partitions}`);
  for (let n = 0; ; n += 1) {
    const tenant = `${CONTROL_TENANT}.${n}`;
    if (partitionForKey(Buffer.from(tenant), partitions) === partition) return tenant;
  }
}
