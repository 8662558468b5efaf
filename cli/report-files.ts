import {
  type BigIntStats,
  closeSync,
  createWriteStream,
  openSync,
  realpathSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ConfigError } from '../runtime/errors.ts';

/** A file an option names. */
export interface NamedFile {
  /** `--out` */
  readonly option: string;
  readonly file: string | undefined;
}

/**
 * Makes sure, before a long run, that its results can be written at the end and overwrite nothing the run reads. What is in
 * the files stays; one that is not there yet is not made.
 * @throws ConfigError naming the file.
 */
export function checkReportFiles(outputs: readonly NamedFile[], inputs: readonly NamedFile[]): void {
  const taken: NamedFile[] = [...inputs];
  for (const { option, file } of outputs) {
    if (file === undefined) continue;
    const same = taken.find((other) => other.file !== undefined && isSame(other.file, file));
    if (same !== undefined)
      throw new ConfigError(`cannot write ${file}: ${option} and ${same.option} name the same file`, {
        path: option,
      });
    tryToWrite(file, option);
    taken.push({ option, file });
  }
}

/** @throws ConfigError naming the file. */
export async function writeReportFile(file: string, text: Iterable<string>, option: string): Promise<void> {
  try {
    await pipeline(Readable.from(text), createWriteStream(file));
  } catch (cause) {
    throw cannotWrite(file, option, cause);
  }
}

function tryToWrite(file: string, option: string): void {
  try {
    const known = statSync(file, { throwIfNoEntry: false });
    // Opening a pipe waits for its reader, and closing it again would end what is read.
    if (known !== undefined && !known.isFile() && !known.isDirectory()) return;
    closeSync(openSync(file, 'a'));
    if (known === undefined) unlinkSync(realpathSync(file));
  } catch (cause) {
    throw cannotWrite(file, option, cause);
  }
}

function cannotWrite(file: string, option: string, cause: unknown): ConfigError {
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
  return new ConfigError(`cannot write ${file}: ${reason}`, { path: option, cause });
}

/** The same path, or the same file under another name; devices and pipes hold nothing that could be overwritten. */
function isSame(a: string, b: string): boolean {
  const [one, other] = [factsOf(a), factsOf(b)];
  if (one === undefined || other === undefined) return one === other && placeOf(a) === placeOf(b);
  return one.isFile() && one.dev === other.dev && one.ino === other.ino;
}

function factsOf(file: string): BigIntStats | undefined {
  try {
    return statSync(file, { bigint: true });
  } catch {
    return undefined;
  }
}

/** Without links, as far as the path exists. */
function placeOf(file: string): string {
  const path = resolve(file);
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}
