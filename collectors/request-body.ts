import type { IncomingMessage } from 'node:http';
import { createGunzip, createInflate, type Gunzip, type Inflate } from 'node:zlib';
import { InputError } from '../runtime/errors.ts';
import type { Reservation } from './in-flight.ts';

/** The sender went away before the body was complete; nobody is left to answer. */
export class AbortedRequest extends Error {}

/** Bodies are read in steps of at most this size, so a bound is overrun by no more. */
const INFLATE_STEP_BYTES = 64 * 1024;

/**
 * Reads a request body of hostile size: stops at `maxBytes` on the wire and at `maxBytes` inflated, whichever comes
 * first, without inflating on. Every byte held is in the reservation. Throws InputError `input_too_large`,
 * `input_invalid` (broken compression), TransientError `overloaded`, or AbortedRequest.
 */
export async function readRequestBody(
  request: IncomingMessage,
  encoding: 'identity' | 'gzip' | 'deflate',
  maxBytes: number,
  reservation: Reservation,
): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  return encoding === 'identity'
    ? collect(request, maxBytes, reservation)
    : inflate(request, encoding === 'gzip' ? gunzip() : createInflate(inflateOptions), maxBytes, reservation);
}

const inflateOptions = { chunkSize: INFLATE_STEP_BYTES };
const gunzip = () => createGunzip(inflateOptions);

function tooLarge(maxBytes: number): InputError {
  return new InputError('input_too_large', `cannot read the body: it is larger than ${maxBytes} bytes`);
}

function collect(request: IncomingMessage, maxBytes: number, reservation: Reservation): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = (error: Error) => {
      request.off('data', onData).off('end', onEnd);
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      try {
        if (size > maxBytes) throw tooLarge(maxBytes);
        reservation.grow(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        stop(error as Error);
      }
    };
    const onEnd = () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size));
    request.on('data', onData).on('end', onEnd);
    onAbort(request, stop);
  });
}

function inflate(
  request: IncomingMessage,
  inflater: Gunzip | Inflate,
  maxBytes: number,
  reservation: Reservation,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let wireBytes = 0;
    let size = 0;
    const stop = (error: Error) => {
      request.off('data', onWire).unpipe(inflater);
      inflater.destroy();
      reject(error);
    };
    const onWire = (chunk: Buffer) => {
      wireBytes += chunk.length;
      if (wireBytes > maxBytes) stop(tooLarge(maxBytes));
    };
    request.on('data', onWire).pipe(inflater);
    onAbort(request, stop);
    inflater.on('data', (chunk: Buffer) => {
      size += chunk.length;
      try {
        if (size > maxBytes) throw tooLarge(maxBytes);
        reservation.grow(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        stop(error as Error);
      }
    });
    inflater.on('end', () => resolve(Buffer.concat(chunks, size)));
    inflater.on('error', (cause) => {
      stop(
        new InputError('input_invalid', 'cannot inflate the body: the compressed data is damaged', { cause }),
      );
    });
  });
}

function onAbort(request: IncomingMessage, stop: (error: Error) => void): void {
  request.on('error', () => stop(new AbortedRequest()));
  request.on('close', () => {
    if (!request.complete) stop(new AbortedRequest());
  });
}
