import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { unwritable, type StagedFile, type Staging } from './staging.ts';

/**
 * One time for every file, shortly after the first a zip can name. Its fields are in local time, so it is made of local
 * parts: the bytes are the same in every time zone.
 */
const fixedOptions = () => ({
  mtime: new Date(1980, 1, 1, 0, 0, 0),
  mode: 0o100644,
  compressionLevel: 6,
  forceDosTimestamp: true,
});

/**
 * Writes the staged files as a zip: names in order, one time for all, no extra fields, plain permissions, one level of
 * compression. The same files give the same bytes, with one version of zlib. Calls back with the bytes read so far.
 */
export async function writeZip(
  staging: Staging,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<StagedFile> {
  const zip = new ZipFile();
  const sha256 = createHash('sha256');
  let bytes = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sha256.update(chunk);
      bytes += chunk.length;
      onBytes(bytes);
      done(null, chunk);
    },
  });
  const failed = new AbortController();
  zip.on('error', (error) => failed.abort(error));
  const options = fixedOptions();
  for (const name of [...staging.files.keys()].sort()) zip.addFile(staging.pathOf(name), name, options);
  zip.end();
  try {
    await pipeline(zip.outputStream, counted, createWriteStream(staging.zipPath, { mode: 0o600 }), {
      signal: AbortSignal.any([signal, failed.signal]),
    });
    const handle = await open(staging.zipPath, 'r+');
    await handle.sync().finally(() => handle.close());
  } catch (cause) {
    signal.throwIfAborted();
    unwritable(failed.signal.aborted ? failed.signal.reason : cause);
  }
  return { sha256: sha256.digest('hex'), bytes };
}
