import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';
import type { BundleFiles } from '../../../evidence/bundle/files.ts';

/** The files as they are, in small pieces. */
export function filesOf(files: ReadonlyMap<string, Buffer>, chunkBytes = 1000): BundleFiles {
  return {
    files: [...files].map(([name, { length }]) => ({ name, bytes: length })),
    // eslint-disable-next-line @typescript-eslint/require-await -- the interface is asynchronous
    async *read(name) {
      const bytes = files.get(name)!;
      for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    },
  };
}

/** A zip as the writer of bundles makes it. */
export async function zipOf(files: ReadonlyMap<string, Buffer>): Promise<Buffer> {
  const zip = new ZipFile();
  const options = { mtime: new Date(1980, 0, 1), mode: 0o100644, forceDosTimestamp: true };
  for (const name of [...files.keys()].sort()) zip.addBuffer(files.get(name)!, name, options);
  zip.end();
  return buffer(zip.outputStream);
}

export function writeTree(root: string, files: ReadonlyMap<string, Buffer>): void {
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), bytes);
  }
}
