import { createHmac } from 'node:crypto';

/** One line of a byte stream, without its newline. */
export type Line =
  | {
      readonly kind: 'whole';
      /** Valid until the next `push`: copy what must stay. */
      readonly bytes: Uint8Array;
      /** False for what was left when the stream ended without a newline. */
      readonly terminated: boolean;
    }
  | {
      readonly kind: 'oversize';
      readonly sizeBytes: number;
      /** HMAC-SHA256 of the whole line under the digest key, lower-case hex. */
      readonly digest: string;
      /** First bytes of the line. */
      readonly head: Uint8Array;
      readonly terminated: boolean;
    };

export interface LineSplitterOptions {
  /** A longer line is not held in memory: it comes out as `oversize`. */
  readonly lineMaxBytes: number;
  /** How much of an oversize line is kept. */
  readonly headBytes: number;
  readonly digestKey: Uint8Array;
  readonly onLine: (line: Line) => void;
}

export interface LineSplitter {
  /** Takes the next chunk (attacker-controlled bytes) and reports each line it completes, in order. */
  push(chunk: Uint8Array): void;
  /** The stream has ended: reports what is left, if anything. */
  end(): void;
  /** Bytes were missed here: forgets the line under way and everything up to the next newline. */
  skipToNextLine(): void;
  /** Bytes searched for a newline, and bytes copied, so far; both stay linear in the bytes pushed. */
  readonly work: { readonly scannedBytes: number; readonly copiedBytes: number };
}

const NEWLINE = 0x0a;
const SMALL_BUFFER_BYTES = 64 * 1024;

/**
 * Splits a byte stream at newlines in linear time: each byte is searched once, a line inside one chunk is not copied,
 * and a line over several chunks grows in a doubling buffer (so 10 MiB in one-byte chunks costs no more than in one).
 */
export function createLineSplitter(options: LineSplitterOptions): LineSplitter {
  let held = new Uint8Array(0);
  let heldBytes = 0;
  let oversize: { hmac: ReturnType<typeof createHmac>; sizeBytes: number; head: Uint8Array } | undefined;
  let skipping = false;
  const work = { scannedBytes: 0, copiedBytes: 0 };

  const hold = (part: Uint8Array) => {
    const needed = heldBytes + part.length;
    if (needed > held.length) {
      const grown = new Uint8Array(
        Math.min(
          Math.max(needed, held.length * 2, SMALL_BUFFER_BYTES),
          Math.max(needed, options.lineMaxBytes),
        ),
      );
      grown.set(held.subarray(0, heldBytes));
      work.copiedBytes += heldBytes;
      held = grown;
    }
    held.set(part, heldBytes);
    work.copiedBytes += part.length;
    heldBytes = needed;
  };

  /** A part of a line whose end is not yet known. */
  const extend = (part: Uint8Array) => {
    if (oversize === undefined && heldBytes + part.length <= options.lineMaxBytes) {
      hold(part);
      return;
    }
    oversize ??= startOversize(held.subarray(0, heldBytes), part);
    oversize.hmac.update(part);
    oversize.sizeBytes += part.length;
  };

  const startOversize = (first: Uint8Array, second: Uint8Array) => {
    const head = new Uint8Array(Math.min(options.headBytes, first.length + second.length));
    const fromFirst = Math.min(first.length, head.length);
    head.set(first.subarray(0, fromFirst));
    head.set(second.subarray(0, head.length - fromFirst), fromFirst);
    return { hmac: createHmac('sha256', options.digestKey).update(first), sizeBytes: first.length, head };
  };

  const finish = (part: Uint8Array, terminated: boolean) => {
    if (oversize === undefined && heldBytes === 0 && part.length <= options.lineMaxBytes) {
      options.onLine({ kind: 'whole', bytes: part, terminated });
      return;
    }
    extend(part);
    const line: Line =
      oversize === undefined
        ? { kind: 'whole', bytes: held.subarray(0, heldBytes), terminated }
        : {
            kind: 'oversize',
            sizeBytes: oversize.sizeBytes,
            digest: oversize.hmac.digest('hex'),
            head: oversize.head,
            terminated,
          };
    forget();
    options.onLine(line);
  };

  const forget = () => {
    heldBytes = 0;
    oversize = undefined;
    if (held.length > SMALL_BUFFER_BYTES) held = new Uint8Array(0);
  };

  return {
    work,
    push(chunk) {
      let from = 0;
      for (;;) {
        const at = chunk.indexOf(NEWLINE, from);
        work.scannedBytes += (at === -1 ? chunk.length : at + 1) - from;
        if (at === -1) break;
        if (skipping) skipping = false;
        else finish(chunk.subarray(from, at), true);
        from = at + 1;
      }
      if (!skipping && from < chunk.length) extend(chunk.subarray(from));
    },
    end() {
      if (!skipping && (heldBytes > 0 || oversize !== undefined)) finish(new Uint8Array(0), false);
      skipping = false;
    },
    skipToNextLine() {
      forget();
      skipping = true;
    },
  };
}
