import { cityHash128 } from './cityhash128.ts';
import { refusals } from './exceptions.ts';

/*
 * ClickHouse's compressed block, all numbers little-endian:
 *   checksum  16  CityHash128 (1.0.2) of everything after it
 *   method     1  0x02 none, 0x82 LZ4, 0x90 ZSTD
 *   size       4  of the block without the checksum: 9 + data
 *   raw size   4  of the data uncompressed
 *   data
 */
const CHECKSUM_BYTES = 16;
const HEADER_BYTES = 9;
const METHOD_NONE = 0x02;
const METHOD_LZ4 = 0x82;

/**
 * One block of method "none": valid for a client that asked for any method, and the peer is on this machine. The
 * bytes must be fewer than 1 GiB.
 */
export function encodeBlock(data: Uint8Array): Buffer {
  const block = Buffer.allocUnsafe(CHECKSUM_BYTES + HEADER_BYTES + data.length);
  block.writeUInt8(METHOD_NONE, CHECKSUM_BYTES);
  block.writeUInt32LE(HEADER_BYTES + data.length, CHECKSUM_BYTES + 1);
  block.writeUInt32LE(data.length, CHECKSUM_BYTES + 5);
  block.set(data, CHECKSUM_BYTES + HEADER_BYTES);
  cityHash128(block.subarray(CHECKSUM_BYTES)).copy(block, 0);
  return block;
}

/**
 * Reads a request body of compressed blocks. Reads attacker-controlled bytes: never allocates more than `maxBytes`.
 * @throws SqlException CANNOT_DECOMPRESS or QUERY_IS_TOO_LARGE
 */
export function decodeBlocks(bytes: Buffer, maxBytes: number): Buffer {
  const parts: Buffer[] = [];
  let total = 0;
  for (let at = 0; at < bytes.length;) {
    const head = at + CHECKSUM_BYTES;
    if (bytes.length < head + HEADER_BYTES) throw refusals.cannotDecompress('Cannot decompress: cut off.');
    const method = bytes.readUInt8(head);
    const size = bytes.readUInt32LE(head + 1);
    const rawSize = bytes.readUInt32LE(head + 5);
    if (size < HEADER_BYTES || head + size > bytes.length) {
      throw refusals.cannotDecompress('Cannot decompress: the block size does not fit the body.');
    }
    total += rawSize;
    if (total > maxBytes) throw refusals.tooLarge(`Query is larger than ${maxBytes} bytes.`);
    if (!cityHash128(bytes.subarray(head, head + size)).equals(bytes.subarray(at, head))) {
      throw refusals.cannotDecompress('Cannot decompress: the checksum does not match.');
    }
    const data = bytes.subarray(head + HEADER_BYTES, head + size);
    if (method === METHOD_LZ4) parts.push(decodeLz4(data, rawSize));
    else if (method === METHOD_NONE && data.length === rawSize) parts.push(data);
    else
      throw refusals.cannotDecompress('Cannot decompress: only LZ4 and uncompressed blocks are read here.');
    at = head + size;
  }
  return Buffer.concat(parts);
}

/**
 * LZ4 block format: sequences of a token (high half literal length, low half match length - 4, 15 = more length bytes
 * follow), literals, and a two-byte offset back into the output. The last sequence ends after its literals.
 */
function decodeLz4(source: Buffer, rawSize: number): Buffer {
  const broken = () => refusals.cannotDecompress('Cannot decompress: broken LZ4 data.');
  const out = Buffer.alloc(rawSize);
  let from = 0;
  let to = 0;
  const length = (half: number) => {
    let sum = half;
    if (half < 15) return sum;
    for (;;) {
      const more = source[from++];
      if (more === undefined) throw broken();
      sum += more;
      if (more < 255) return sum;
    }
  };
  while (from < source.length) {
    const token = source[from++] ?? 0;
    const literals = length(token >> 4);
    if (from + literals > source.length || to + literals > rawSize) throw broken();
    source.copy(out, to, from, from + literals);
    from += literals;
    to += literals;
    if (from === source.length) break;
    if (from + 2 > source.length) throw broken();
    const offset = source.readUInt16LE(from);
    from += 2;
    const match = length(token & 15) + 4;
    if (offset === 0 || offset > to || to + match > rawSize) throw broken();
    // Byte by byte: a match may overlap what it writes.
    for (let end = to + match; to < end; to++) out[to] = out[to - offset] ?? 0;
  }
  if (to !== rawSize) throw broken();
  return out;
}
