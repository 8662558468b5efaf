import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { InputError } from '../../runtime/errors.ts';

/** A line of a recording, from 1. */
export interface RecordingLine {
  readonly number: number;
  readonly bytes: Buffer;
}

/** A longer line is no record anybody means; it ends the reading. */
export const LINE_MAX_BYTES = 16 * 1024 * 1024;
const LF = 0x0a;

/**
 * Lines of a file, plain or gzip (told by its first bytes), empty ones left out. Memory is bounded by one line.
 * @throws InputError when the file cannot be read or unpacked, or a line is too long.
 */
export async function* recordingLines(file: string): AsyncGenerator<RecordingLine> {
  let number = 0;
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of chunksOf(file)) {
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      const part = chunk.subarray(start, end);
      number += 1;
      const bytes = held.length === 0 ? part : Buffer.concat([...held, part]);
      held = [];
      heldBytes = 0;
      start = end + 1;
      if (!isBlank(bytes)) yield { number, bytes };
    }
    const rest = chunk.subarray(start);
    heldBytes += rest.length;
    if (heldBytes > LINE_MAX_BYTES)
      throw new InputError(
        'input_too_large',
        `cannot read recording ${file}: line ${number + 1} is longer than ${LINE_MAX_BYTES} bytes`,
      );
    if (rest.length > 0) held.push(rest);
  }
  const last = Buffer.concat(held);
  if (!isBlank(last)) yield { number: number + 1, bytes: last };
}

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
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
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
