import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bodyHash, entryPreimage, leafHash, ZERO_LINK } from '../../evidence/entry.ts';
import { createEntryBuilder } from '../../evidence/entry-builder.ts';
import { parseLogId } from '../../evidence/log-id.ts';
import { verifies } from '../requirements.ts';

interface Vector {
  readonly name: string;
  readonly source: {
    readonly deployment: string;
    readonly topic: string;
    readonly topic_id: string;
    readonly partition: number;
  };
  readonly records: readonly {
    readonly key: string;
    readonly value_hex: string;
    readonly offset: string;
    readonly append_time_ms: number;
  }[];
  readonly entries: readonly {
    readonly log: string;
    readonly seq: string;
    readonly tenant: string;
    readonly offset: string;
    readonly append_time_ms: number;
    readonly day: number;
    readonly kind: 'event' | 'malformed' | 'control';
    readonly prev: string;
    readonly body_hex: string;
    readonly body_sha256: string;
    readonly preimage: string;
    readonly leaf: string;
  }[];
}

// Made by an independent program (Python, hashlib); docs/spec/entry.md describes the fields.
const vectors = JSON.parse(
  readFileSync(new URL('../fixtures/vectors/entry-v1.json', import.meta.url), 'utf8'),
) as Vector[];

describe.each(vectors)('entry v1, vector "$name"', ({ source, records, entries }) => {
  it('comes out of the builder byte for byte', () => {
    verifies('P3');
    const { deployment, topic, partition } = source;
    const builder = createEntryBuilder(
      { deployment, topic, partition, topicId: source.topic_id },
      { day: -1, heads: [] },
    );
    const built = records.flatMap((record) =>
      builder.add({
        key: record.key,
        value: Buffer.from(record.value_hex, 'hex'),
        offset: BigInt(record.offset),
        appendTimeMs: record.append_time_ms,
      }),
    );
    expect(
      built.map((entry) => ({
        log: entry.logId,
        seq: String(entry.seq),
        tenant: entry.tenant,
        offset: String(entry.offset),
        append_time_ms: entry.appendTimeMs,
        day: entry.day,
        kind: entry.kind,
        prev: entry.prev,
        body_hex: Buffer.from(entry.body).toString('hex'),
        body_sha256: entry.bodySha,
        preimage: entryPreimage(entry, entry.prev, entry.bodySha),
        leaf: entry.leaf,
      })),
    ).toEqual(entries);
  });

  it('holds the hashes of its own preimages, each linked to the one before', () => {
    const heads = new Map<string, string>();
    for (const entry of entries) {
      expect(entry.prev).toBe(heads.get(entry.log) ?? ZERO_LINK);
      expect(bodyHash(Buffer.from(entry.body_hex, 'hex'))).toBe(entry.body_sha256);
      expect(leafHash(entry.preimage)).toBe(entry.leaf);
      expect(entry.preimage).toMatch(/^(?:[\x21-\x7e]+\n){8}$/);
      expect(parseLogId(entry.log)).toEqual({
        deployment: source.deployment,
        tenant: entry.tenant,
        topicId: source.topic_id,
        partition: source.partition,
        epoch: 0,
      });
      heads.set(entry.log, entry.leaf);
    }
  });
});

describe('entry v1 by hand', () => {
  it('can be computed with printf and sha256sum alone', () => {
    const [genesis, event] = vectors[0]?.entries ?? [];
    if (genesis === undefined || event === undefined) throw new Error('the first vector has two entries');
    const script = `
      body_sha=$(printf '%s' "$1" | sha256sum | cut -c1-64)
      printf '\\0mcp-audit/entry/v1\\n%s\\n%s\\n%s\\n%s\\n%s\\n%s\\n%s\\n' "$2" "$3" "$4" "$5" "$6" "$7" "$body_sha" |
        sha256sum | cut -c1-64`;
    const leaf = execFileSync('sh', [
      '-c',
      script,
      'sh',
      Buffer.from(event.body_hex, 'hex').toString(),
      event.log,
      event.seq,
      genesis.leaf,
      `custody.events/0/${event.offset}`,
      String(event.append_time_ms),
      event.kind,
    ]);
    expect(leaf.toString().trim()).toBe(event.leaf);
  });
});
