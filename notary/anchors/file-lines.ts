import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { IntegrityError, PermanentError } from '../../runtime/errors.ts';
import { LINE_MAX_BYTES, parseCheckpointLine } from './checkpoint-line.ts';
import type { Held } from './held.ts';

/** What was read of an append-only file of checkpoints, so that the next look reads only what is new. */
export interface FileLines {
  /**
   * Reads on to the end. Throws an IntegrityError when what was read before is not there any more, or when a line is none
   * of ours; the system's error when the file cannot be read. A file that is not there has no lines.
   */
  catchUp(): Promise<void>;
  /** The largest checkpoint of the log. */
  largest(origin: string): Held | undefined;
  readonly isThere: boolean;
  /** Whether the file ends in the middle of a line. */
  readonly isTorn: boolean;
}

const CHUNK_BYTES = 256 * 1024;
/** One deployment writes one; a few may share a file. */
const ORIGINS_MAX = 1024;

/** @param onTorn called for each line that a crash cut off: nobody was told that it was there. */
export function fileLines(path: string, onTorn: () => void): FileLines {
  const heads = new Map<string, Held>();
  /** Up to the end of the last whole line. */
  let readBytes = 0;
  let lastLine = Buffer.of();
  let isThere = false;
  let isTorn = false;
  /** A line that is none of ours stays so, also when the lines behind it are looked at next. */
  let broken: IntegrityError | undefined;

  function take(line: Buffer): void {
    const parsed = parseCheckpointLine(line.toString('utf8'));
    if ('fault' in parsed) {
      if (parsed.fault === 'torn') onTorn();
      else throw new IntegrityError(`cannot use ${path}: a line before byte ${readBytes} is no checkpoint`);
      return;
    }
    const { origin, held } = parsed;
    if (heads.size === ORIGINS_MAX && !heads.has(origin))
      throw new IntegrityError(`cannot use ${path}: it has checkpoints of too many logs`);
    const before = heads.get(origin);
    if (before === undefined || before.size < held.size) heads.set(origin, held);
    else if (before.size === held.size && Buffer.compare(before.root, held.root) !== 0)
      throw new IntegrityError(`cannot use ${path}: it has two trees of size ${held.size} of ${origin}`);
  }

  async function readOn(file: FileHandle): Promise<void> {
    if (!(await file.stat()).isFile())
      throw new PermanentError('rejected', `cannot use ${path}: it is no regular file`);
    await refuseOther(file);
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let rest = Buffer.of();
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, readBytes + rest.length);
      if (bytesRead === 0) break;
      rest = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      let from = 0;
      for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a, from)) {
        lastLine = Buffer.from(rest.subarray(from, end + 1));
        readBytes += lastLine.length;
        try {
          take(rest.subarray(from, end));
        } catch (error) {
          if (error instanceof IntegrityError) broken = error;
          throw error;
        }
        from = end + 1;
      }
      rest = rest.subarray(from);
      if (rest.length > LINE_MAX_BYTES)
        throw new IntegrityError(`cannot use ${path}: after byte ${readBytes} it has no lines`);
    }
    isTorn = rest.length > 0;
  }

  async function refuseOther(file: FileHandle): Promise<void> {
    const there = Buffer.alloc(lastLine.length);
    const { bytesRead } = await file.read(there, 0, there.length, readBytes - lastLine.length);
    if (bytesRead !== there.length || !there.equals(lastLine))
      throw new IntegrityError(`cannot use ${path}: what was written to it is not there any more`);
  }

  return {
    async catchUp() {
      if (broken !== undefined) throw broken;
      let file: FileHandle;
      try {
        file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
        isThere = false;
        if (readBytes === 0) return;
        throw new IntegrityError(`cannot use ${path}: it has gone`, { cause });
      }
      isThere = true;
      try {
        await readOn(file);
      } finally {
        await file.close();
      }
    },
    largest: (origin) => heads.get(origin),
    get isThere() {
      return isThere;
    },
    get isTorn() {
      return isTorn;
    },
  };
}
