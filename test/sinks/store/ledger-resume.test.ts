import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SealedEntry } from '../../../evidence/entry-builder.ts';
import { headChanges } from '../../../sinks/store/ledger-heads.ts';
import { resumeLedger } from '../../../sinks/store/ledger-resume.ts';
import { attack, twin } from '../../attack-catalogue.ts';
import { verifies } from '../../requirements.ts';
import { memoryState, memoryTopic } from '../../support/memory-topic.ts';
import { sampleEvent } from '../../support/sample-event.ts';
import { ledgerOf, sealed, source, START_MS, startStore, type StoreHarness } from './ledger-harness.ts';

const RECORDS = 20;
const records = Array.from({ length: RECORDS }, (_, number) => {
  const key = number % 2 === 0 ? 'acme' : 'globex';
  return { key, value: sampleEvent(number, key) };
});
const entries = sealed(records);
const upTo = (offset: number) => entries.filter((entry) => entry.offset < BigInt(offset));

let harness: StoreHarness;
let state: ReturnType<typeof memoryState>;
let topic: ReturnType<typeof memoryTopic>;
beforeEach(async () => {
  harness = await startStore();
  state = memoryState();
  topic = memoryTopic('custody.events', START_MS);
  await topic.append(records);
});
afterEach(() => harness.close());

const resume = () => resumeLedger(harness.store(), state, topic, source);
async function record(written: readonly SealedEntry[], nextOffset: number): Promise<void> {
  const heads = new Map(written.map(({ logId, seq, leaf }) => [logId, { seq, leaf }]));
  await state.write(headChanges(source, BigInt(nextOffset), written.at(-1)?.day ?? -1, heads));
}

describe('resume', () => {
  it('starts at the oldest record when nothing was ever written', async () => {
    expect(await resume()).toEqual({ nextOffset: 0n, day: -1, heads: new Map(), storedUpTo: -1n });
  });

  it('goes on after the recorded heads when the store ends there too', async () => {
    await harness.store().append(upTo(10));
    await record(upTo(10), 10);
    const point = await resume();
    expect(point).toMatchObject({ nextOffset: 10n, day: Math.floor(START_MS / 86_400_000), storedUpTo: 9n });
    expect(point.heads.get('test/acme/t-events-0/0')).toEqual({ seq: 5n, leaf: upTo(10).at(-2)?.leaf });
  });

  it('builds again and compares what the store has beyond the heads, and adds only the rest', async () => {
    verifies('P2', 'P3');
    await harness.store().append(upTo(14));
    await record(upTo(10), 10);
    expect(await resume()).toMatchObject({ nextOffset: 10n, storedUpTo: 13n });
    const writer = ledgerOf({
      store: harness.store(),
      state,
      events: topic,
      config: { batch_max_records: 3 },
    });
    await writer.start();
    await topic.drained('ledger');
    await writer.stop();
    expect(await harness.rows('SELECT lower(hex(leaf)) FROM custody.entries ORDER BY koffset, seq')).toEqual(
      entries.map(({ leaf }) => [leaf]),
    );
    expect(await resume()).toMatchObject({ nextOffset: BigInt(RECORDS), storedUpTo: BigInt(RECORDS - 1) });
    for (const number of [10, 17] as const) twin(number, 'writer');
  });

  it('refuses records beyond the heads that differ from what the log gives', async () => {
    const forged = sealed([...records.slice(0, 12), { key: 'acme', value: sampleEvent(999) }]);
    await harness.store().append(forged);
    await record(upTo(10), 10);
    const writer = ledgerOf({ store: harness.store(), state, events: topic });
    await writer.start();
    expect((await writer.refused).message).toMatch(/acme\/t-events-0\/0 seq 7: FORK/);
    await writer.stop();
    expect(await topic.committed('ledger', 0)).toBeUndefined();
    attack(14, 'writer', 'FORK');
  });
});

