import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { Reservation } from '../../collectors/in-flight.ts';
import { inFlight } from '../../collectors/in-flight.ts';
import { AbortedRequest, readRequestBody } from '../../collectors/request-body.ts';
import { verifies } from '../requirements.ts';

const MiB = 1024 * 1024;
let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Sends a body to a server of its own and hands the request to `read`; resolves with what `read` gives or throws. */
async function serve<T>(
  body: Uint8Array,
  read: (request: IncomingMessage) => Promise<T>,
  send: 'whole' | 'half' = 'whole',
): Promise<T> {
  return new Promise((resolve, reject) => {
    server = createServer((request, response) => {
      read(request).then(resolve, reject);
      response.on('error', () => undefined);
    });
    server.listen(0, '127.0.0.1', () => {
      const { port } = server!.address() as AddressInfo;
      const client = httpRequest({ port, method: 'POST', headers: { 'content-length': body.length } });
      client.on('error', () => undefined);
      if (send === 'whole') client.end(body);
      else client.write(body.subarray(0, body.length / 2), () => setImmediate(() => client.destroy()));
    });
  });
}

function counted(): Reservation & { readonly grownBytes: () => number } {
  let grown = 0;
  return { grow: (bytes) => void (grown += bytes), release: () => undefined, grownBytes: () => grown };
}

describe('reading a request body', () => {
  it('stops inflating a zip bomb at the limit', async () => {
    verifies('P10');
    // 1 GiB of zeros in about 1 MiB: a gzip inside the limit on the wire.
    const bomb = gzipSync(Buffer.alloc(1024 * MiB), { level: 9 });
    expect(bomb.length).toBeLessThan(2 * MiB);
    const reservation = counted();
    await expect(serve(bomb, (r) => readRequestBody(r, 'gzip', 4 * MiB, reservation))).rejects.toMatchObject({
      code: 'input_too_large',
    });
    expect(reservation.grownBytes()).toBeLessThanOrEqual(4 * MiB);
  });

  it('stops a compressed body that is over the limit on the wire', async () => {
    const body = Buffer.concat(Array.from({ length: 3000 }, () => gzipSync(Buffer.alloc(0))));
    await expect(serve(body, (r) => readRequestBody(r, 'gzip', 4096, counted()))).rejects.toMatchObject({
      code: 'input_too_large',
    });
  });

  it('inflates a body of several gzip members', async () => {
    const body = Buffer.concat([gzipSync('one '), gzipSync('two')]);
    expect((await serve(body, (r) => readRequestBody(r, 'gzip', 4096, counted()))).toString()).toBe(
      'one two',
    );
  });

  it('refuses bytes beyond what may be in flight, and gives them back', async () => {
    const bodies = inFlight(1000);
    const reservation = bodies.open();
    await expect(
      serve(Buffer.alloc(5000), (r) => readRequestBody(r, 'identity', MiB, reservation)),
    ).rejects.toMatchObject({ code: 'overloaded' });
    expect(bodies.heldBytes()).toBeLessThanOrEqual(1000);
    reservation.release();
    reservation.release();
    expect(bodies.heldBytes()).toBe(0);
  });

  it.each(['identity', 'gzip'] as const)('reports a sender that goes away (%s)', async (encoding) => {
    const body = gzipSync(Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 251)));
    await expect(
      serve(body, (r) => readRequestBody(r, encoding, MiB, counted()), 'half'),
    ).rejects.toBeInstanceOf(AbortedRequest);
  });
});
