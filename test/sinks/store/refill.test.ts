import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refillLedger } from '../../../sinks/store/refill.ts';
import { verifyStore } from '../../../sinks/store/verify-store.ts';
import type { TopicName } from '../../../streams/topic.ts';
import { attack, twin } from '../../attack-catalogue.ts';
import { verifies } from '../../requirements.ts';
import { memoryLog, memoryState, memoryTopic } from '../../support/memory-topic.ts';
import { sampleEvent } from '../../support/sample-event.ts';
import { DAY_MS, ledgerOf, source, START_MS, startStore, type StoreHarness } from './ledger-harness.ts';

let harness: StoreHarness;
let state: ReturnType<typeof memoryState>;
let topics: Record<TopicName, ReturnType<typeof memoryTopic>>;

beforeEach(async () => {
  harness = await startStore();
  state = memoryState();
  topics = {
    'custody.events': memoryTopic('custody.events', START_MS),
    'custody.alerts': memoryTopic('custody.alerts', START_MS),
    'custody.deadletter': memoryTopic('custody.deadletter', START_MS),
  };
  await send(0, 30);
  topics['custody.events'].nowMs = START_MS + DAY_MS;
  await send(30, 30);
  await write(60);
});
afterEach(() => harness.close());

const send = (from: number, count: number) =>
  topics['custody.events'].append(
    Array.from({ length: count }, (_, index) => {
      const key = ['acme', 'globex', 'late'][(from + index) % (from === 0 ? 2 : 3)] ?? '';
      return { key, value: sampleEvent(from + index, key) };
    }),
  );
/** A ledger writer until it has taken every record. */
async function write(records: number): Promise<void> {
  const writer = ledgerOf({ store: harness.store(), state, events: topics['custody.events'] });
  await writer.start();
  await topics['custody.events'].drained('ledger');
  await writer.stop();
  expect(topics['custody.events'].records).toHaveLength(records);
}
const refill = (dryRun = false) =>
  refillLedger({
    log: { topic: (name) => topics[name], claim: memoryLog(state).claim },
    store: harness.store(),
    deployment: source.deployment,
    dryRun,
  });
const leaves = () => harness.rows('SELECT log, seq, lower(hex(leaf)) FROM custody.entries ORDER BY log, seq');
const verdict = async () =>
  (
    await verifyStore({
      raw: harness.store().raw,
      states: [state],
      topics: () => Promise.resolve(Object.values(topics)),
      deployment: source.deployment,
      rebuild: true,
    })
  ).verdict;
const lose = (condition: string) =>
  harness.command(`ALTER TABLE custody.entries DELETE WHERE ${condition} SETTINGS mutations_sync = 2`);

describe('refill', () => {
  it('finds nothing to do in a whole store', async () => {
    const before = await leaves();
    expect(await refill()).toMatchObject([{ from: '60', to: '60', entries: 0 }]);
    expect(await leaves()).toEqual(before);
  });

  it('puts back exactly what a store restored from an older copy lacks, so that the writer goes on', async () => {
    verifies('P3');
    const before = await leaves();
    // The last records of one day, the whole next day, and a log of which nothing is left.
    await lose('koffset >= 21');
    const refused = ledgerOf({ store: harness.store(), state, events: topics['custody.events'] });
    await refused.start();
    expect((await refused.refused).message).toContain('ROLLBACK');
    await refused.stop();
    expect(await refill(true)).toMatchObject([{ from: '21', to: '60', entries: 40 }]);
    expect(await refill()).toMatchObject([{ from: '21', to: '60', entries: 40 }]);
    expect(await leaves()).toEqual(before);
    await send(60, 5);
    await write(65);
    expect(await verdict()).toBe('valid');
    attack(17, 'writer', 'ROLLBACK');
    for (const number of [5, 9, 10, 17] as const) twin(number, 'writer');
  });

  it('writes nothing into a store whose end was changed before it was cut', async () => {
    await lose('koffset >= 40');
    await harness.command(
      "ALTER TABLE custody.entries UPDATE leaf = unhex(repeat('ab', 32)) WHERE koffset = 39 SETTINGS mutations_sync = 2",
    );
    const before = await leaves();
    await expect(refill()).rejects.toThrow('is not what was written; nothing was written');
    expect(await leaves()).toEqual(before);
  });

  it('does not fill holes: entries missing before the end are no older copy', async () => {
    await lose("koffset = 5 OR (log LIKE '%/acme/%' AND koffset >= 10)");
    const before = await leaves();
    await expect(refill()).rejects.toThrow('cannot refill custody.events/0');
    expect(await leaves()).toEqual(before);
  });

  it('says when the log no longer has the records', async () => {
    await lose('koffset >= 21');
    topics['custody.events'].bounds = () => Promise.resolve({ start: 30n, end: 60n });
    await expect(refill()).rejects.toThrow(
      'the log no longer has records 21 to 29; restore a newer backup of the store first',
    );
  });
});
