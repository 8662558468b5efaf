/**
 * CityHash128 of version 1.0.2, the checksum of ClickHouse's compressed blocks. Later versions of CityHash give other
 * values. 64-bit words are BigInt kept in range by `asUintN`, which the compiler turns into machine arithmetic.
 */
const K0 = 0xc3a5c85c97cb3127n;
const K1 = 0xb492b66fbe98f273n;
const K2 = 0x9ae16a3b2f90404fn;
const K3 = 0xc949d7c7509e6557n;
const MUL = 0x9ddfea08eb382d69n;

const u64 = (value: bigint) => BigInt.asUintN(64, value);
const add = (a: bigint, b: bigint) => BigInt.asUintN(64, a + b);
const mul = (a: bigint, b: bigint) => BigInt.asUintN(64, a * b);
const rotate = (value: bigint, by: bigint) =>
  BigInt.asUintN(64, (value >> by) | BigInt.asUintN(64, value << (64n - by)));
const mix = (value: bigint) => value ^ (value >> 47n);

function fold(low: bigint, high: bigint): bigint {
  const a = mix(mul(low ^ high, MUL));
  return mul(mix(mul(high ^ a, MUL)), MUL);
}

type Pair = readonly [bigint, bigint];

/** Hash of at most 16 bytes. */
function small(bytes: Buffer): bigint {
  const length = bytes.length;
  if (length > 8) {
    const a = bytes.readBigUInt64LE(0);
    const b = bytes.readBigUInt64LE(length - 8);
    return fold(a, rotate(add(b, BigInt(length)), BigInt(length))) ^ b;
  }
  if (length >= 4) {
    const a = BigInt(bytes.readUInt32LE(0));
    return fold(add(BigInt(length), a << 3n), BigInt(bytes.readUInt32LE(length - 4)));
  }
  if (length > 0) {
    const y = BigInt(bytes.readUInt8(0) + (bytes.readUInt8(length >> 1) << 8));
    const z = BigInt(length + (bytes.readUInt8(length - 1) << 2));
    return mul(mix(mul(y, K2) ^ mul(z, K3)), K2);
  }
  return K2;
}

/** The form for fewer than 128 bytes. */
function short(bytes: Buffer, [seedLow, seedHigh]: Pair): Pair {
  const length = bytes.length;
  let a = seedLow;
  let b = seedHigh;
  let c: bigint;
  let d: bigint;
  if (length <= 16) {
    a = mul(mix(mul(a, K1)), K1);
    c = add(mul(b, K1), small(bytes));
    d = mix(add(a, length >= 8 ? bytes.readBigUInt64LE(0) : c));
  } else {
    c = fold(add(bytes.readBigUInt64LE(length - 8), K1), a);
    d = fold(add(b, BigInt(length)), add(c, bytes.readBigUInt64LE(length - 16)));
    a = add(a, d);
    for (let at = 0; at < length - 16; at += 16) {
      a = mul(a ^ mul(mix(mul(bytes.readBigUInt64LE(at), K1)), K1), K1);
      b ^= a;
      c = mul(c ^ mul(mix(mul(bytes.readBigUInt64LE(at + 8), K1)), K1), K1);
      d ^= c;
    }
  }
  a = fold(a, c);
  b = fold(d, b);
  return [a ^ b, fold(b, a)];
}

/** The form for 128 bytes and more: seven words of state, 64 bytes a round, the tail from the end in fours of 32. */
function long(bytes: Buffer, [seedLow, seedHigh]: Pair): Pair {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const word = (at: number) => view.getBigUint64(at, true);
  const length = bytes.length;
  let x = seedLow;
  let y = seedHigh;
  let z = mul(BigInt(length), K1);
  let v0 = add(mul(rotate(y ^ K1, 49n), K1), word(0));
  let v1 = add(mul(rotate(v0, 42n), K1), word(8));
  let w0 = add(mul(rotate(add(y, z), 35n), K1), x);
  let w1 = mul(rotate(add(x, word(88)), 53n), K1);
  const rounds = (length >> 7) * 2;
  let at = 0;
  for (let round = 0; round < rounds; round++) {
    x = mul(rotate(u64(x + y + v0 + word(at + 16)), 37n), K1) ^ w1;
    y = mul(rotate(u64(y + v1 + word(at + 48)), 42n), K1) ^ v0;
    z = rotate(z ^ w0, 33n);
    // v = weak(bytes at 0..32, seeds v1*K1 and x+w0)
    let p = u64(v1 * K1 + word(at));
    let q = rotate(u64(x + w0 + p + word(at + 24)), 21n);
    let r = u64(p + word(at + 8) + word(at + 16));
    v0 = add(r, word(at + 24));
    v1 = u64(q + rotate(r, 44n) + p);
    // w = weak(bytes at 32..64, seeds z+w1 and y)
    p = u64(z + w1 + word(at + 32));
    q = rotate(u64(y + p + word(at + 56)), 21n);
    r = u64(p + word(at + 40) + word(at + 48));
    w0 = add(r, word(at + 56));
    w1 = u64(q + rotate(r, 44n) + p);
    [z, x] = [x, z];
    at += 64;
  }
  y = u64(y + rotate(w0, 37n) * K0 + z);
  x = u64(x + rotate(add(v0, z), 49n) * K0);
  for (let done = 32; done - 32 < length - at; done += 32) {
    const tail = length - done;
    y = u64(rotate(u64(y - x), 42n) * K0 + v1);
    w0 = add(w0, word(tail + 16));
    x = u64(rotate(x, 49n) * K0 + w0);
    w0 = add(w0, v0);
    const p = add(v0, word(tail));
    const q = rotate(u64(v1 + p + word(tail + 24)), 21n);
    const r = u64(p + word(tail + 8) + word(tail + 16));
    v0 = add(r, word(tail + 24));
    v1 = u64(q + rotate(r, 44n) + p);
  }
  x = fold(x, v0);
  y = fold(y, w0);
  return [add(fold(add(x, v1), w1), y), fold(add(x, w1), add(y, v1))];
}

/** The checksum as ClickHouse writes it: low word, high word, both little-endian. */
export function cityHash128(bytes: Buffer): Buffer {
  const length = bytes.length;
  let seed: Pair = [K0, K1];
  let rest = bytes;
  if (length >= 16) {
    seed = [bytes.readBigUInt64LE(0) ^ K3, bytes.readBigUInt64LE(8)];
    rest = bytes.subarray(16);
  } else if (length >= 8) {
    seed = [bytes.readBigUInt64LE(0) ^ mul(BigInt(length), K0), bytes.readBigUInt64LE(length - 8) ^ K1];
    rest = bytes.subarray(0, 0);
  }
  const [low, high] = rest.length < 128 ? short(rest, seed) : long(rest, seed);
  const out = Buffer.alloc(16);
  out.writeBigUInt64LE(low, 0);
  out.writeBigUInt64LE(high, 8);
  return out;
}
