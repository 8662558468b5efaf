import { generateKeyPairSync } from 'node:crypto';
import { anchorOrigin } from '../evidence/anchor-log/entry.ts';
import { localTrust, type PinnedTrust } from '../evidence/anchor-log/pinned-keys.ts';
import { createEntryBuilder, type EntryBuilder, type SealedEntry } from '../evidence/entry-builder.ts';
import { growRange } from '../evidence/merkle/compact-range.ts';
import { formatVerifierKey, signingKey } from '../evidence/note/key.ts';
import { composeCycle } from '../notary/compose.ts';
import { emptyState } from '../notary/state.ts';
import type { Store } from '../sinks/store/store.ts';
import { sampleEvent } from '../test/support/sample-event.ts';

export const SOURCE = { deployment: 'bench', topic: 'custody.events', topicId: 't-events', partition: 0 };
const BATCH = 10_000;
const TIME_MS = 1_790_000_000_000;

export interface SignedStore {
  readonly builder: EntryBuilder;
  readonly trust: PinnedTrust;
  readonly bodyBytesMean: number;
}

/** Writes one log of `count` events with one checkpoint over all of it. */
export async function writeSignedStore(store: Store, count: number): Promise<SignedStore> {
  const builder = createEntryBuilder(SOURCE, { day: -1, heads: [] });
  const bodies = Array.from({ length: 5000 }, (_, number) => sampleEvent(number));
  const range = growRange();
  let last: SealedEntry | undefined;
  for (let from = 0; from < count; from += BATCH) {
    const entries: SealedEntry[] = [];
    for (let offset = from; offset < Math.min(count, from + BATCH); offset++) {
      const value = bodies[offset % bodies.length] ?? new Uint8Array();
      entries.push(...builder.add({ key: 'acme', value, offset: BigInt(offset), appendTimeMs: TIME_MS }));
    }
    for (const { leaf } of entries) range.append(Buffer.from(leaf, 'hex'));
    last = entries.at(-1);
    await store.append(entries);
  }
  if (last === undefined) throw new RangeError('nothing to sign');
  const origin = anchorOrigin(SOURCE.deployment);
  const key = signingKey(origin, 'log', generateKeyPairSync('ed25519').privateKey);
  const { begin, end, hashes } = range;
  const signed = { topic: SOURCE.topic, leaf: last.leaf, offset: last.offset, appendTimeMs: TIME_MS };
  const { next } = composeCycle(emptyState(origin, formatVerifierKey(key)), {
    ...{ deployment: SOURCE.deployment, timeMs: TIME_MS, acts: [], key, nextKey: undefined },
    advances: [{ log: last.logId, signed: { ...signed, range: { begin, end, hashes } }, subtrees: [] }],
    signedUpToMs: new Map(),
  });
  if (next.publication !== undefined) await store.publish(next.publication);
  const bodyBytesMean = Math.round(bodies.reduce((sum, body) => sum + body.length, 0) / bodies.length);
  return { builder, trust: localTrust(formatVerifierKey(key)), bodyBytesMean };
}
