import { TransientError } from '../runtime/errors.ts';
import type { Alert } from '../schemas/alert.ts';
import type { Component } from '../runtime/component.ts';

/**
 * A destination for alerts. At-least-once under one stable id (`alert_id`): after a crash or a lost answer the same
 * alert may be written again, never under another id.
 */
export interface Sink extends Component {
  /** The configured name of this sink, unique; its consumer group is `sink.<id>`. */
  readonly id: string;
  /** What a resolved `write` means: the receiver said so, or only the transport took the bytes. */
  readonly acknowledgement: 'receiver' | 'transport';
  /** Most alerts in one `write`; a destination that acknowledges alerts one by one says 1. Default 500. */
  readonly batchMaxCount?: number;
  /**
   * Resolves when the destination took ALL alerts, in order. Rejects with TransientError (the runner retries the
   * whole batch with back-off) or PermanentError (the runner bisects, then dead-letters the single alert). The
   * runner never overlaps calls.
   */
  write(alerts: readonly Alert[], signal: AbortSignal): Promise<void>;
}

/**
 * The destination refuses us until somebody acts: credentials, address, certificate, redirect. The runner raises the
 * alarm, keeps trying at its slowest pace, and drops nothing.
 */
export class SinkPausedError extends TransientError {
  constructor(message: string, detail: { readonly cause?: unknown; readonly retryAfterMs?: number } = {}) {
    super('unavailable', message, detail);
  }
}
