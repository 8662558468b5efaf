import { ClickHouseError } from '@clickhouse/client';
import {
  CustodyError,
  IntegrityError,
  PermanentError,
  TransientError,
  type ErrorCode,
} from '../../runtime/errors.ts';

/** Engine error codes after which the same statement may succeed later; everything else unknown will not. */
const TRANSIENT: ReadonlyMap<
  number,
  Extract<ErrorCode, 'disk_full' | 'unavailable' | 'overloaded'>
> = new Map([
  [75, 'unavailable'], // CANNOT_WRITE_TO_FILE_DESCRIPTOR
  [159, 'unavailable'], // TIMEOUT_EXCEEDED
  [202, 'overloaded'], // TOO_MANY_SIMULTANEOUS_QUERIES
  [209, 'unavailable'], // SOCKET_TIMEOUT
  [210, 'unavailable'], // NETWORK_ERROR
  [241, 'overloaded'], // MEMORY_LIMIT_EXCEEDED
  [242, 'unavailable'], // TABLE_IS_READ_ONLY
  [243, 'disk_full'], // NOT_ENOUGH_SPACE
  [252, 'overloaded'], // TOO_MANY_PARTS
  [319, 'unavailable'], // UNKNOWN_STATUS_OF_INSERT
  [394, 'unavailable'], // QUERY_WAS_CANCELLED
  [999, 'unavailable'], // KEEPER_EXCEPTION
]);
const VIOLATED_CONSTRAINT = 469;

/** The code the engine put in front of its message, `Code: 241. DB::Exception: ...`. */
export function engineCode(cause: unknown): number | undefined {
  if (cause instanceof ClickHouseError) return Number(cause.code);
  const code = cause instanceof Error ? /^(?:Code: )(\d+)\./.exec(cause.message)?.[1] : undefined;
  return code === undefined ? undefined : Number(code);
}

/** Classifies a failure of the engine or of the way to it; `action` reads like `insert 20 entries`. */
export function storeError(action: string, cause: unknown): CustodyError {
  if (cause instanceof CustodyError) return cause;
  const code = engineCode(cause);
  const message = (reason: string) => `cannot ${action}: ${reason}`;
  if (code === undefined) {
    return new TransientError('unavailable', message('the store did not answer'), { cause });
  }
  if (code === VIOLATED_CONSTRAINT) {
    return new IntegrityError(message('the engine computed another hash (leaf_ok or body_ok)'), { cause });
  }
  const transient = TRANSIENT.get(code);
  if (transient !== undefined)
    return new TransientError(transient, message(`engine error ${code}`), { cause });
  return new PermanentError('rejected', message(`engine error ${code}`), { cause });
}
