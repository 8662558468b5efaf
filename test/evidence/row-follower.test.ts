import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createEntryBuilder, type SealedEntry } from '../../evidence/entry-builder.ts';
import type { Finding } from '../../evidence/finding.ts';
import { createTreeHasher } from '../../evidence/merkle/tree-hasher.ts';
import { createLogVerifier } from '../../evidence/verify-log.ts';
import { createRowReader } from '../../sinks/store/row-binary.ts';
import { decodeStoredEntry } from '../../sinks/store/stored-entry.ts';
import { verifies } from '../requirements.ts';

const START_MS = 1_790_000_000_000;
const source = { deployment: 'test', topic: 'custody.events', topicId: 't-events', partition: 7 };

function entries(count: number, stepMs = 1): SealedEntry[] {
  const builder = createEntryBuilder(source, { day: -1, heads: [] });
  return Array.from({ length: count }, (_, place) => {
    const body = place % 5 === 4 ? 'not JSON' : `{"n":${place},"schema":"custody.event/v1","tenant":"acme"}`;
    const value = Buffer.from(body.padEnd(60 + (place % 7) * 30));
    return builder.add({
      key: 'acme',
      value,
      offset: BigInt(place * 3),
      appendTimeMs: START_MS + place * stepMs,
    });
  }).flat();
}

/** RowBinary of a row, as the engine writes it. */
function rowOf(entry: SealedEntry): Buffer {
  const text = (value: Uint8Array | string) => {
    const bytes = Buffer.from(value as string);
    const length =
      bytes.length < 128 ? [bytes.length] : [(bytes.length % 128) + 128, Math.floor(bytes.length / 128)];
    return Buffer.concat([Buffer.from(length), bytes]);
  };
  const uint = (value: bigint, size: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return bytes.subarray(0, size);
  };
  return Buffer.concat([
    text(entry.logId),
    text(entry.tenant),
    uint(BigInt(entry.partition), 4),
    uint(entry.seq, 8),
    text(entry.topic),
    uint(entry.offset, 8),
    uint(BigInt(entry.appendTimeMs), 8),
    uint(BigInt(entry.day), 2),
    text(entry.kind),
    ...[entry.prev, entry.bodySha, entry.leaf].map((hash) => Buffer.from(hash, 'hex')),
    text(entry.body),
  ]);
}

/** Everything a verification says of these bytes, cut into chunks; with the follower or without. */
function verified(bytes: Buffer, of: readonly SealedEntry[], follows: boolean, chunkBytes = 1000) {
  const tree = createTreeHasher();
  for (const { leaf } of of) tree.append(Buffer.from(leaf, 'hex'));
  const last = of.at(-1)!;
  const findings: Finding[] = [];
  const head = { seq: last.seq, leaf: last.leaf, root: Buffer.from(tree.root()).toString('hex') };
  const verifier = createLogVerifier({
    expected: new Map([[last.logId, [head]]]),
    window: false,
    onFinding: (finding) => void findings.push(finding),
  });
  let pushed = 0;
  const reader = createRowReader(decodeStoredEntry, follows ? verifier.follow : undefined);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    for (const row of reader.push(bytes.subarray(at, at + chunkBytes))) {
      pushed += 1;
      verifier.push(row);
    }
  }
  verifier.finish();
  const { entryCount, duplicateCount, logs, rootedSizes } = verifier;
  return { findings, entryCount, duplicateCount, logs: [...logs], roots: [...rootedSizes], pushed };
}

test('takes nearly every row of a log that is right, whatever the chunks, and finds its root', () => {
  const written = entries(500);
  const bytes = Buffer.concat(written.map(rowOf));
  for (const chunkBytes of [64, 333, 1000, 65_536]) {
    const followed = verified(bytes, written, true, chunkBytes);
    expect(followed).toMatchObject({ findings: [], entryCount: 501, roots: [[written[0]!.logId, 501n]] });
    expect({ ...followed, pushed: 501 }).toEqual(verified(bytes, written, false, chunkBytes));
  }
  // Kinds alternate here, and each change goes the long way.
  expect(verified(bytes, written, true, 65_536).pushed).toBeLessThan(250);
});

test('a change of the day goes the long way, and is judged there', () => {
  const written = entries(60, 3_600_000);
  const bytes = Buffer.concat(written.map(rowOf));
  expect(verified(bytes, written, true)).toMatchObject({ findings: [], entryCount: 61 });
});

test('whatever byte is changed, it says the same as the verifier that decodes every row', () => {
  verifies('P4', 'P10');
  const written = entries(40);
  const rows = written.map(rowOf);
  const bytes = Buffer.concat(rows);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ mask;
      let plain: ReturnType<typeof verified>;
      try {
        plain = verified(changed, written, false);
      } catch (error) {
        // A length that is now beyond all bounds: both refuse it.
        expect(() => verified(changed, written, true)).toThrow((error as Error).message);
        return;
      }
      expect({ ...verified(changed, written, true), pushed: 0 }).toEqual({ ...plain, pushed: 0 });
    }),
    { numRuns: 400 },
  );
});

test('rows left out, doubled or swapped are named as by the verifier that decodes every row', () => {
  verifies('P4');
  const written = entries(40);
  const rows = written.map(rowOf);
  fc.assert(
    fc.property(
      fc.array(fc.nat(40), { minLength: 1, maxLength: 3 }),
      fc.constantFrom('drop', 'double', 'swap'),
      (places, how) => {
        const edited = [...rows];
        for (const place of places) {
          const row = edited[place] ?? rows[0]!;
          if (how === 'drop') edited.splice(place, 1);
          else if (how === 'double') edited.splice(place, 0, row);
          else [edited[place], edited[place + 1]] = [edited[place + 1] ?? row, row];
        }
        const bytes = Buffer.concat(edited);
        const plain = verified(bytes, written, false);
        expect({ ...verified(bytes, written, true), pushed: 0 }).toEqual({ ...plain, pushed: 0 });
      },
    ),
    { numRuns: 200 },
  );
});
