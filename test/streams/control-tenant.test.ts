import { expect, test } from 'vitest';
import { SENDER_TENANT_PATTERN } from '../../schemas/control-tenant.ts';
import { TENANT_PATTERN } from '../../schemas/event.ts';
import { controlTenant } from '../../streams/control-tenant.ts';
import { partitionForKey } from '../../streams/partition-for-key.ts';

test.each([1, 2, 3, 12, 128])('each of %i partitions has a control tenant that maps to it', (partitions) => {
  const tenants = Array.from({ length: partitions }, (_, partition) => controlTenant(partition, partitions));
  expect(tenants.map((tenant) => partitionForKey(Buffer.from(tenant), partitions))).toEqual([
    ...tenants.keys(),
  ]);
  for (const tenant of tenants) {
    expect(tenant).toMatch(TENANT_PATTERN);
    expect(tenant).not.toMatch(SENDER_TENANT_PATTERN);
  }
});

test('a partition that does not exist has none', () => {
  expect(() => controlTenant(3, 3)).toThrow(RangeError);
});
