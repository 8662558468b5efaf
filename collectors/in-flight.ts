import { TransientError } from '../runtime/errors.ts';

/** Bytes of one request that are held in memory: compressed, inflated, and until its records are durable. */
export interface Reservation {
  /** Takes more bytes; throws TransientError `overloaded` at the bound and then takes none. */
  grow(bytes: number): void;
  /** Gives everything back; safe to call more than once. */
  release(): void;
}

export interface InFlight {
  open(): Reservation;
  /** Bytes held by all open reservations. */
  heldBytes(): number;
}

/** Bounds the request bytes one receiver holds at a time. */
export function inFlight(maxBytes: number): InFlight {
  let held = 0;
  return {
    heldBytes: () => held,
    open: () => {
      let own = 0;
      return {
        grow(bytes) {
          if (held + bytes > maxBytes) {
            throw new TransientError('overloaded', 'cannot take the request: too many bytes in flight', {
              retryAfterMs: 1000,
            });
          }
          held += bytes;
          own += bytes;
        },
        release() {
          held -= own;
          own = 0;
        },
      };
    },
  };
}
