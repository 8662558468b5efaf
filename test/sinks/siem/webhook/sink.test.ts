import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PermanentError, TransientError } from '../../../../runtime/errors.ts';
import { createWebhookSink, type WebhookSinkConfig } from '../../../../sinks/siem/webhook/sink.ts';
import { SinkPausedError, type Sink } from '../../../../sinks/sink.ts';
import { createAuthority, type CertificateAuthority } from '../../../support/certificates.ts';
import { hostileAlert, sampleAlert, uuid } from '../sample-alert.ts';
import { startReceiver, status, type Receiver } from './receiver.ts';
import { verifies } from '../../../requirements.ts';

const secretA = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const secretB = `whsec_${Buffer.alloc(24, 2).toString('base64')}`;
const signal = new AbortController().signal;
let authority: CertificateAuthority;
beforeAll(() => {
  authority = createAuthority();
});
afterAll(() => authority.remove());

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
async function receiver(...args: Parameters<typeof startReceiver>): Promise<Receiver> {
  const started = await startReceiver(...args);
  cleanups.push(() => started.close());
  return started;
}
async function sinkFor(
  url: string,
  overrides: Partial<WebhookSinkConfig> = {},
  deps: { nowMs?: () => number; secret?: string } = {},
): Promise<Sink> {
  const sink = createWebhookSink(
    {
      id: 'soar',
      type: 'webhook',
      url,
      secret: { env: 'HOOK' },
      allow_private_addresses: true,
      timeout_ms: 2000,
      retry: { base_ms: 1, cap_ms: 1 },
      ...overrides,
    },
    { secrets: () => deps.secret ?? secretA, clock: { nowMs: deps.nowMs ?? Date.now } },
  );
  cleanups.push(() => sink.stop());
  await sink.start();
  return sink;
}
const failure = async (sink: Sink, n = 1) =>
  sink.write([sampleAlert(n)], signal).then(
    () => undefined,
    (error: unknown) => error,
  );