describe('resume refuses', () => {
  it('a store that ends before the heads: ROLLBACK', async () => {
    verifies('P4');
    await harness.store().append(upTo(8));
    await record(upTo(10), 10);
    await expect(resume()).rejects.toThrow(
      /cannot resume ledger custody.events\/0: ROLLBACK: log test\/\w+\/t-events-0\/0 was written up to seq 5, the store has 4/,
    );
    attack(17, 'writer', 'ROLLBACK');
    attack(8, 'writer', 'ROLLBACK');
    attack(10, 'writer', 'ROLLBACK');
  });

  it('an empty store where heads were recorded: ROLLBACK', async () => {
    verifies('P4');
    await record(upTo(10), 10);
    await expect(resume()).rejects.toThrow(/ROLLBACK: .* the store has none of it/);
  });

  it('another entry at the place of a head: FORK', async () => {
    verifies('P4');
    await harness.store().append(upTo(10));
    const other = upTo(10).map((entry) => ({ ...entry, leaf: 'ee'.repeat(32) }));
    await record(other, 10);
    await expect(resume()).rejects.toThrow(/FORK: .* recorded was e{64}/);
  });

  it('another entry at the place of a head the store has gone beyond: FORK', async () => {
    verifies('P4');
    await harness.store().append(upTo(14));
    await record(
      upTo(10).map((entry) => ({ ...entry, leaf: 'ee'.repeat(32) })),
      10,
    );
    await expect(resume()).rejects.toThrow(/FORK: .* seq 5 has leaf [0-9a-f]{64}, recorded was e{64}/);
  });

  it('a log in the store whose head was never recorded: FORK', async () => {
    verifies('P4');
    await harness.store().append(upTo(10));
    const acme = upTo(10).filter(({ tenant }) => tenant === 'acme');
    await record(acme, 10);
    await expect(resume()).rejects.toThrow(/FORK: log test\/globex.* its head was never recorded/);
  });

  it('a hole in the middle of a log: GAP', async () => {
    verifies('P4');
    await harness.store().append(upTo(10));
    await record(upTo(10), 10);
    await harness.command(
      "ALTER TABLE custody.entries DELETE WHERE tenant = 'acme' AND seq = 2 SETTINGS mutations_sync = 2",
    );
    await expect(resume()).rejects.toThrow(/GAP: log test\/acme\/t-events-0\/0 has 5 entries up to seq 5/);
  });

  it.each([
    ['body', "body = concat(body, ' ')", 'BODY_HASH'],
    ['append time', 'kts_ms = kts_ms + 1', 'LEAF_HASH'],
    ['kind', "kind = 'malformed'", 'LEAF_HASH'],
  ])('a changed %s at the end of the log', async (_what, change, cause) => {
    verifies('P4');
    await harness.store().append(upTo(10));
    await record(upTo(10), 10);
    await harness.command(
      `ALTER TABLE custody.entries UPDATE ${change} WHERE koffset = 0 AND seq = 1 SETTINGS mutations_sync = 2`,
    );
    await expect(resume()).rejects.toThrow(new RegExp(`${cause}: log test/acme/t-events-0/0 seq 1`));
  });

  it('a log that lost the records after the heads: ROLLBACK', async () => {
    await harness.store().append(entries);
    await record(entries, RECORDS);
    topic.records.length = 15;
    await expect(resume()).rejects.toThrow(/ROLLBACK: the ledger has records up to 19, the log ends at 15/);
  });

  it('a store with records the log never had: UNKNOWN_TAIL', async () => {
    await harness.store().append(entries);
    await record(upTo(10), 10);
    topic.records.length = 15;
    await expect(resume()).rejects.toThrow(/UNKNOWN_TAIL: the store holds offset 19, the log ends at 15/);
  });

  it('a log that dropped records the ledger never took: GAP', async () => {
    await harness.store().append(upTo(10));
    await record(upTo(10), 10);
    const shorter = { ...topic, bounds: () => Promise.resolve({ start: 12n, end: 20n }) };
    await expect(resumeLedger(harness.store(), state, shorter, source)).rejects.toThrow(
      /GAP: records 10 to 11 are not in the ledger and no longer in the log/,
    );
  });

  it('heads that are not in the known form', async () => {
    await state.write([{ name: 'ledger/custody.events/0', value: Buffer.from('{"v":2}') }]);
    await expect(resume()).rejects.toThrow(/cannot use ledger heads: a position is not in the known form/);
    await record(upTo(10), 10);
    await state.write([
      { name: 'ledger/custody.events/0/test/acme/t-events-0/0', value: Buffer.from('{"seq":"x","leaf":""}') },
    ]);
    await expect(resume()).rejects.toThrow(/the head of .* is not in the known form/);
  });
});
