import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEntryBuilder } from '../../../evidence/entry-builder.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { openEmbeddedLog } from '../../../streams/embedded/open-log.ts';
import { verifies } from '../../requirements.ts';
import { logConfig } from '../../streams/embedded-harness.ts';
import { sampleEvent } from '../../support/sample-event.ts';
import { source } from './ledger-harness.ts';

const script = fileURLToPath(new URL('./child/write-ledger.ts', import.meta.url));
const KILLS = 12;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'custody-kill-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Fills the log; gives the stored rows the ledger must end with. */
async function fill(count: number): Promise<unknown[][]> {
  const log = await openEmbeddedLog({
    directory: join(directory, 'log'),
    clock: systemClock,
    config: logConfig(),
  });
  const topic = log.topic('custody.events');
  const records = Array.from({ length: count }, (_, number) => {
    const key = ['acme', 'globex', 'No Tenant'][number % 3] ?? '';
    return { key, value: sampleEvent(number, key) };
  });
  for (let at = 0; at < count; at += 500) await topic.append(records.slice(at, at + 500));
  const builder = createEntryBuilder({ ...source, topicId: topic.topicId }, { day: -1, heads: [] });
  const rows: unknown[][] = [];
  for await (const record of topic.read(0, 0n)) {
    for (const entry of builder.add(record)) {
      const day = new Date(entry.day * 86_400_000).toISOString().slice(0, 10);
      const body = Buffer.from(entry.body).toString('hex').toUpperCase();
      rows.push([entry.logId, Number(entry.seq), Number(entry.offset), entry.leaf, body, day, entry.kind]);
    }
  }
  await log.close();
  return rows;
}

function write(storeName: string, batchRecords: number) {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', script, directory, storeName, String(batchRecords)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(child, 'exit');
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  const started = Promise.race([once(reader, 'line'), exited]);
  reader.on('line', (line) => lines.push(line));
  return { child, exited, started, lines };
}

async function writeAll(storeName: string, batchRecords: number): Promise<unknown[][]> {
  const { exited, lines } = write(storeName, batchRecords);
  expect([(await exited)[0], lines.at(-1)?.slice(0, 200)]).toEqual([0, expect.stringContaining('leaves')]);
  return (JSON.parse(lines.at(-1) ?? '') as { leaves: unknown[][] }).leaves;
}

describe('ledger', () => {
  it('has every record exactly once after a dozen kills at random moments of writing', async () => {
    verifies('P2', 'P3');
    const expected = await fill(6000);
    let killedWhileWriting = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const { child, started, exited } = write('store', 20);
      await started;
      await pause(Math.random() * 250);
      killedWhileWriting += child.exitCode === null ? 1 : 0;
      child.kill('SIGKILL');
      await exited;
    }
    expect(killedWhileWriting).toBeGreaterThanOrEqual(10);
    expect(await writeAll('store', 1000)).toEqual(expected);
  });
});
