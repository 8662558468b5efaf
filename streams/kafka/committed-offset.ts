import type { Admin } from 'kafkajs';
import { backoffMs, sleep } from '../../runtime/backoff.ts';
import { kafkaErrorType } from './kafka-error.ts';

const RETRY = { base_ms: 50, cap_ms: 1_000 };
const ATTEMPTS = 12;
/** A broker that has just become a group's coordinator, or is not any more: it passes. kafkajs gives up at the first. */
const SETTLING: ReadonlySet<string> = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
]);

/** Where the group goes on reading the partition; undefined before its first commit. Rejects as kafkajs does. */
export async function committedOffset(
  admin: Pick<Admin, 'fetchOffsets'>,
  groupId: string,
  topic: string,
  partition: number,
): Promise<bigint | undefined> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const [found] = await admin.fetchOffsets({ groupId, topics: [topic], resolveOffsets: false });
      const offset = found?.partitions.find((of) => of.partition === partition)?.offset ?? '-1';
      return offset.startsWith('-') ? undefined : BigInt(offset);
    } catch (error) {
      if (attempt === ATTEMPTS || !SETTLING.has(kafkaErrorType(error) ?? '')) throw error;
      await sleep(backoffMs(attempt, RETRY, Math.random));
    }
  }
}
