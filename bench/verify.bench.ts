/** Verification throughput against hashing alone: `tsx bench/verify.bench.ts [entries]`. */
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bodyHash, entryPreimage, ZERO_LINK } from '../evidence/entry.ts';
import { createEntryBuilder, type SealedEntry } from '../evidence/entry-builder.ts';
import { openChdbStore } from '../sinks/store/chdb-store.ts';
import { headChanges } from '../sinks/store/ledger-heads.ts';
import { verifyStore } from '../sinks/store/verify-store.ts';
import { memoryState } from '../test/support/memory-topic.ts';
import { sampleEvent } from '../test/support/sample-event.ts';
import { report } from './machine.ts';

const count = Number(process.argv[2] ?? 300_000);
const BATCH = 10_000;
const path = mkdtempSync(join(tmpdir(), 'custody-verify-bench-'));
const store = await openChdbStore({ path });
const state = memoryState();
const source = { deployment: 'bench', topic: 'custody.events', topicId: 't-events', partition: 0 };
const builder = createEntryBuilder(source, { day: -1, heads: [] });
const bodies = Array.from({ length: 5000 }, (_, number) => sampleEvent(number));
for (let from = 0; from < count; from += BATCH) {
  const entries: SealedEntry[] = [];
  for (let offset = from; offset < Math.min(count, from + BATCH); offset++) {
    const value = bodies[offset % bodies.length] ?? new Uint8Array();
    entries.push(
      ...builder.add({ key: 'acme', value, offset: BigInt(offset), appendTimeMs: 1_790_000_000_000 }),
    );
  }
  await store.append(entries);
}
await state.write(headChanges(source, BigInt(count), builder.day, builder.heads));

// As many real preimages as bodies, made before the clock starts.
const preimages = bodies.map((body, number) => {
  const place = {
    ...{ logId: 'bench/acme/t-events-0/0', seq: BigInt(number), topic: source.topic, partition: 0 },
    ...{ offset: BigInt(number), appendTimeMs: 1_790_000_000_000, kind: 'event' as const },
  };
  return Buffer.from(`\0${entryPreimage(place, ZERO_LINK, bodyHash(body))}`);
});
const hashBegan = performance.now();
for (let number = 0; number < count; number++) {
  hash('sha256', bodies[number % bodies.length] ?? '', 'hex');
  hash('sha256', preimages[number % bodies.length] ?? '', 'hex');
}
const hashSeconds = (performance.now() - hashBegan) / 1000;

const began = performance.now();
const verified = await verifyStore({
  raw: store.raw,
  states: [state],
  topics: undefined,
  deployment: 'bench',
});
const seconds = (performance.now() - began) / 1000;
await store.close();
rmSync(path, { recursive: true, force: true });
if (verified.verdict !== 'valid')
  throw new Error(`cannot use the measurement: ${JSON.stringify(verified.findings[0])}`);
report(
  'verify',
  'in-process chDB, one log, derived columns recomputed in SQL; SHA-256 alone over as many bodies and preimages in the same run',
  {
    entries: verified.entries,
    body_bytes_mean: Math.round(bodies.reduce((sum, body) => sum + body.length, 0) / bodies.length),
    seconds: Number(seconds.toFixed(2)),
    entries_per_sec: Math.round(verified.entries / seconds),
    sha256_alone_seconds: Number(hashSeconds.toFixed(2)),
    ratio_to_sha256_alone: Number((seconds / hashSeconds).toFixed(2)),
  },
);
