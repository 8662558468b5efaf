/** Verification throughput against hashing alone: `tsx bench/verify.bench.ts [entries]`. */
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogVerifier } from '../evidence/verify-log.ts';
import { openChdbStore } from '../sinks/store/chdb-store.ts';
import { headChanges } from '../sinks/store/ledger-heads.ts';
import { createRowReader } from '../sinks/store/row-binary.ts';
import { decodeStoredEntry } from '../sinks/store/stored-entry.ts';
import { readAnchorView } from '../sinks/store/verify-anchor-log.ts';
import { createFindingLog } from '../sinks/store/verify-report.ts';
import { decodePage, planPages, queryPage } from '../sinks/store/verify-rows.ts';
import { expectedHeads } from '../sinks/store/verify-signed.ts';
import { verifyStore } from '../sinks/store/verify-store.ts';
import { memoryState } from '../test/support/memory-topic.ts';
import { report } from './machine.ts';
import { SOURCE, writeSignedStore } from './signed-store.ts';

const count = Number(process.argv[2] ?? 300_000);
const path = mkdtempSync(join(tmpdir(), 'custody-verify-bench-'));
const store = await openChdbStore({ path });
const state = memoryState();
const { builder, trust, bodyBytesMean } = await writeSignedStore(store, count);
await state.write(headChanges(SOURCE, BigInt(count), builder.day, builder.heads));

/** Wall clock and processor time of this thread's process, in seconds. */
async function timed<T>(action: () => Promise<T> | T) {
  const [wall, cpu] = [performance.now(), process.cpuUsage()];
  const value = await action();
  const used = process.cpuUsage(cpu);
  return { value, seconds: (performance.now() - wall) / 1000, cpuSeconds: (used.user + used.system) / 1e6 };
}

const whole = await timed(() =>
  verifyStore({ raw: store.raw, states: [state], topics: undefined, deployment: SOURCE.deployment, trust }),
);
if (whole.value.verdict !== 'valid' || whole.value.verified_up_to[0]?.root_size !== String(count + 1))
  throw new Error(`cannot use the measurement: ${JSON.stringify(whole.value.findings[0])}`);

// What a verifier apart from the engine does on its core: the same bytes, read before the clock starts.
const { pages } = await planPages(store.raw, '1');
const answers: Uint8Array[][] = [];
for (const page of pages) {
  const chunks: Uint8Array[] = [];
  for await (const chunk of queryPage(store.raw, '1', page)) chunks.push(Uint8Array.from(chunk));
  answers.push(chunks);
}
const view = await readAnchorView({
  ...{ raw: store.raw, deployment: SOURCE.deployment, trust, external: [] },
  findings: createFindingLog(),
});
await store.close();
rmSync(path, { recursive: true, force: true });

async function recompute(): Promise<number> {
  const verifier = createLogVerifier({
    expected: expectedHeads(new Map(), view, () => true),
    window: false,
    onFinding(finding) {
      throw new Error(`cannot use the measurement: ${finding.cause}`);
    },
  });
  for (const chunks of answers)
    await decodePage(streamOf(chunks), (row) => verifier.push(row), verifier.follow);
  verifier.finish();
  return verifier.entryCount;
}
async function* streamOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}

/** The same bodies where they lie, and as many preimages and nodes of the tree as there are entries. */
const bodies: Buffer[] = [];
for (const chunks of answers) {
  const reader = createRowReader(decodeStoredEntry);
  for (const chunk of chunks) for (const row of reader.push(chunk)) bodies.push(row.body as Buffer);
}
const preimage = Buffer.alloc(300, 'p');
const node = Buffer.alloc(65, 'n');
function hashAlone(): void {
  for (const body of bodies) {
    hash('sha256', body, 'binary');
    hash('sha256', preimage, 'binary');
    hash('sha256', node, 'binary');
  }
}

type Timed = Awaited<ReturnType<typeof timed>>;
const rounds: Record<'recompute' | 'alone', Timed>[] = [];
for (let round = 0; round < 5; round++)
  rounds.push({ recompute: await timed(recompute), alone: await timed(hashAlone) });
const best = (of: 'recompute' | 'alone', what: 'seconds' | 'cpuSeconds') =>
  Math.min(...rounds.map((round) => round[of][what]));
const entries = whole.value.entries;
report(
  'verify',
  'one log under one checkpoint; whole: in-process chDB, every check, derived columns recomputed in SQL; apart: rows already read, everything the verifier itself does (row decoding, two hashes an entry, Merkle tree, links); SHA-256 alone over the same bodies where they lie and as many preimages and tree nodes; best of five rounds, one process each on a shared machine',
  {
    entries,
    body_bytes_mean: bodyBytesMean,
    whole_seconds: Number(whole.seconds.toFixed(2)),
    whole_entries_per_sec: Math.round(entries / whole.seconds),
    whole_cpu_us_per_entry: Number(((whole.cpuSeconds / entries) * 1e6).toFixed(2)),
    apart_entries_per_sec: Math.round(entries / best('recompute', 'seconds')),
    apart_cpu_us_per_entry: Number(((best('recompute', 'cpuSeconds') / entries) * 1e6).toFixed(2)),
    sha256_alone_entries_per_sec: Math.round(entries / best('alone', 'seconds')),
    sha256_alone_cpu_us_per_entry: Number(((best('alone', 'cpuSeconds') / entries) * 1e6).toFixed(2)),
    apart_of_sha256_alone: Number((best('alone', 'cpuSeconds') / best('recompute', 'cpuSeconds')).toFixed(2)),
  },
);
