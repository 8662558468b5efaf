import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/**
 * A tap's records on disk until the collector has them: a directory of numbered NDJSON segments, each line one
 * redacted canonical event.
 *
 *   <data dir>/spool/<instance>/owner.json      the process that writes (spool-owner.ts)
 *   <data dir>/spool/<instance>/000001.ndjson   segments, oldest first; removed when the collector has them
 *   <data dir>/spool/<instance>/sent            "<segment> <offset>\n": the collector has everything before
 *
 * All calls are synchronous: the recorder has its own thread and the order of writes must not depend on a scheduler.
 */
export interface Spool {
  readonly directory: string;
  /** Resolves the fate of each line at once: `written` lines are on disk (fsync), `lost` ones are not. */
  append(
    lines: readonly Uint8Array[],
    options?: { readonly useReserve: boolean },
  ): { readonly written: number; readonly lost: number; readonly reason?: LossReason };
  /** The oldest unsent lines, whole, at most about `maxBytes` and at least one; `undefined` if all is sent. */
  next(maxBytes: number): SpoolBatch | undefined;
  /** The collector has the batch that `next` gave last. */
  commit(batch: SpoolBatch): void;
  /** Ends writing; removes the directory if everything is sent. */
  close(): void;
}

export interface SpoolBatch {
  readonly bytes: Uint8Array;
  readonly end: Position;
}

export type LossReason = 'spool_full' | 'disk_full' | 'disk_error';

interface Position {
  readonly segment: number;
  readonly offset: number;
}

export interface SpoolOptions {
  readonly directory: string;
  /** Of all segments together; the last `reserveBytes` of it are kept for records of a loss. */
  readonly maxBytes: number;
  readonly reserveBytes: number;
  readonly segmentMaxBytes: number;
}

const NEWLINE = Buffer.from('\n');
const segmentName = (segment: number) => `${String(segment).padStart(6, '0')}.ndjson`;

