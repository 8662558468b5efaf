/** The files of a bundle, wherever they lie: in a zip, in a directory, in a browser. */
export interface BundleFiles {
  readonly files: readonly BundleFile[];
  /** The bytes of a file that is among `files`. Throws a BundleReadError when they are not what the container says. */
  read(name: string): AsyncIterable<Uint8Array>;
}

export interface BundleFile {
  readonly name: string;
  readonly bytes: number;
}

/** Why a container is no bundle, or a file in it not readable; about what somebody made, never about the disk. */
export class BundleReadError extends Error {
  readonly kind: 'LAYOUT' | 'TOO_LARGE';
  readonly file: string | null;
  constructor(kind: 'LAYOUT' | 'TOO_LARGE', reason: string, file: string | null = null) {
    super(reason);
    this.name = 'BundleReadError';
    this.kind = kind;
    this.file = file;
  }
}

const LF = 10;

/** Lines of bytes without their ends; a last line that does not end is given too, as `ended: false`. */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  file: string,
  lineMaxBytes: number,
): AsyncGenerator<{ readonly line: Uint8Array; readonly ended: boolean }> {
  let parts: Uint8Array[] = [];
  let length = 0;
  const take = (part: Uint8Array): Uint8Array => {
    const whole = parts.length === 0 ? part : Buffer.concat([...parts, part]);
    parts = [];
    length = 0;
    return whole;
  };
  for await (const chunk of chunks) {
    let begin = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, begin)) {
      yield { line: take(chunk.subarray(begin, end)), ended: true };
      begin = end + 1;
    }
    if (begin === chunk.length) continue;
    // A copy: whoever reads may use the chunk's memory again.
    parts.push(chunk.slice(begin));
    length += chunk.length - begin;
    if (length > lineMaxBytes)
      throw new BundleReadError('TOO_LARGE', `a line is longer than ${lineMaxBytes} bytes`, file);
  }
  if (length > 0) yield { line: take(new Uint8Array()), ended: false };
}
