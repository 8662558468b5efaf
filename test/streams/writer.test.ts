import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCommittedOffsets } from '../../streams/embedded/committed-offsets.ts';
import { type Environment, openEnvironment, type Table } from '../../streams/embedded/environment.ts';
import { createWriter, type WriteJob } from '../../streams/embedded/writer.ts';

const MiB = 1024 * 1024;
let directory = '';
let environment: Environment;
let table: Table;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'custody-log-'));
  environment = await openEnvironment(directory, { mapBytes: 64 * MiB, readOnly: false });
  table = environment.table('t');
});
afterEach(async () => {
  await environment.close();
  await rm(directory, { recursive: true, force: true });
});

const makeWriter = () => createWriter(environment, { unwrittenMaxBytes: MiB, storedMaxBytes: 64 * MiB });
const put = (name: string, events: string[] = []): WriteJob => ({
  bytes: 10,
  stage: (changes) => void changes.push({ table, key: Buffer.from(name), value: Buffer.from(name) }),
  committed: () => void events.push(`committed ${name}`),
  reverted: () => void events.push(`reverted ${name}`),
});

describe('the writer', () => {
  it('puts concurrent jobs into one transaction', async () => {
    const writer = makeWriter();
    const before = environment.lastTransaction();
    await Promise.all(Array.from({ length: 100 }, (_, index) => writer.submit(put(`job-${index}`))));
    expect(environment.lastTransaction() - before).toBe(1);
    expect(table.getKeysCount()).toBe(100);
  });

  it('puts what arrives during a transaction into the next one', async () => {
    const writer = makeWriter();
    const before = environment.lastTransaction();
    const first = writer.submit(put('first'));
    await Promise.resolve();
    await Promise.resolve();
    const later = Array.from({ length: 50 }, (_, index) => writer.submit(put(`later-${index}`)));
    await Promise.all([first, ...later]);
    expect(environment.lastTransaction() - before).toBe(2);
  });

  it('writes nothing of a transaction in which a job cannot be staged, and goes on', async () => {
    const writer = makeWriter();
    const events: string[] = [];
    const bad: WriteJob = {
      ...put('bad', events),
      stage: () => {
        throw new Error('cannot be staged');
      },
    };
    const outcomes = await Promise.allSettled([
      writer.submit(put('a', events)),
      writer.submit(bad),
      writer.submit(put('b', events)),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(table.getKeysCount()).toBe(0);
    expect(events).toEqual(['reverted b', 'reverted bad', 'reverted a']);
    await writer.submit(put('c', events));
    expect(table.getKeysCount()).toBe(1);
  });

  it('lets riders join a transaction and keeps them waiting when it fails', async () => {
    const writer = makeWriter();
    const waiting = new Set(['rider']);
    writer.onTransaction({
      ...put('rider'),
      waiting: () => waiting.size > 0,
      committed: () => waiting.clear(),
    });
    const failing: WriteJob = {
      bytes: 0,
      stage: () => {
        throw new Error('cannot be staged');
      },
    };
    await expect(writer.submit(failing)).rejects.toMatchObject({ code: 'unavailable' });
    expect(waiting.size).toBe(1);
    await writer.flush();
    expect(waiting.size).toBe(0);
    expect(table.get(Buffer.from('rider'))?.toString()).toBe('rider');
  });

  it('saves a committed offset with a later transaction when the first one fails', async () => {
    const writer = makeWriter();
    const offsets = openCommittedOffsets(table, writer);
    offsets.commit('custody.events', 'g', 0, 7n);
    const failing: WriteJob = {
      bytes: 0,
      stage: () => {
        throw new Error('cannot be staged');
      },
    };
    await expect(writer.submit(failing)).rejects.toMatchObject({ code: 'unavailable' });
    expect(offsets.committed('custody.events', 'g', 0)).toBe(7n);
    await offsets.flush();
    const reloaded = openCommittedOffsets(table, makeWriter());
    expect(reloaded.committed('custody.events', 'g', 0)).toBe(7n);
  });

  it('says overloaded beyond the byte bound, but takes a lone job of any size', async () => {
    const writer = makeWriter();
    const large = (bytes: number): WriteJob => ({ ...put(`large-${bytes}`), bytes });
    const lone = writer.submit(large(3 * MiB));
    await expect(writer.submit(large(1))).rejects.toMatchObject({ code: 'overloaded' });
    await lone;
    await writer.submit(large(1));
  });

  it('settles what it accepted on close and refuses what comes after', async () => {
    const writer = makeWriter();
    const accepted = writer.submit(put('accepted'));
    const closed = writer.close();
    await expect(writer.submit(put('late'))).rejects.toMatchObject({ code: 'unavailable' });
    await Promise.all([accepted, closed]);
    expect(table.getKeysCount()).toBe(1);
  });
});
