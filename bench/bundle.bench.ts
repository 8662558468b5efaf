/**
 * Time and memory of an evidence bundle, and of verifying it offline: `tsx bench/bundle.bench.ts [entries]`. The store is
 * filled by a process of its own (`--fill <directory>`), so that its memory is not counted.
 */
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBundle } from '../bundle/create.ts';
import { createReceiptSource } from '../bundle/receipts.ts';
import { caseRenderers } from '../bundle/renderers.ts';
import { anchorOrigin } from '../evidence/anchor-log/entry.ts';
import { createEntryBuilder, type SealedEntry } from '../evidence/entry-builder.ts';
import { growRange } from '../evidence/merkle/compact-range.ts';
import {
  formatSigningKey,
  formatVerifierKey,
  parseSigningKey,
  signingKey,
  type SigningKey,
} from '../evidence/note/key.ts';
import { composeCycle } from '../notary/compose.ts';
import { emptyState } from '../notary/state.ts';
import { openChdbStore } from '../sinks/store/chdb-store.ts';
import { sampleEvent } from '../test/support/sample-event.ts';
import { report } from './machine.ts';

const count = Number(process.argv[2] ?? 100_000);
const BATCH = 10_000;
const START_MS = 1_790_000_000_000;
const DEPLOYMENT = 'bench';
const [, , , fillFlag, fillDirectory] = process.argv;
const isFill = fillFlag === '--fill' && fillDirectory !== undefined;
const directory = isFill ? fillDirectory : mkdtempSync(join(tmpdir(), 'custody-bundle-bench-'));
const keyFile = join(directory, 'keys.json');
if (!isFill) {
  const newKey = (name: string) =>
    formatSigningKey(signingKey(name, 'log', generateKeyPairSync('ed25519').privateKey));
  mkdirSync(directory, { recursive: true });
  writeFileSync(keyFile, JSON.stringify([newKey(anchorOrigin(DEPLOYMENT)), newKey(`${DEPLOYMENT}/bundle`)]), {
    mode: 0o600,
  });
  const filled = spawnSync(
    process.execPath,
    ['--import', 'tsx', import.meta.filename, String(count), '--fill', directory],
    { stdio: 'inherit' },
  );
  if (filled.status !== 0) throw new Error('cannot fill the store');
}
const [notaryKey, bundleKey] = (JSON.parse(readFileSync(keyFile, 'utf8')) as [string, string]).map(
  parseSigningKey,
) as [SigningKey, SigningKey];

/** Memory of its own: RssAnon leaves out the engine's program text and mapped files. */
const residentMiB = (field: 'VmRSS' | 'RssAnon') =>
  Math.round(
    Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024,
  );

const store = await openChdbStore({ path: join(directory, 'store') });
const bodies = Array.from({ length: 5000 }, (_, number) => sampleEvent(number));
if (isFill) {
  await fill();
  await store.close();
  process.exit(0);
}

const outFile = join(directory, 'bench.zip');
let [rss, rssAnon] = [0, 0];
const sampler = setInterval(() => {
  rss = Math.max(rss, residentMiB('VmRSS'));
  rssAnon = Math.max(rssAnon, residentMiB('RssAnon'));
}, 50);
const before = residentMiB('VmRSS');
const began = performance.now();
const cpuBegan = process.cpuUsage();
const created = await createBundle(
  {
    ...{ caseId: 'BENCH', question: undefined, operator: 'bench', role: 'operator', reason: 'bench' },
    query: { kind: 'window', tenant: 'acme', fromMs: START_MS, toMs: START_MS + count },
    ...{ mode: 'range', outFile, key: bundleKey, evenIfInvalid: false },
  },
  {
    ...{ raw: store.raw, deployment: DEPLOYMENT, clock: { nowMs: () => Date.now() }, newId: randomUUID },
    tool: { name: 'mcp-custody', version: 'bench' },
    wait: { timeoutMs: 0, pollMs: 1, sleep: () => Promise.resolve(), onWait: () => undefined },
    signal: new AbortController().signal,
    onProgress: () => undefined,
    renderers: caseRenderers,
    tagFiles: new Map(),
    receipts: createReceiptSource(store.raw, bundleKey),
  },
);
const seconds = (performance.now() - began) / 1000;
const cpu = process.cpuUsage(cpuBegan);
clearInterval(sampler);
await store.close();

