import { ClickHouseError } from '@clickhouse/client';
import {
  CustodyError,
  IntegrityError,
  PermanentError,
  TransientError,
  type ErrorCode,
} from '../../runtime/errors.ts';

/**
 * Engine error codes after which the same statement may succeed later; everything else unknown will not. None says that
 * nothing was stored: an insert that failed with one of them is read back before anything is concluded.
 */
const TRANSIENT: ReadonlyMap<
  number,
  Extract<ErrorCode, 'disk_full' | 'unavailable' | 'overloaded'>
> = new Map([
  [75, 'unavailable'], // CANNOT_WRITE_TO_FILE_DESCRIPTOR
  [95, 'unavailable'], // CANNOT_READ_FROM_SOCKET
  [96, 'unavailable'], // CANNOT_WRITE_TO_SOCKET
  [159, 'unavailable'], // TIMEOUT_EXCEEDED
  [201, 'overloaded'], // QUOTA_EXCEEDED
  [202, 'overloaded'], // TOO_MANY_SIMULTANEOUS_QUERIES
  [209, 'unavailable'], // SOCKET_TIMEOUT
  [210, 'unavailable'], // NETWORK_ERROR
  [225, 'unavailable'], // NO_ZOOKEEPER: the replica has no session with Keeper
  [236, 'unavailable'], // ABORTED: the server is shutting down
  [241, 'overloaded'], // MEMORY_LIMIT_EXCEEDED
  [242, 'unavailable'], // TABLE_IS_READ_ONLY: the replica lost its session with Keeper
  [243, 'disk_full'], // NOT_ENOUGH_SPACE
  [252, 'overloaded'], // TOO_MANY_PARTS
  [279, 'unavailable'], // ALL_CONNECTION_TRIES_FAILED
  [285, 'unavailable'], // TOO_FEW_LIVE_REPLICAS: nothing was written, a quorum is not up
  [286, 'unavailable'], // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE: nothing was written, the block before is not yet safe
  [289, 'unavailable'], // REPLICA_IS_NOT_IN_QUORUM: this replica lacks a block others have
  [319, 'unavailable'], // UNKNOWN_STATUS_OF_INSERT: written here, the quorum or Keeper did not confirm it
  [394, 'unavailable'], // QUERY_WAS_CANCELLED
  [439, 'overloaded'], // CANNOT_SCHEDULE_TASK
  [473, 'unavailable'], // DEADLOCK_AVOIDED
  [745, 'overloaded'], // SERVER_OVERLOADED
  [999, 'unavailable'], // KEEPER_EXCEPTION: the answer of Keeper may be lost, the block may be in
  [1000, 'unavailable'], // POCO_EXCEPTION: sockets and timeouts inside the server
]);
const VIOLATED_CONSTRAINT = 469;

/** The code the engine put in front of its message, `Code: 241. DB::Exception: ...` (before 20.12 a comma follows). */
export function engineCode(cause: unknown): number | undefined {
  if (cause instanceof ClickHouseError) return Number(cause.code);
  const code = cause instanceof Error ? /^Code: (\d+)[.,]/.exec(cause.message)?.[1] : undefined;
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
