import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TransientError } from '../../../runtime/errors.ts';
import { readLedgerHeads } from '../../../sinks/store/ledger-heads.ts';
import type { Store } from '../../../sinks/store/store.ts';
import { verifies } from '../../requirements.ts';
import { startLog, type LogHarness } from '../../streams/embedded-harness.ts';
import { memoryState, memoryTopic } from '../../support/memory-topic.ts';
import { sampleEvent } from '../../support/sample-event.ts';
import { DAY_MS, ledgerOf, sealed, START_MS, startStore, type StoreHarness } from './ledger-harness.ts';

let harness: StoreHarness;
let log: LogHarness | undefined;
beforeEach(async () => {
  harness = await startStore();
});
afterEach(async () => {
  await log?.close();
  log = undefined;
  await harness.close();
});

const leaves = () => harness.rows('SELECT lower(hex(leaf)) FROM custody.entries ORDER BY koffset, seq');
const leavesOf = (records: Parameters<typeof sealed>[0]) => sealed(records).map(({ leaf }) => [leaf]);
const events = (count: number, tenant = 'acme') =>
  Array.from({ length: count }, (_, number) => ({ key: tenant, value: sampleEvent(number, tenant) }));

describe('ledger writer on an embedded log', () => {
  it('writes one entry per record of each topic, and one genesis entry per log', async () => {
    verifies('P2');
    log = await startLog();
    const opened = log.log();
    const topic = (name: Parameters<typeof opened.topic>[0]) => opened.topic(name);
    await topic('custody.events').append([
      ...events(300),
      ...events(200, 'globex'),
      { key: 'No Tenant', value: Buffer.from('{}') },
    ]);
    await topic('custody.alerts').append([
      { key: 'acme', value: Buffer.from('{"schema":"custody.alert/v1","tenant":"acme"}') },
    ]);
    await topic('custody.deadletter').append([{ key: 'acme', value: Buffer.from([0xff, 0x00]) }]);
    const parts = {
      store: harness.store(),
      state: opened.state,
      events: topic('custody.events'),
      alerts: topic('custody.alerts'),
      deadletter: topic('custody.deadletter'),
    };
    const writer = ledgerOf(parts);
    await writer.start();
    await expect
      .poll(async () => (await harness.rows('SELECT count() FROM custody.entries'))[0]?.[0], {
        timeout: 120_000,
      })
      .toBe(508);
    await writer.stop();
    expect(
      await harness.rows(
        'SELECT topic, tenant, kind, count() FROM custody.entries GROUP BY ALL ORDER BY ALL',
      ),
    ).toEqual([
      ['custody.alerts', 'acme', 'control', 1],
      ['custody.alerts', 'acme', 'event', 1],
      ['custody.deadletter', 'acme', 'control', 1],
      ['custody.deadletter', 'acme', 'malformed', 1],
      ['custody.events', 'acme', 'control', 1],
      ['custody.events', 'acme', 'event', 300],
      ['custody.events', 'globex', 'control', 1],
      ['custody.events', 'globex', 'event', 200],
      ['custody.events', 'unattributed', 'control', 1],
      ['custody.events', 'unattributed', 'malformed', 1],
    ]);
    const heads = await readLedgerHeads([opened.state]);
    expect(heads?.positions.map(({ topic: name, nextOffset }) => [name, nextOffset])).toEqual([
      ['custody.alerts', 1n],
      ['custody.deadletter', 1n],
      ['custody.events', 501n],
    ]);
    expect(heads?.logs.get(`test/acme/${topic('custody.events').topicId}-0/0`)?.seq).toBe(300n);
    expect(await topic('custody.events').committed('ledger', 0)).toBe(501n);
  });

  it('stops for the partition whose stored entries were changed, and for no other', async () => {
    verifies('P2', 'P4');
    log = await startLog({ partitions: 2 });
    const opened = log.log();
    const topic = opened.topic('custody.events');
    const tenants = Array.from({ length: 12 }, (_, number) => `tenant-${number}`);
    const round = () => topic.append(tenants.flatMap((tenant) => events(10, tenant)));
    const perPartition = () =>
      harness.rows("SELECT kpart, countIf(kind = 'event') FROM custody.entries GROUP BY ALL ORDER BY ALL");
    const run = async (expected: unknown) => {
      const writer = ledgerOf({ store: harness.store(), state: opened.state, events: topic });
      await writer.start();
      await expect.poll(perPartition).toEqual(expected);
      return writer;
    };
    await round();
    const [inFirst, inSecond] = [Number((await topic.bounds(0)).end), Number((await topic.bounds(1)).end)];
    expect(inFirst * inSecond).toBeGreaterThan(0);
    const before = await run([
      [0, inFirst],
      [1, inSecond],
    ]);
    await before.stop();

    await harness.command(
      "ALTER TABLE custody.entries UPDATE body = concat(body, ' ') WHERE kpart = 0 SETTINGS mutations_sync = 2",
    );
    await round();
    const after = await run([
      [0, inFirst],
      [1, 2 * inSecond],
    ]);
    expect((await after.refused).message).toMatch(/custody\.events\/0: BODY_HASH/);
    await after.stop();
    expect(await topic.committed('ledger', 0)).toBe(BigInt(inFirst));
    expect(await topic.committed('ledger', 1)).toBe(BigInt(2 * inSecond));
  });

  it('goes on where it stopped, with the same entries as without a stop', async () => {
    verifies('P2', 'P3');
    const topic = memoryTopic('custody.events', START_MS);
    const state = memoryState();
    for (let round = 0; round < 3; round++) {
      await topic.append(events(40));
      const writer = ledgerOf({
        store: harness.store(),
        state,
        events: topic,
        config: { batch_max_records: 7 },
      });
      await writer.start();
      await topic.drained('ledger');
      await writer.stop();
      await harness.reopen();
    }
    expect(await leaves()).toEqual(leavesOf([...events(40), ...events(40), ...events(40)]));
  });
});

