import type { Engine } from '../detectors/engine/contract.ts';
import { SnapshotVersionError } from '../detectors/engine/snapshot.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Claim } from '../streams/topic.ts';

/** Where a partition's snapshot stands in its log. */
export const positionName = (partition: number): string => `detect-position/${partition}`;
/** What the names of a partition's snapshot begin with. */
export const statePrefix = (partition: number): string => `detect/${partition}/`;

/**
 * Puts the last snapshot back; false when it is of another version (a detector was changed, switched on or off), which
 * removes it.
 */
export async function restoreState(
  engine: Engine,
  partition: number,
  { state }: Claim,
  logger: Logger,
): Promise<boolean> {
  const prefix = statePrefix(partition);
  const entries: { name: string; value: Uint8Array }[] = [];
  for await (const { name, value } of state.entries(prefix)) {
    entries.push({ name: name.slice(prefix.length), value });
  }
  try {
    engine.restore(entries);
    return true;
  } catch (error) {
    if (!(error instanceof SnapshotVersionError)) throw error;
    logger.warn(
      { partition, err: error },
      'detector state is of another version; learning it again from the log',
    );
  }
  await state.write(entries.map(({ name }) => ({ name: prefix + name, value: undefined })));
  return false;
}
