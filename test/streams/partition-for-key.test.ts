import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { murmur2, partitionForKey } from '../../streams/partition-for-key.ts';

const ours = (key: string, partitions: number) => partitionForKey(Buffer.from(key), partitions);
const choose = kafkajs.Partitioners.DefaultPartitioner();
const theirs = (key: string, partitions: number) =>
  choose({
    topic: 't',
    partitionMetadata: Array.from({ length: partitions }, (_, partitionId) => ({
      partitionId,
      leader: 1,
      partitionErrorCode: 0,
      replicas: [1],
      isr: [1],
    })),
    message: { key: Buffer.from(key), value: null },
  });

describe('the partition of a key', () => {
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
    ['é', 186971271],
    ['größe', 588164084],
    ['漢字', 1024270057],
    ['Привет', -282391137],
    ['🦀🔐', 704987139],
    ['', 275646681],
  ])('hashes %s as the Kafka client does', (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash);
  });

  it.each(['é', 'größe', '漢字', 'Привет', '🦀🔐', '\u{10ffff}', 'a\u0000b', ''])(
    'hashes %s, beyond ASCII, as its UTF-8 bytes',
    (key) => {
      for (const partitions of [1, 3, 6, 64]) expect(ours(key, partitions)).toBe(theirs(key, partitions));
    },
  );

  it('is what the default partitioner of kafkajs chooses, for any key', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 40 }),
        fc.integer({ min: 1, max: 64 }),
        (key, partitions) => {
          expect(ours(key, partitions)).toBe(theirs(key, partitions));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('is a partition that exists, for any key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.integer({ min: 1, max: 64 }), (key, partitions) => {
        const partition = partitionForKey(key, partitions);
        expect(Number.isInteger(partition) && partition >= 0 && partition < partitions).toBe(true);
      }),
    );
  });
});