describe('ledger writer', () => {
  it('puts a batch over midnight into two days, and never goes back a day', async () => {
    const topic = memoryTopic('custody.events', DAY_MS * 20_000 - 1);
    await topic.append(events(3));
    topic.nowMs = DAY_MS * 20_000;
    await topic.append(events(2));
    topic.nowMs = DAY_MS * 20_000 - 1;
    await topic.append(events(2));
    const writer = ledgerOf({ store: harness.store(), state: memoryState(), events: topic });
    await writer.start();
    await topic.drained('ledger');
    await writer.stop();
    expect(
      await harness.rows(
        'SELECT toString(day), partition_id, count(), max(koffset) FROM (SELECT day, _partition_id AS partition_id, koffset FROM custody.entries) GROUP BY ALL ORDER BY ALL',
      ),
    ).toEqual([
      ['2024-10-03', '20241003', 4, 2],
      ['2024-10-04', '20241004', 4, 6],
    ]);
  });

  it('repeats a write that failed for a while and stores each record once', async () => {
    verifies('P2');
    const topic = memoryTopic('custody.events', START_MS);
    await topic.append(events(30));
    let failures = 0;
    const store: Store = {
      ...harness.store(),
      async append(entries) {
        failures += 1;
        // Every second failure comes after the rows are in, as when an answer is lost.
        if (failures % 2 === 0) await harness.store().append(entries);
        if (failures < 5) throw new TransientError('unavailable', 'cannot insert: injected');
        await harness.store().append(entries);
      },
    };
    const writer = ledgerOf({ store, state: memoryState(), events: topic });
    await writer.start();
    await topic.drained('ledger');
    await writer.stop();
    expect(failures).toBe(5);
    expect(await leaves()).toEqual(leavesOf(events(30)));
  });

  it('stores each record once when recording the heads fails and it is stopped there', async () => {
    verifies('P2');
    const topic = memoryTopic('custody.events', START_MS);
    await topic.append(events(30));
    const state = memoryState();
    let attempted: () => void = () => undefined;
    const failed = new Promise<void>((resolve) => (attempted = resolve));
    const broken = {
      ...state,
      write: () => {
        attempted();
        return Promise.reject(new TransientError('disk_full', 'cannot write: injected'));
      },
    };
    const first = ledgerOf({ store: harness.store(), state: broken, events: topic });
    await first.start();
    await failed;
    await first.stop();
    expect(await leaves()).toHaveLength(31);
    expect(await topic.committed('ledger', 0)).toBeUndefined();

    const second = ledgerOf({
      store: harness.store(),
      state,
      events: topic,
      config: { batch_max_records: 4 },
    });
    await second.start();
    await topic.drained('ledger');
    await second.stop();
    expect(await leaves()).toEqual(leavesOf(events(30)));
  });

  it('commits nothing while the store holds something else, and says so once', async () => {
    verifies('P4');
    const topic = memoryTopic('custody.events', START_MS);
    await topic.append(events(5));
    await harness.store().append(sealed([{ value: Buffer.from('{"forged":true}') }]));
    const writer = ledgerOf({ store: harness.store(), state: memoryState(), events: topic });
    await writer.start();
    expect((await writer.refused).message).toMatch(/seq 1: FORK/);
    await writer.stop();
    expect(await topic.committed('ledger', 0)).toBeUndefined();
    expect(await leaves()).toHaveLength(2);
  });

  it('takes ten thousand tenants in one batch', async () => {
    const topic = memoryTopic('custody.events', START_MS);
    await topic.append(
      Array.from({ length: 10_000 }, (_, number) => ({ key: `t${number}`, value: Buffer.from('{}') })),
    );
    const state = memoryState();
    const writer = ledgerOf({
      store: harness.store(),
      state,
      events: topic,
      config: { batch_max_records: 10_000 },
    });
    await writer.start();
    await topic.drained('ledger');
    await writer.stop();
    expect(await harness.rows('SELECT count(), uniqExact(log) FROM custody.entries')).toEqual([
      [20_000, 10_000],
    ]);
    expect((await readLedgerHeads([state]))?.logs.size).toBe(10_000);
  });
});