// In a process of its own: neither the store nor what this one has in memory.
const trustFile = join(directory, 'trust.json');
writeFileSync(
  trustFile,
  JSON.stringify({
    schema: 'custody.trust/v1',
    deployment: DEPLOYMENT,
    notary: [{ verifier_key: formatVerifierKey(notaryKey) }],
    bundle_keys: [formatVerifierKey(bundleKey)],
  }),
);
const verifyBegan = performance.now();
const verified = spawnSync(
  process.execPath,
  [
    '--import',
    'tsx',
    new URL('../verifier/mjs.ts', import.meta.url).pathname,
    outFile,
    '--trust',
    trustFile,
    '--json',
  ],
  { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
);
const verifySeconds = (performance.now() - verifyBegan) / 1000;
rmSync(directory, { recursive: true, force: true });
const verdict = JSON.parse(verified.stdout || '{}') as {
  verdict?: string;
  entries?: number;
  findings?: unknown;
};
if (verdict.verdict !== 'valid' || verdict.entries !== created.entryCount)
  throw new Error(`cannot use the measurement: ${verified.stderr}${JSON.stringify(verdict.findings)}`);
report(
  `bundle-${count / 1000}k`,
  'in-process chDB, one log, range mode, receipts of 1,000 calls, no authority; memory with the engine in the same process; verification in a process of its own, from sources',
  {
    entries: created.entryCount,
    body_bytes_mean: Math.round(bodies.reduce((sum, body) => sum + body.length, 0) / bodies.length),
    zip_mib: Number((created.bytes / 2 ** 20).toFixed(1)),
    seconds: Number(seconds.toFixed(1)),
    cpu_seconds: Number(((cpu.user + cpu.system) / 1e6).toFixed(1)),
    entries_per_sec: Math.round(created.entryCount / seconds),
    rss_before_mib: before,
    rss_max_mib: rss,
    rss_anon_max_mib: rssAnon,
    verify_seconds: Number(verifySeconds.toFixed(1)),
  },
);

/** Entries of one log, and what a notary publishes over them. */
async function fill(): Promise<void> {
  const source = { deployment: DEPLOYMENT, topic: 'custody.events', topicId: 't-events', partition: 0 };
  const builder = createEntryBuilder(source, { day: -1, heads: [] });
  const tree = growRange();
  let last: SealedEntry | undefined;
  for (let from = 0; from < count; from += BATCH) {
    const entries: SealedEntry[] = [];
    for (let offset = from; offset < Math.min(count, from + BATCH); offset++) {
      const value = bodies[offset % bodies.length] ?? new Uint8Array();
      entries.push(
        ...builder.add({ key: 'acme', value, offset: BigInt(offset), appendTimeMs: START_MS + offset }),
      );
    }
    for (const entry of entries) tree.append(Buffer.from(entry.leaf, 'hex'));
    last = entries.at(-1);
    await store.append(entries);
  }
  if (last === undefined) throw new Error('no entries');
  const { publication } = composeCycle(emptyState(notaryKey.name, formatVerifierKey(notaryKey)), {
    deployment: DEPLOYMENT,
    timeMs: START_MS + count,
    advances: [
      {
        log: last.logId,
        signed: {
          ...{ topic: last.topic, leaf: last.leaf, offset: last.offset, appendTimeMs: last.appendTimeMs },
          range: { begin: 0n, end: tree.end, hashes: tree.hashes },
        },
        subtrees: [],
      },
    ],
    ...{ acts: [], key: notaryKey, nextKey: undefined, signedUpToMs: new Map() },
  }).next;
  if (publication !== undefined) await store.publish(publication);
}
