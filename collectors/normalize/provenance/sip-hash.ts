/** 128 bits as four little-endian 32-bit words, as the algorithm reads them. */
export type SipKey = readonly [number, number, number, number];

/** Key of the first 16 bytes. */
export function sipKey(bytes: Buffer): SipKey {
  return [bytes.readInt32LE(0), bytes.readInt32LE(4), bytes.readInt32LE(8), bytes.readInt32LE(12)];
}

// The two halves of the last hash: returning a pair would cost an object for each word of each result.
let high = 0;
let low = 0;

/** The first 32 of the 64 bits of SipHash-2-4 over these bytes, signed. */
export function sipHash32(key: SipKey, bytes: Uint8Array, start: number, end: number): number {
  sipHash(key, bytes, start, end);
  return high;
}

/** The first 52 bits of SipHash-2-4 as 13 hex digits: they fit a JavaScript number. */
export function sipHashHex52(key: SipKey, bytes: Uint8Array, start: number, end: number): string {
  sipHash(key, bytes, start, end);
  return ((high >>> 0) * 0x100000 + (low >>> 12)).toString(16).padStart(13, '0');
}

/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash for short inputs; who has no key can neither find a word by its hash
 * nor make two words collide. 64-bit words are pairs of 32-bit integers (BigInt is a hundred times slower); the rounds are
 * one loop, so that the state stays in registers.
 */
function sipHash([k0, k1, k2, k3]: SipKey, bytes: Uint8Array, start: number, end: number): void {
  let v0l = k0 ^ 0x70736575;
  let v0h = k1 ^ 0x736f6d65;
  let v1l = k2 ^ 0x6e646f6d;
  let v1h = k3 ^ 0x646f7261;
  let v2l = k0 ^ 0x6e657261;
  let v2h = k1 ^ 0x6c796765;
  let v3l = k2 ^ 0x79746573;
  let v3h = k3 ^ 0x74656462;
  const length = end - start;
  const blocks = length >>> 3;
  let at = start;
  // One block for each 8 bytes, one for the rest with the length, then the four rounds that finish.
  for (let step = 0; step <= blocks + 1; step++) {
    let ml = 0;
    let mh = 0;
    let rounds = 2;
    if (step < blocks) {
      ml =
        byteAt(bytes, at) |
        (byteAt(bytes, at + 1) << 8) |
        (byteAt(bytes, at + 2) << 16) |
        (byteAt(bytes, at + 3) << 24);
      mh =
        byteAt(bytes, at + 4) |
        (byteAt(bytes, at + 5) << 8) |
        (byteAt(bytes, at + 6) << 16) |
        (byteAt(bytes, at + 7) << 24);
      at += 8;
    } else if (step === blocks) {
      mh = length << 24;
      for (let shift = 0; at < end; at++, shift += 8) {
        if (shift < 32) ml |= byteAt(bytes, at) << shift;
        else mh |= byteAt(bytes, at) << (shift - 32);
      }
    } else {
      v2l ^= 0xff;
      rounds = 4;
    }
    v3l ^= ml;
    v3h ^= mh;
    for (let round = 0; round < rounds; round++) {
      let sum = (v0l >>> 0) + (v1l >>> 0);
      v0h = (v0h + v1h + (sum > 0xffffffff ? 1 : 0)) | 0;
      v0l = sum | 0;
      let turned = (v1l << 13) | (v1h >>> 19);
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h;
      v1l = turned ^ v0l;
      turned = v0l;
      v0l = v0h;
      v0h = turned;
      sum = (v2l >>> 0) + (v3l >>> 0);
      v2h = (v2h + v3h + (sum > 0xffffffff ? 1 : 0)) | 0;
      v2l = sum | 0;
      turned = (v3l << 16) | (v3h >>> 16);
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h;
      v3l = turned ^ v2l;
      sum = (v0l >>> 0) + (v3l >>> 0);
      v0h = (v0h + v3h + (sum > 0xffffffff ? 1 : 0)) | 0;
      v0l = sum | 0;
      turned = (v3l << 21) | (v3h >>> 11);
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
      v3l = turned ^ v0l;
      sum = (v2l >>> 0) + (v1l >>> 0);
      v2h = (v2h + v1h + (sum > 0xffffffff ? 1 : 0)) | 0;
      v2l = sum | 0;
      turned = (v1l << 17) | (v1h >>> 15);
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h;
      v1l = turned ^ v2l;
      turned = v2l;
      v2l = v2h;
      v2h = turned;
    }
    v0l ^= ml;
    v0h ^= mh;
  }
  high = v0h ^ v1h ^ v2h ^ v3h;
  low = v0l ^ v1l ^ v2l ^ v3l;
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}
