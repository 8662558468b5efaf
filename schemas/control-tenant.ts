import { z } from 'zod';

/**
 * Tenants of the pipeline itself, one for each partition: what people decide (a registry, rules, suppressions) comes into
 * force by records of these. No sender may name one.
 */
export const CONTROL_TENANT = 'custody-control';

/** A tenant id that records from outside may carry: `TENANT_PATTERN` without those of the pipeline itself. */
export const SENDER_TENANT_PATTERN = /^(?!custody-control)[a-z0-9][a-z0-9._-]{0,62}$/;

/** Tenant of records from outside, in configuration. */
export const senderTenant = z
  .string()
  .regex(
    SENDER_TENANT_PATTERN,
    'must be 1 to 63 characters of a-z, 0-9, ".", "_" and "-", and not begin with custody-control',
  );

/** Whether the tenant is one of the pipeline itself. */
export function isControlTenant(tenant: string): boolean {
  return tenant.startsWith(CONTROL_TENANT);
}
