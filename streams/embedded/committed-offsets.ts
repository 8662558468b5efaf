import { PermanentError } from '../../runtime/errors.ts';
import type { TopicName } from '../topic.ts';
import type { Table } from './environment.ts';
import type { Writer } from './writer.ts';

/**
 * Positions of the consumer groups. A commit is visible at once and reaches the disk with the next transaction, at
 * the latest with `flush`; a crash before that means redelivery, which at-least-once allows.
 */
export interface CommittedOffsets {
  committed(topic: TopicName, group: string, partition: number): bigint | undefined;
  commit(topic: TopicName, group: string, partition: number, offset: bigint): void;
  flush(): Promise<void>;
}

const GROUP = /^[A-Za-z0-9._-]{1,64}$/;
const PREFIX = 'commit/';

export function refuseBadGroup(group: string): void {
  if (GROUP.test(group)) return;
  throw new PermanentError('rejected', `cannot use consumer group: its name does not match ${GROUP.source}`);
}

export function openCommittedOffsets(table: Table, writer: Writer): CommittedOffsets {
  const offsets = new Map<string, bigint>();
  for (const { key, value } of table.getRange({ start: Buffer.from(PREFIX) })) {
    const name = key.toString();
    if (!name.startsWith(PREFIX)) break;
    offsets.set(name, value.readBigUInt64BE());
  }
  let unsaved = new Set<string>();
  let staged = new Set<string>();

  writer.onTransaction({
    waiting: () => unsaved.size > 0,
    stage(changes) {
      staged = unsaved;
      unsaved = new Set();
      for (const name of staged) {
        const value = Buffer.alloc(8);
        value.writeBigUInt64BE(offsets.get(name) ?? 0n);
        changes.push({ table, key: Buffer.from(name), value });
      }
    },
    reverted() {
      for (const name of staged) unsaved.add(name);
    },
  });

  const nameOf = (topic: TopicName, group: string, partition: number) =>
    `${PREFIX}${topic}/${group}/${partition}`;
  return {
    committed: (topic, group, partition) => offsets.get(nameOf(topic, group, partition)),
    commit(topic, group, partition, offset) {
      const name = nameOf(topic, group, partition);
      offsets.set(name, offset);
      unsaved.add(name);
      writer.nudge();
    },
    flush: () => writer.flush(),
  };
}
