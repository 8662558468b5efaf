/**
 * The closed set of failure classes. A failure is classified once, at the border where it is first seen, from a
 * status or a code and never from message text. Messages read `cannot <verb> <object>: <reason>` and carry no
 * payload and no credential.
 */
export type ErrorCode =
  | 'config_invalid'
  | 'input_invalid'
  | 'input_too_large'
  | 'unauthorized'
  | 'rate_limited'
  | 'overloaded'
  | 'unavailable'
  | 'disk_full'
  | 'locked'
  | 'port_taken'
  | 'rejected'
  | 'integrity';

/** Where in the input or configuration the fault is, as a JSON-path-like string such as `resourceSpans[0].scopeSpans`. */
export interface ErrorDetail {
  readonly path?: string;
  readonly cause?: unknown;
}

/** Base of every error the product raises on purpose; anything else that is thrown is a bug and may crash. */
export class CustodyError extends Error {
  readonly code: ErrorCode;
  readonly path: string | undefined;
  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = new.target.name;
    this.code = code;
    this.path = detail.path;
  }
}

/** The configuration is wrong; `path` names the key. The process ends before it starts anything. */
export class ConfigError extends CustodyError {
  constructor(message: string, detail: ErrorDetail = {}) {
    super('config_invalid', message, detail);
  }
}

/** Bytes from outside are unusable; the sender is told why, the record may become a `malformed` entry. */
export class InputError extends CustodyError {
  constructor(
    code: 'input_invalid' | 'input_too_large' | 'unauthorized' | 'rate_limited',
    message: string,
    detail: ErrorDetail = {},
  ) {
    super(code, message, detail);
  }
}

/** May succeed later without a change by anyone; the runner retries with jittered back-off. */
export class TransientError extends CustodyError {
  /** How long the other side asked us to wait, if it did. */
  readonly retryAfterMs: number | undefined;
  constructor(
    code: 'overloaded' | 'unavailable' | 'disk_full' | 'rate_limited',
    message: string,
    detail: ErrorDetail & { retryAfterMs?: number } = {},
  ) {
    super(code, message, detail);
    this.retryAfterMs = detail.retryAfterMs;
  }
}

/**
 * The partition belongs to another worker by now. Nothing is lost: the other one does the work; whoever gets this
 * forgets what it holds of the partition.
 */
export class MovedError extends TransientError {
  constructor(message: string, detail: ErrorDetail = {}) {
    super('unavailable', message, detail);
  }
}

/** Will not succeed however often it is tried; the runner sends the item to the dead-letter topic. */
export class PermanentError extends CustodyError {
  constructor(
    code: 'rejected' | 'locked' | 'port_taken' | 'config_invalid',
    message: string,
    detail: ErrorDetail = {},
  ) {
    super(code, message, detail);
  }
}

/** Stored evidence contradicts what it must be; about one partition unless it is a DamageError. The writer stops and the alarm is raised; never repaired silently. */
export class IntegrityError extends CustodyError {
  constructor(message: string, detail: ErrorDetail = {}) {
    super('integrity', message, detail);
  }
}

/** Storage that all partitions share is damaged: nobody may go on writing to it. */
export class DamageError extends IntegrityError {}

/** An integrity failure that leaves the other partitions as they are. */
export function isOfPartition(error: unknown): error is IntegrityError {
  return error instanceof IntegrityError && !(error instanceof DamageError);
}
