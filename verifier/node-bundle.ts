import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { type BundleFile, type BundleFiles, BundleReadError } from '../evidence/bundle/files.ts';
import { LIMITS } from '../evidence/bundle/format.ts';
import { InflateError, type InflateRaw, openZip } from '../evidence/bundle/zip.ts';

export interface OpenBundle extends BundleFiles {
  close(): Promise<void>;
}

const CHUNK_BYTES = 256 * 1024;
/** Folders of a bundle are three deep. */
const DEPTH_MAX = 8;

/** Opens a bundle: a zip, or a directory that one was unpacked into. Throws a BundleReadError for what is neither. */
export async function openBundle(path: string): Promise<OpenBundle> {
  const file = await open(path, 'r');
  try {
    const info = await file.stat();
    if (info.isDirectory()) {
      await file.close();
      return await openDirectory(path);
    }
    const read = async (offset: number, length: number): Promise<Uint8Array> => {
      const buffer = Buffer.allocUnsafe(length);
      for (let done = 0; done < length;) {
        const { bytesRead } = await file.read(buffer, done, length - done, offset + done);
        if (bytesRead === 0) throw new BundleReadError('LAYOUT', 'the file became shorter while it was read');
        done += bytesRead;
      }
      return buffer;
    };
    const bundle = await openZip({ bytes: info.size, read }, inflateRaw);
    return { ...bundle, close: () => file.close() };
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

const inflateRaw: InflateRaw = async function* (compressed, compressedBytes) {
  const inflate = createInflateRaw({ chunkSize: CHUNK_BYTES });
  const piped = pipeline(Readable.from(compressed, { objectMode: true }), inflate);
  // What fails comes out of the iteration below.
  piped.catch(() => undefined);
  try {
    for await (const chunk of inflate) yield chunk as Buffer;
    await piped;
  } catch (error) {
    if (isDamage(error)) throw new InflateError('damaged', { cause: error });
    throw error;
  } finally {
    inflate.destroy();
  }
  // Node passes over what follows the end of the data.
  if (inflate.bytesWritten !== compressedBytes) throw new InflateError('something follows the end');
};

const isDamage = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  typeof error.code === 'string' &&
  (error.code.startsWith('Z_') || error.code === 'ERR_STREAM_PREMATURE_CLOSE');

async function openDirectory(root: string): Promise<OpenBundle> {
  const files: BundleFile[] = [];
  await walk('', 0);

  async function walk(folder: string, depth: number): Promise<void> {
    if (depth > DEPTH_MAX) throw new BundleReadError('LAYOUT', 'its folders are too deep', folder);
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) await walk(name, depth + 1);
      else if (!entry.isFile()) throw new BundleReadError('LAYOUT', 'it is no plain file', name);
      else if (files.length >= LIMITS.files)
        throw new BundleReadError('TOO_LARGE', `more than ${LIMITS.files} files`);
      else files.push({ name, bytes: await sizeOf(name) });
    }
  }

  async function sizeOf(name: string): Promise<number> {
    const file = await open(join(root, name), 'r');
    try {
      return (await file.stat()).size;
    } finally {
      await file.close();
    }
  }

  return {
    files,
    async *read(name) {
      const file = await open(join(root, name), 'r');
      try {
        for await (const chunk of file.createReadStream({ highWaterMark: CHUNK_BYTES, autoClose: false }))
          yield chunk as Buffer;
      } finally {
        await file.close();
      }
    },
    close: () => Promise.resolve(),
  };
}
