import { encodeEvent } from '../collectors/normalize/encode.ts';
import { eventId } from '../collectors/normalize/event-id.ts';
import { unixNano, type Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { EVENT_SCHEMA, type CustodyEvent } from '../schemas/event.ts';
import type { PolicyDocument } from '../schemas/policy-document.ts';
import { controlTenant } from '../streams/control-tenant.ts';
import type { Claim } from '../streams/topic.ts';

export interface PartitionPoliciesOptions {
  readonly partition: number;
  readonly partitions: number;
  readonly claim: Pick<Claim, 'append'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What should be in force in a partition, brought there by records in its own log. */
export interface PartitionPolicies {
  /**
   * Appends each wanted document whose digest is not the one in force. `inForce` must know all records of earlier owners.
   * A record that is on its way is not appended again.
   */
  enforce(wanted: readonly PolicyDocument[], inForce: Readonly<Record<string, string>>): Promise<void>;
}

/** For the owner of a partition: nobody else appends to its control tenant as long as the claim is held. */
export function createPartitionPolicies(options: PartitionPoliciesOptions): PartitionPolicies {
  const { partition, partitions, claim, clock, logger } = options;
  const tenant = controlTenant(partition, partitions);
  const appended = new Map<string, string>();
  return {
    async enforce(wanted, inForce) {
      for (const document of wanted) {
        const { type, digest } = document;
        if ((appended.get(type) ?? inForce[type]) === digest) continue;
        const event = policyEvent(tenant, document, clock.nowMs());
        await claim.append('custody.events', [{ key: tenant, value: encodeEvent(event) }]);
        appended.set(type, digest);
        logger.info({ partition, type, digest }, 'policy document brought into force');
      }
    },
  };
}

/** The record by which a document comes into force for everything after it. */
export function policyEvent(tenant: string, document: PolicyDocument, nowMs: number): CustodyEvent {
  const time = unixNano(nowMs);
  return {
    event_id: eventId(['policy_document', tenant, document.type, document.digest, time]),
    kind: 'policy_document',
    observed_time_unix_nano: time,
    policy_document: document,
    schema: EVENT_SCHEMA,
    source: {
      collector: 'pipeline',
      dialect: 'pipeline',
      name: 'policy_document',
      signal: 'audit',
      vantage: 'unknown',
    },
    tenant,
    time_unix_nano: time,
  };
}
