import type { CustodyEvent } from '../../schemas/event.ts';

type EventPayload = NonNullable<CustodyEvent['arguments']>;
export type SizeSource = NonNullable<EventPayload['size_source']>;

export interface PayloadOptions {
  /** Size on the wire, when it is known better than from the value. */
  readonly wireBytes?: number;
  readonly sizeSource?: SizeSource;
  /** The value was cut before it came here. */
  readonly truncated?: boolean;
  readonly digestKey: Uint8Array;
}

export interface DescribedPayload {
  readonly payload: EventPayload;
  /** What redaction replaced, by type. */
  readonly redactions: Readonly<Record<string, number>>;
  /** Hosts and addresses found in the value, in order of appearance. */
  readonly destinations: readonly string[];
}

/** What may be kept of arguments or a result: redacted summary, keyed digest, size. Reads attacker-controlled values. */
export function describePayload(value: unknown, options: PayloadOptions): DescribedPayload {
  void value;
  void options;
  return { payload: {}, redactions: {}, destinations: [] };
}
