import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cityHash128 } from '../../../sinks/store/sql-endpoint/cityhash128.ts';
import { decodeBlocks, encodeBlock } from '../../../sinks/store/sql-endpoint/compressed-blocks.ts';

/** Bytes i * 131 + length * 7; the hashes were computed with the CityHash library of the Go driver. */
const pattern = (length: number) =>
  Buffer.from(Array.from({ length }, (_, i) => (i * 131 + length * 7) & 255));
const vectors: [number, string][] = [
  [0, '2b9ac064fc9df03d291ee592c340b53c'],
  [3, 'fd4c46e1aa457d8f1c5ca56308628cee'],
  [7, 'cbe1b1fb12add66abddced883cf09a4b'],
  [8, '3f018e8e916edecc176ab2ee67ef4044'],
  [15, '27021f502eec49bb9f4afcd01164767d'],
  [16, '632ba1a6983d7b4388ae1fac9c28034d'],
  [20, '76d4df2fc653ec65c4fa7340b564d3de'],
  [32, '5c03b2425a74e10c467d7e5f93347f32'],
  [100, 'c0b161775c1aabbc12ad5ce7271a0020'],
  [143, '981b822f3c335f6bc7c64858525edbf9'],
  [144, '3e460230164751800580bec3d1338594'],
  [160, 'e5e32f48f09f6623351239ff4e7e7eb5'],
  [255, 'd20cde100040e93b5d871460f6be9c7e'],
  [300, '8c4ebcd34c4dcfd6b1b96929a5981663'],
  [1000, '79adc8b5754a1001e11b4b3fe93674c4'],
  [4096, '98389e4f73c3461bcd63eb06979b8b1c'],
];

describe('CityHash128 1.0.2', () => {
  it.each(vectors)('of %i bytes is what ClickHouse computes', (length, expected) => {
    expect(cityHash128(pattern(length)).toString('hex')).toBe(expected);
  });
});

describe('compressed blocks', () => {
  it('come back as they went in', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 500 }), { maxLength: 4 }), (parts) => {
        const blocks = Buffer.concat(parts.map((part) => encodeBlock(part)));
        expect(decodeBlocks(blocks, 10_000)).toEqual(Buffer.concat(parts));
      }),
    );
  });

  it('are refused when any bit is wrong', () => {
    const block = encodeBlock(Buffer.from('SELECT 1'));
    fc.assert(
      fc.property(fc.nat(block.length * 8 - 1), (bit) => {
        const broken = Buffer.from(block);
        broken.writeUInt8(broken.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        expect(() => decodeBlocks(broken, 10_000)).toThrow();
      }),
    );
  });

  /** A block with a valid checksum around any data. */
  const block = (method: number, data: Buffer, rawSize: number) => {
    const body = Buffer.alloc(9 + data.length);
    body.writeUInt8(method, 0);
    body.writeUInt32LE(9 + data.length, 1);
    body.writeUInt32LE(rawSize, 5);
    data.copy(body, 9);
    return Buffer.concat([cityHash128(body), body]);
  };

  it('are read when LZ4-compressed, overlapping matches included', () => {
    // 1 literal 'a', a match of 11 at offset 1, then 5 literals.
    const lz4 = Buffer.from([0x17, 0x61, 0x01, 0x00, 0x50, ...Buffer.from('bcdef')]);
    expect(decodeBlocks(block(0x82, lz4, 17), 100).toString()).toBe(`${'a'.repeat(12)}bcdef`);
  });

  it('never crash, hang or grow past the bound on LZ4 data made to do so', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(2000), (data, rawSize) => {
        try {
          expect(decodeBlocks(block(0x82, Buffer.from(data), rawSize), 1000).length).toBe(rawSize);
        } catch (error) {
          expect(error).toMatchObject({ name: 'SqlException' });
        }
      }),
    );
  });

  it('are refused before any memory is taken when they claim to be large', () => {
    expect(() => decodeBlocks(block(0x82, Buffer.alloc(4), 0xffff_ffff), 1000)).toThrow(
      /larger than 1000 bytes/,
    );
  });
});
