import { describe, expect, it } from 'vitest';
import { createSlots } from '../../../sinks/store/sql-endpoint/slots.ts';

const never = () => new AbortController().signal;

describe('slots', () => {
  it('gives a slot to the first in line when one is given back', async () => {
    const slots = createSlots(1, 2);
    const order: string[] = [];
    const first = await slots.acquire(never());
    const second = slots.acquire(never()).then((release) => (order.push('second'), release));
    const third = slots.acquire(never()).then((release) => (order.push('third'), release));
    first();
    (await second)();
    (await third)();
    expect(order).toEqual(['second', 'third']);
  });

  it('refuses with ClickHouse code 202 when the line is full', async () => {
    const slots = createSlots(1, 1);
    await slots.acquire(never());
    void slots.acquire(never());
    await expect(slots.acquire(never())).rejects.toMatchObject({ code: 202 });
  });

  it('lets go of the place in line of a client that left', async () => {
    const slots = createSlots(1, 1);
    const release = await slots.acquire(never());
    const leaving = new AbortController();
    const left = slots.acquire(leaving.signal);
    leaving.abort();
    await expect(left).rejects.toMatchObject({ code: 394 });
    const next = slots.acquire(never());
    release();
    await expect(next).resolves.toBeTypeOf('function');
  });

  it('counts a slot given back twice once', async () => {
    const slots = createSlots(1, 0);
    const release = await slots.acquire(never());
    release();
    release();
    await slots.acquire(never());
    await expect(slots.acquire(never())).rejects.toMatchObject({ code: 202 });
  });
});