describe('webhook sink', () => {
  it('posts OCSF that the Standard Webhooks library verifies, over HTTPS with the certificate checked', async () => {
    const { url, received } = await receiver(status(204), {
      identity: authority.issue('hook', ['IP:127.0.0.1']),
    });
    const sink = await sinkFor(url, { ca_file: authority.caFile });
    await sink.write([sampleAlert(1), sampleAlert(2)], signal);
    expect(received.map(({ headers }) => headers['webhook-id'])).toEqual([uuid(1), uuid(2)]);
    for (const { body, headers, url: path } of received) {
      expect(path).toBe('/hook?x=1');
      expect(headers['content-type']).toBe('application/json');
      const event = new Webhook(secretA).verify(body, headers) as { metadata: { uid: string } };
      expect(event.metadata.uid).toBe(headers['webhook-id']);
    }
    const [{ body, headers } = { body: '', headers: {} }] = received;
    expect(() => new Webhook(secretA).verify(`${body} `, headers)).toThrow();
    expect(() => new Webhook(secretB).verify(body, headers)).toThrow();
  });

  it('signs with every secret during a rotation', async () => {
    const { url, received } = await receiver(status(200));
    const sink = await sinkFor(url, {}, { secret: `${secretA} ${secretB}` });
    await sink.write([sampleAlert(1)], signal);
    const [request] = received;
    for (const secret of [secretA, secretB])
      expect(new Webhook(secret).verify(request!.body, request!.headers)).toBeTruthy();
  });

  it('keeps the id and changes the timestamp and signature on every attempt', async () => {
    verifies('P6');
    let nowMs = Date.now();
    const { url, received } = await receiver(
      (_request, index, response) => void response.writeHead(index < 2 ? 503 : 200).end(),
    );
    const sink = await sinkFor(url, {}, { nowMs: () => (nowMs += 5000) });
    expect(await failure(sink)).toBeInstanceOf(TransientError);
    expect(await failure(sink)).toBeInstanceOf(TransientError);
    expect(await failure(sink)).toBeUndefined();
    expect(new Set(received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([uuid(1)]));
    expect(new Set(received.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(3);
    expect(new Set(received.map(({ headers }) => headers['webhook-signature'])).size).toBe(3);
    for (const { body, headers } of received) expect(new Webhook(secretA).verify(body, headers)).toBeTruthy();
  });

  it.each([
    [400, PermanentError],
    [409, PermanentError],
    [413, PermanentError],
    [422, PermanentError],
    [401, SinkPausedError],
    [403, SinkPausedError],
    [404, SinkPausedError],
    [405, SinkPausedError],
    [301, SinkPausedError],
    [302, SinkPausedError],
    [304, SinkPausedError],
    [307, SinkPausedError],
    [308, SinkPausedError],
    [408, TransientError],
    [425, TransientError],
    [429, TransientError],
    [500, TransientError],
    [502, TransientError],
    [503, TransientError],
  ])('takes answer %i as %o', async (code, kind) => {
    const elsewhere = await receiver(status(200));
    const { url, received } = await receiver(status(code, { location: elsewhere.url }));
    const error = await failure(await sinkFor(url));
    expect(error).toBeInstanceOf(kind);
    if (kind === TransientError) expect(error).not.toBeInstanceOf(SinkPausedError);
    expect(received).toHaveLength(1);
    expect(elsewhere.received).toHaveLength(0);
  });

  it('calls a receiver that said 410 Gone never again in this process', async () => {
    const { url, received } = await receiver(
      (_request, index, response) => void response.writeHead(index === 0 ? 410 : 200).end(),
    );
    const sink = await sinkFor(url);
    for (let n = 0; n < 3; n += 1)
      expect(await failure(sink)).toMatchObject({ name: 'EndpointGone', retryAfterMs: 3_600_000 });
    expect(received).toHaveLength(1);
    expect(await failure(await sinkFor(url))).toBeUndefined();
  });

  it('reads Retry-After as seconds and as a date, and ignores rubbish', async () => {
    const nowMs = Date.parse('2026-11-21T10:00:00Z');
    const headers = [
      '7',
      'Sat, 21 Nov 2026 10:01:00 GMT',
      'Sat, 21 Nov 2026 09:00:00 GMT',
      'soon',
      '-3',
      '1e9',
    ];
    const { url } = await receiver(
      (_request, index, response) =>
        void response.writeHead(429, { 'retry-after': headers[index] ?? '' }).end(),
    );
    const sink = await sinkFor(url, {}, { nowMs: () => nowMs });
    const waits: unknown[] = [];
    while (waits.length < headers.length) waits.push(((await failure(sink)) as TransientError).retryAfterMs);
    expect(waits).toEqual([7000, 60_000, 0, undefined, undefined, undefined]);
  });

  it('gives up an attempt that is not answered in time, and one that is refused', async () => {
    const silent = await startReceiver(() => undefined);
    const sink = await sinkFor(silent.url, { timeout_ms: 100 });
    expect(await failure(sink)).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('no answer in 100 ms'),
    });
    await silent.close();
    expect(await failure(sink)).toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/ECONNREFUSED|ECONNRESET/),
    });
  });

  it('does not wait for a body that never ends, nor reads a huge one', async () => {
    const { url, received } = await receiver((_request, index, response) => {
      response.writeHead(200);
      if (index === 0) response.write('drip');
      else response.end(Buffer.alloc(8 * 1024 * 1024));
    });
    const sink = await sinkFor(url, { timeout_ms: 10_000 });
    for (let n = 0; n < 3; n += 1) expect(await failure(sink, n)).toBeUndefined();
    expect(received).toHaveLength(3);
  });

  it('stops an attempt when the pipeline stops', async () => {
    const stop = new AbortController();
    const { url } = await receiver(() => stop.abort(new Error('stopping')));
    const sink = await sinkFor(url, { timeout_ms: 60_000 });
    await expect(sink.write([sampleAlert(1)], stop.signal)).rejects.toBeInstanceOf(TransientError);
  });

  it('sends any alert as one body under 20 KB that verifies', async () => {
    const { url, received } = await receiver(status(200));
    const sink = await sinkFor(url);
    await fc.assert(
      fc.asyncProperty(hostileAlert, async (alert) => {
        await sink.write([alert], signal);
        const request = received.pop()!;
        expect(Buffer.byteLength(request.body)).toBeLessThanOrEqual(20_000);
        expect(new Webhook(secretA).verify(request.body, request.headers)).toMatchObject({
          metadata: { uid: alert.alert_id },
        });
      }),
      { numRuns: 60 },
    );
  });

  it('delivers what failed before once the receiver is back on the same port', async () => {
    const first = await startReceiver(status(200));
    const sink = await sinkFor(first.url);
    await sink.write([sampleAlert(1)], signal);
    await first.close();
    expect(await failure(sink, 2)).toBeInstanceOf(TransientError);
    const second = await receiver(status(200), { port: first.port });
    expect(await failure(sink, 2)).toBeUndefined();
    expect(second.received.map(({ headers }) => headers['webhook-id'])).toEqual([uuid(2)]);
  });

  describe('TLS', () => {
    it('refuses a certificate of another authority and of another name, and waits for a human', async () => {
      const good = await receiver(status(200), { identity: authority.issue('hook', ['IP:127.0.0.1']) });
      const unknownAuthority = await failure(await sinkFor(good.url));
      expect(unknownAuthority).toBeInstanceOf(SinkPausedError);
      const other = await receiver(status(200), {
        identity: authority.issue('hook', ['DNS:elsewhere.example.test']),
      });
      const wrongName = await failure(await sinkFor(other.url, { ca_file: authority.caFile }));
      expect(wrongName).toBeInstanceOf(SinkPausedError);
      expect((wrongName as Error).message).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
      expect([...good.received, ...other.received]).toHaveLength(0);
    });

    it('says so when the other side speaks no TLS', async () => {
      const plain = await receiver(status(200));
      const error = await failure(await sinkFor(plain.url.replace('http:', 'https:')));
      expect(error).toBeInstanceOf(SinkPausedError);
    });
  });

  describe('addresses', () => {
    it('opens no connection to loopback unless private addresses are allowed', async () => {
      verifies('P8');
      const server = createServer((socket) => void socket.destroy());
      let connections = 0;
      server.on('connection', () => (connections += 1));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      cleanups.push(() => server.close());
      const { port } = server.address() as AddressInfo;
      for (const host of [
        '127.0.0.1',
        'localhost',
        '[::1]',
        '[::ffff:127.0.0.1]',
        '2130706433',
        '0x7f.1',
        '0.0.0.0',
      ]) {
        const error = await failure(
          await sinkFor(`https://${host}:${port}/`, { allow_private_addresses: false }),
        );
        expect(error, host).toBeInstanceOf(SinkPausedError);
        expect((error as Error).message, host).toContain('is not allowed');
      }
      expect(connections).toBe(0);
    });

    it.each([
      'http://example.test/',
      'ftp://example.test/',
      'https://user:pass@example.test/',
      'file:///etc/passwd',
    ])('refuses the address %s when it starts', async (url) => {
      await expect(sinkFor(url, { allow_private_addresses: false })).rejects.toMatchObject({
        code: 'config_invalid',
        path: 'sinks.soar.url',
      });
    });
  });

  it.each([
    '',
    'whsec_',
    'whsec_c2hvcnQ=',
    `whsec_${Buffer.alloc(65).toString('base64')}`,
    'not a secret',
    `${secretA} whsec_!!`,
  ])('refuses the secret %j when it starts, without quoting it', async (secret) => {
    const error = await sinkFor('https://example.test/', {}, { secret }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'config_invalid', path: 'sinks.soar.secret' });
    const hidden = secret.replace('whsec_', '');
    if (hidden !== '') expect((error as Error).message).not.toContain(hidden);
  });
});