/** Opens or creates a spool directory (0700, files 0600). Throws the file system's error. */
export function openSpool(options: SpoolOptions): Spool {
  const { directory } = options;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const sizes = new Map<number, number>(segmentsIn(directory));
  let sent = readSent(directory, sizes);
  let writer: { readonly fd: number; readonly segment: number } | undefined;
  let sentFd: number | undefined;

  const path = (segment: number) => join(directory, segmentName(segment));
  const totalBytes = () => [...sizes.values()].reduce((sum, size) => sum + size, 0);

  const segmentForWriting = () => {
    if (writer !== undefined && (sizes.get(writer.segment) ?? 0) < options.segmentMaxBytes) return writer;
    if (writer !== undefined) closeSync(writer.fd);
    writer = undefined;
    const segment = Math.max(0, sent.segment - 1, ...sizes.keys()) + 1;
    writer = { fd: openSync(path(segment), 'ax', 0o600), segment };
    sizes.set(segment, 0);
    return writer;
  };

  const write = (bytes: Uint8Array) => {
    const { fd, segment } = segmentForWriting();
    const before = sizes.get(segment) ?? 0;
    try {
      let done = 0;
      while (done < bytes.length) done += writeSync(fd, bytes, done);
      fsyncSync(fd);
      sizes.set(segment, before + bytes.length);
    } catch (error) {
      withoutTornLine(fd, before);
      throw error;
    }
  };

  /** No half line may stay between this batch and the next; if it cannot be cut off, the segment ends here. */
  const withoutTornLine = (fd: number, size: number) => {
    try {
      ftruncateSync(fd, size);
    } catch {
      closeSync(fd);
      writer = undefined;
    }
  };

  const remove = (segment: number) => {
    if (writer?.segment === segment) {
      closeSync(writer.fd);
      writer = undefined;
    }
    sizes.delete(segment);
    unlinkSync(path(segment));
  };

  const moveTo = (position: Position) => {
    sent = position;
    sentFd ??= openSync(join(directory, 'sent'), 'w', 0o600);
    writeSync(
      sentFd,
      `${String(position.segment).padStart(6, '0')} ${String(position.offset).padStart(16, '0')}\n`,
      0,
    );
  };

  /** Drops segments the collector has; the one being written only when it is full or its end is reached. */
  const reclaim = () => {
    for (const [segment, size] of [...sizes].sort(([a], [b]) => a - b)) {
      const isSent = segment < sent.segment || (segment === sent.segment && sent.offset >= size);
      if (!isSent) return;
      if (writer?.segment === segment && size < options.segmentMaxBytes / 2) return;
      if (segment === sent.segment) moveTo({ segment: segment + 1, offset: 0 });
      remove(segment);
    }
  };

  return {
    directory,
    append(lines, { useReserve } = { useReserve: false }) {
      let written: number;
      try {
        const bound = options.maxBytes - (useReserve ? 0 : options.reserveBytes);
        let room = bound - totalBytes();
        const fitting: Uint8Array[] = [];
        for (const line of lines) {
          room -= line.length + 1;
          if (room < 0) break;
          fitting.push(line, NEWLINE);
        }
        if (fitting.length > 0) write(Buffer.concat(fitting));
        written = fitting.length / 2;
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : undefined;
        const reason = code === 'ENOSPC' || code === 'EDQUOT' ? 'disk_full' : 'disk_error';
        return { written: 0, lost: lines.length, reason };
      }
      const lost = lines.length - written;
      return lost === 0 ? { written, lost } : { written, lost, reason: 'spool_full' };
    },
    next(maxBytes) {
      for (const [segment, size] of [...sizes].sort(([a], [b]) => a - b)) {
        const from = segment === sent.segment ? sent.offset : 0;
        if (segment < sent.segment || from >= size) continue;
        const bytes = readLines(path(segment), from, Math.min(maxBytes, size - from), size);
        if (bytes.length > 0) return { bytes, end: { segment, offset: from + bytes.length } };
        // A torn last line of a tap that died: it was never whole, nothing can be sent of it.
        sizes.set(segment, from);
      }
      return undefined;
    },
    commit(batch) {
      moveTo(batch.end);
      reclaim();
    },
    close() {
      const isSent = this.next(1) === undefined;
      if (writer !== undefined) closeSync(writer.fd);
      if (sentFd !== undefined) closeSync(sentFd);
      writer = undefined;
      sentFd = undefined;
      if (isSent) rmSync(directory, { recursive: true, force: true });
    },
  };
}

function* segmentsIn(directory: string): Generator<[number, number]> {
  for (const name of readdirSync(directory)) {
    const number = /^(\d{6,})\.ndjson$/.exec(name)?.[1];
    if (number !== undefined) yield [Number(number), statSync(join(directory, name)).size];
  }
}

/** A position that fits the segments; anything else means "send all": twice is better than never. */
function readSent(directory: string, sizes: ReadonlyMap<number, number>): Position {
  const first = Math.min(...sizes.keys(), Number.MAX_SAFE_INTEGER);
  const start = { segment: sizes.size === 0 ? 1 : first, offset: 0 };
  let text: string;
  try {
    text = readFileSync(join(directory, 'sent'), 'utf8');
  } catch {
    return start;
  }
  const match = /^(\d{6,}) (\d{16})\n$/.exec(text);
  const position = { segment: Number(match?.[1] ?? 0), offset: Number(match?.[2] ?? 0) };
  const size = sizes.get(position.segment);
  return size === undefined || position.offset > size ? start : position;
}

/** Whole lines from `from`; reads on past `wanted` only when not even one line ends within it. */
function readLines(path: string, from: number, wanted: number, size: number): Uint8Array {
  const fd = openSync(path, 'r');
  try {
    const end = Math.min(size, fstatSync(fd).size);
    for (let length = wanted; ; length *= 4) {
      const bytes = Buffer.alloc(Math.max(0, Math.min(length, end - from)));
      const read = readSync(fd, bytes, 0, bytes.length, from);
      const lastNewline = bytes.subarray(0, read).lastIndexOf(0x0a);
      if (lastNewline !== -1) return bytes.subarray(0, lastNewline + 1);
      if (read < bytes.length || from + length >= end) return bytes.subarray(0, 0);
    }
  } finally {
    closeSync(fd);
  }
}
