import { crc32 } from './crc32.ts';
import { type BundleFiles, BundleReadError } from './files.ts';
import { type RandomAccess, readZipDirectory, type ZipEntry } from './zip-directory.ts';

/**
 * Inflates raw deflate data. Throws an InflateError when the data is damaged, ends early or goes on after its end; what
 * it yields may be more than anybody asked for, so it must yield as it goes.
 */
export type InflateRaw = (
  compressed: AsyncIterable<Uint8Array>,
  compressedBytes: number,
) => AsyncIterable<Uint8Array>;

const CHUNK_BYTES = 256 * 1024;
/** A zip that unpacks to more than this many times its size is a bomb; entries, half of them hashes, stay below 10. */
const RATIO_MAX = 200;
const RATIO_FREE_BYTES = 64 * 1024 * 1024;
const TOTAL_BYTES_MAX = 256 * 1024 ** 3;

/** The files of a zip, checked and bounded while they are read. Throws a BundleReadError for a zip that is no bundle. */
export async function openZip(source: RandomAccess, inflateRaw: InflateRaw): Promise<BundleFiles> {
  const entries = new Map<string, ZipEntry>();
  for (const entry of await readZipDirectory(source)) {
    if (entries.has(entry.name)) throw new BundleReadError('LAYOUT', 'two files have one name', entry.name);
    entries.set(entry.name, entry);
  }
  const total = [...entries.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  if (total > TOTAL_BYTES_MAX || total > source.bytes * RATIO_MAX + RATIO_FREE_BYTES)
    throw new BundleReadError('TOO_LARGE', `as a zip: it unpacks to ${total} bytes`);

  async function* raw({ dataOffset, compressedBytes }: ZipEntry): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < compressedBytes; at += CHUNK_BYTES)
      yield await source.read(dataOffset + at, Math.min(CHUNK_BYTES, compressedBytes - at));
  }

  return {
    files: [...entries.values()].map(({ name, bytes }) => ({ name, bytes })),
    async *read(name) {
      const entry = entries.get(name);
      if (entry === undefined) throw new RangeError(`no file ${name}`);
      let length = 0;
      let crc = 0;
      const unpacked =
        entry.method === 'stored'
          ? raw(entry)
          : damageOf(name, inflateRaw(raw(entry), entry.compressedBytes));
      for await (const chunk of unpacked) {
        length += chunk.length;
        if (length > entry.bytes)
          throw new BundleReadError('LAYOUT', 'as a zip: it unpacks to more than it says', name);
        crc = crc32(chunk, crc);
        yield chunk;
      }
      if (length !== entry.bytes || crc !== entry.crc32)
        throw new BundleReadError('LAYOUT', 'as a zip: its content is not what its header says', name);
    },
  };
}

/** Data that cannot be inflated is the bundle's fault, not the disk's: the bytes were read. */
export class InflateError extends Error {}

async function* damageOf(name: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    if (!(error instanceof InflateError)) throw error;
    throw new BundleReadError('LAYOUT', 'as a zip: its compressed data is damaged', name);
  }
}
