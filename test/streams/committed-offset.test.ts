import kafkajs from 'kafkajs';
import { expect, it } from 'vitest';
import { committedOffset } from '../../streams/kafka/committed-offset.ts';

/** Answers with these errors of the protocol first, as a broker does while its coordinator starts or moves. */
function adminAfter(...types: string[]) {
  const refusals = [...types];
  return {
    refusals,
    fetchOffsets({ topics = [] }: { topics?: string[] }) {
      const type = refusals.shift();
      if (type !== undefined)
        return Promise.reject(new kafkajs.KafkaJSProtocolError(Object.assign(new Error(type), { type })));
      const partitions = [
        { partition: 0, offset: '-1', metadata: null },
        { partition: 1, offset: '42', metadata: null },
      ];
      return Promise.resolve(topics.map((topic) => ({ topic, partitions })));
    },
  };
}

it('waits for a coordinator that is loading the group or has moved', async () => {
  const admin = adminAfter(
    'GROUP_LOAD_IN_PROGRESS',
    'NOT_COORDINATOR_FOR_GROUP',
    'GROUP_COORDINATOR_NOT_AVAILABLE',
  );
  expect(await committedOffset(admin, 'g', 't', 1)).toBe(42n);
  expect(admin.refusals).toEqual([]);
  expect(await committedOffset(admin, 'g', 't', 0)).toBeUndefined();
});

it('does not wait for what does not pass by itself', async () => {
  const admin = adminAfter('GROUP_AUTHORIZATION_FAILED', 'GROUP_LOAD_IN_PROGRESS');
  await expect(committedOffset(admin, 'g', 't', 1)).rejects.toMatchObject({
    type: 'GROUP_AUTHORIZATION_FAILED',
  });
  expect(admin.refusals).toEqual(['GROUP_LOAD_IN_PROGRESS']);
});
