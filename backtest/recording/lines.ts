import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { InputError } from '../../runtime/errors.ts';

/** A line of a recording, from 1. */
export interface RecordingLine {
  readonly number: number;
  readonly bytes: Buffer;
}

/** A longer line is no record anybody means. */
export const LINE_MAX_BYTES = 16 * 1024 * 1024;
/** Why a line was left out. */
export const TOO_LONG = `is longer than ${LINE_MAX_BYTES} bytes`;
const LF = 0x0a;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Lines of a file, plain or gzip (told by its first bytes), empty ones left out. Memory is bounded by one line: one that is
 * too long is left out and told to `onTooLong`.
 * @throws InputError when the file cannot be read or unpacked, and at a line that is too long where nobody is to be told.
 */
export async function* recordingLines(
  file: string,
  onTooLong: (line: number) => void = (line) => refuse(file, line),
): AsyncGenerator<RecordingLine> {
  let number = 1;
  let held: Buffer[] = [];
  let heldBytes = 0;

  function take(part: Buffer): void {
    heldBytes += part.length;
    if (heldBytes > LINE_MAX_BYTES) held = [];
    else if (part.length > 0) held.push(part);
  }
  function* finish(): Generator<RecordingLine> {
    if (heldBytes > LINE_MAX_BYTES) onTooLong(number);
    else {
      const [only] = held;
      const whole = only !== undefined && held.length === 1 ? only : Buffer.concat(held);
      const bytes = number === 1 ? withoutMark(whole) : whole;
      if (!isBlank(bytes)) yield { number, bytes };
    }
    held = [];
    heldBytes = 0;
    number += 1;
  }

  for await (const chunk of chunksOf(file)) {
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      take(chunk.subarray(start, end));
      start = end + 1;
      yield* finish();
    }
    take(chunk.subarray(start));
  }
  yield* finish();
}

function refuse(file: string, line: number): never {
  throw new InputError('input_too_large', `cannot read recording ${file}: line ${line} ${TOO_LONG}`);
}

/** Some editors put it before UTF-8 text; JSON has none. */
function withoutMark(bytes: Buffer): Buffer {
  return bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? bytes.subarray(3) : bytes;
}

/** What zlib's codes mean for somebody with a file. */
const UNPACKING: Readonly<Record<string, string>> = {
  Z_BUF_ERROR: 'it ends in the middle of its gzip data; copy or download it again',
  Z_DATA_ERROR: 'its gzip data is damaged; copy or download it again',
};

async function* chunksOf(file: string): AsyncGenerator<Buffer> {
  try {
    const isPacked = await isGzip(file);
    const source = createReadStream(file);
    const stream = isPacked ? source.pipe(createGunzip()) : source;
    // `pipe` does not hand on errors of the file.
    source.on('error', (error) => stream.destroy(error));
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
    const reason = UNPACKING[code] ?? code;
    throw new InputError('input_invalid', `cannot read recording ${file}: ${reason}`, { cause });
  }
}

async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.readUInt16BE(0) === 0x1f8b;
  } finally {
    await handle.close();
  }
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
