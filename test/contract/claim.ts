import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MovedError } from '../../runtime/errors.ts';
import type { Claim, Log, PartitionOf, StateStore, TopicName } from '../../streams/topic.ts';
import { collect } from './topic.ts';

/** An empty log of three partitions, opened by two workers where the implementation has a fleet. */
export interface ClaimHarness {
  readonly one: Log;
  /** The same log, opened again; the same object where only one process can have it. */
  readonly two: Log;
  close(): Promise<void>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const put = (name: string, text: string) => ({ name, value: bytes(text) });
const record = (text: string) => ({ key: 'tenant', value: bytes(text) });
const ledgerOf = (topic: TopicName, partition = 0): PartitionOf => ({ area: 'ledger', topic, partition });
const events = ledgerOf('custody.events');

async function list(state: Pick<StateStore, 'entries'>, prefix = ''): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, value } of state.entries(prefix))
    found.push(`${name}=${Buffer.from(value).toString()}`);
  return found;
}

/** Visible a little later than the append resolves: waits for them. */
async function textsOf(log: Log, name: TopicName, count: number): Promise<string[]> {
  const { records } = await collect(log.topic(name), count, { group: 'texts' });
  return records.map(({ value }) => Buffer.from(value).toString());
}

/** What every `Log.claim` must do. */
export function claimContract(name: string, open: () => Promise<ClaimHarness>): void {
  describe(`${name} keeps the claim contract`, () => {
    let harness: ClaimHarness;
    let claims: Claim[];
    const claim = async (log: Log, of: PartitionOf) => {
      const made = await log.claim(of);
      claims.push(made);
      return made;
    };
    beforeEach(async () => {
      claims = [];
      harness = await open();
    });
    afterEach(async () => {
      await Promise.all(claims.map((each) => each.release()));
      await harness.close();
    });

    it('shows a later claim every write of the earlier one, from its first read on', async () => {
      const first = await claim(harness.one, events);
      for (let round = 0; round < 5; round += 1) await first.state.write([put('head', String(round))]);
      const second = await claim(harness.two, events);
      expect(await list(second.state)).toEqual(['head=4']);
    });

    it('refuses the writes of an earlier claim as soon as a later one is there, before that one wrote', async () => {
      const first = await claim(harness.one, events);
      await first.state.write([put('head', 'first')]);
      const second = await claim(harness.two, events);
      await expect(first.state.write([put('head', 'late')])).rejects.toBeInstanceOf(MovedError);
      await expect(first.append('custody.alerts', [record('late')])).rejects.toBeInstanceOf(MovedError);
      await second.append('custody.alerts', [record('second')]);
      await second.state.write([put('own', 'second')]);
      expect(await list(second.state)).toEqual(['head=first', 'own=second']);
      expect(await textsOf(harness.two, 'custody.alerts', 1)).toEqual(['second']);
    });

    it('says whether it is held, and leaves nothing in the state by saying so', async () => {
      const first = await claim(harness.one, events);
      expect(await first.isHeld()).toBe(true);
      expect(await first.isHeld()).toBe(true);
      const second = await claim(harness.two, events);
      expect(await first.isHeld()).toBe(false);
      expect(await second.isHeld()).toBe(true);
      expect(await list(second.state)).toEqual([]);
    });

    it('takes a claim that was never used from its owner', async () => {
      const first = await claim(harness.one, events);
      const second = await claim(harness.two, events);
      const third = await claim(harness.one, events);
      expect([await first.isHeld(), await second.isHeld(), await third.isHeld()]).toEqual([
        false,
        false,
        true,
      ]);
    });

    it('neither writes nor is held once it is released, and the partition can be claimed again', async () => {
      const first = await claim(harness.one, events);
      await first.state.write([put('head', '1')]);
      await first.release();
      await first.release();
      await expect(first.state.write([put('head', '2')])).rejects.toBeInstanceOf(MovedError);
      expect(await first.isHeld()).toBe(false);
      const second = await claim(harness.two, events);
      expect(await list(second.state)).toEqual(['head=1']);
    });

    it('ends no claim of another stage, topic or partition', async () => {
      const places: PartitionOf[] = [
        events,
        ledgerOf('custody.alerts'),
        ledgerOf('custody.events', 1),
        { area: 'detect', topic: 'custody.events', partition: 0 },
      ];
      const held: Claim[] = [];
      for (const place of places) held.push(await claim(harness.one, place));
      for (const [index, each] of held.entries())
        await each.state.write([put(`name-${index}`, String(index))]);
      await claim(harness.two, ledgerOf('custody.deadletter'));
      expect(await Promise.all(held.map((each) => each.isHeld()))).toEqual([true, true, true, true]);
    });

    it('keeps the state of the topics that share a partition, and of the stages, apart by name and area', async () => {
      const [ofEvents, ofAlerts, ofDetect] = [
        await claim(harness.one, events),
        await claim(harness.two, ledgerOf('custody.alerts')),
        await claim(harness.one, { area: 'detect', topic: 'custody.events', partition: 0 }),
      ];
      await Promise.all(
        Array.from({ length: 10 }, async (_, round) => {
          await ofEvents.state.write([put('events/head', String(round))]);
          await ofAlerts.state.write([put('alerts/head', String(round))]);
          await ofDetect.state.write([put('snapshot/head', String(round))]);
        }),
      );
      expect(await list(ofEvents.state, 'events/')).toEqual(['events/head=9']);
      expect(await list(ofEvents.state, 'alerts/')).toEqual(['alerts/head=9']);
      expect(await list(ofDetect.state, 'snapshot/')).toEqual(['snapshot/head=9']);
      const ledger: string[] = [];
      for (const state of harness.two.states('ledger')) ledger.push(...(await list(state, 'events/')));
      expect(ledger).toEqual(['events/head=9']);
    });

    it('appends what it was given, in order, to any partition', async () => {
      const first = await claim(harness.one, events);
      const records = Array.from({ length: 30 }, (_, index) => ({
        key: `tenant-${index % 5}`,
        value: bytes(String(index)),
      }));
      await first.append('custody.alerts', records);
      await first.append('custody.alerts', []);
      const texts = await textsOf(harness.two, 'custody.alerts', 30);
      expect(new Set(texts).size).toBe(30);
      const ofOneKey = texts.map(Number).filter((index) => index % 5 === 2);
      expect(ofOneKey).toEqual([2, 7, 12, 17, 22, 27]);
    });

    it('keeps the order of writes that were not waited for', async () => {
      const first = await claim(harness.one, events);
      await Promise.all(
        Array.from({ length: 20 }, (_, round) => first.state.write([put('head', String(round))])),
      );
      expect(await list(first.state)).toEqual(['head=19']);
    });
  });
}
