import type { CustodyEvent } from '../../schemas/event.ts';
import type { ProvenanceSettings } from './provenance/settings.ts';

/** What a collector knows about a record beside the record itself. */
export interface NormalizeContext {
  readonly collector: CustodyEvent['source']['collector'];
  /** Tenant for records that name none. */
  readonly tenant: string;
  /** The credential fixes the tenant: what the record says about it is ignored. */
  readonly tenantPinned: boolean;
  /** When the collector received the record; decimal nanoseconds since the epoch. */
  readonly observedTimeUnixNano: string;
  /** Key of payload and address digests; one per deployment, kept apart from the store. */
  readonly digestKey: Uint8Array;
  /** Strings the decoder cuts at this length lose their last word before redaction. Absent: nothing was cut. */
  readonly stringMaxBytes?: number;
  /** Absent: the defaults. */
  readonly provenance?: ProvenanceSettings;
}
