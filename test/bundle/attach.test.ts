import {
  GetObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { attachBundle, type AttachDeps } from '../../bundle/attach/attach.ts';
import { digestOf } from '../../bundle/custody-file.ts';
import { configSchema } from '../../schemas/config.ts';
import type { AttachTarget } from '../../schemas/config/bundle.ts';
import { s3Missing, startS3Server, type S3Server } from '../support/s3-server.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
let directory: string;
let file: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'custody-attach-'));
  file = join(directory, 'inc-42.zip');
  writeFileSync(file, randomBytes(300_000));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const targetOf = (target: object): AttachTarget => {
  const [parsed] = configSchema.parse({ bundle: { attach: [target] } }).bundle.attach;
  if (parsed === undefined) throw new Error('no target');
  return parsed;
};
const SECRETS: Readonly<Record<string, string>> = {
  SIGN: SECRET,
  TOKEN: 'Bearer t',
  KEY: 'custody-test',
  HIDDEN: 'custody-test-secret',
};
const depsOf = (changes: Partial<AttachDeps> = {}): AttachDeps => ({
  clock: { nowMs: () => Date.now() },
  signal: new AbortController().signal,
  secrets: ({ env }) => SECRETS[env ?? ''] ?? '',
  onBytes: () => undefined,
  ...changes,
});

describe('over HTTP', () => {
  let receiver: Server;
  let port: number;
  let answer = 201;
  let hangUp = false;
  let got: { method: string; url: string; headers: IncomingHttpHeaders; body: Buffer }[] = [];

  beforeAll(async () => {
    receiver = createServer((request, response) => {
      const chunks: Buffer[] = [];
      if (hangUp) {
        response.writeHead(answer).end();
        request.socket.destroySoon();
        return;
      }
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        got.push({ method, url, headers, body: Buffer.concat(chunks) });
        response.writeHead(answer).end('thanks');
      });
    });
    receiver.listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    ({ port } = receiver.address() as AddressInfo);
  });
  afterAll(() => receiver.close());
  beforeEach(() => {
    got = [];
    answer = 201;
    hangUp = false;
  });
  const webhook = (changes: object = {}) =>
    targetOf({
      ...{ id: 'tickets', type: 'webhook', url: `http://127.0.0.1:${port}/cases/{case}/files/{name}` },
      ...{ allow_private_addresses: true, method: 'put', secret: { env: 'SIGN' }, ...changes },
    });

  test('the file arrives whole with its digest, signed, and nothing of its name or case is left out', async () => {
    const seen: number[] = [];
    const deps = depsOf({ onBytes: (done) => seen.push(done) });
    const target = webhook({ authorization: { env: 'TOKEN' }, headers: { 'x-team': 'soc' } });
    const { location } = await attachBundle(target, file, 'INC-42', deps);
    const digest = await digestOf(file);
    expect(location).toBe(`http://127.0.0.1:${port}/cases/INC-42/files/inc-42.zip`);
    expect(got).toHaveLength(1);
    const { method, url, headers, body } = got[0]!;
    expect([method, url]).toEqual(['PUT', '/cases/INC-42/files/inc-42.zip']);
    expect(body.equals(readFileSync(file))).toBe(true);
    expect(headers['content-digest']).toBe(`sha-256=:${Buffer.from(digest, 'hex').toString('base64')}:`);
    expect(headers).toMatchObject({
      authorization: 'Bearer t',
      'x-team': 'soc',
      'x-custody-bundle-digest': `sha256:${digest}`,
    });
    const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${digest}`;
    const mac = createHmac('sha256', Buffer.alloc(32, 7)).update(signed).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${mac}`);
    expect(seen.at(-1)).toBe(300_000);
  });

  test('a form has the file in its field', async () => {
    await attachBundle(webhook({ method: 'multipart' }), file, 'INC-42', depsOf());
    const { method, headers, body } = got[0]!;
    expect(method).toBe('POST');
    const boundary =
      /^multipart\/form-data; boundary=(\S+)$/.exec(String(headers['content-type']))?.[1] ?? '?';
    expect(Number(headers['content-length'])).toBe(body.length);
    const head = body.subarray(0, body.indexOf('\r\n\r\n') + 4).toString();
    expect(head).toBe(
      `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="inc-42.zip"\r\nContent-Type: application/zip\r\n\r\n`,
    );
    const tail = `\r\n--${boundary}--\r\n`;
    expect(body.subarray(-tail.length).toString()).toBe(tail);
    expect(body.subarray(head.length, -tail.length).equals(readFileSync(file))).toBe(true);
  });

  test.each([
    [403, 'rejected'],
    [302, 'rejected'],
    [503, 'unavailable'],
    [429, 'rate_limited'],
  ])('an answer of %i is an error that names the target', async (status, code) => {
    answer = status;
    await expect(attachBundle(webhook(), file, 'INC-42', depsOf())).rejects.toMatchObject({
      code,
      message: expect.stringMatching(
        new RegExp(`^cannot attach to tickets: the receiver answered ${status}`),
      ),
    });
  });

  test('a receiver that refuses before it has read everything is heard', async () => {
    [answer, hangUp] = [413, true];
    await expect(attachBundle(webhook(), file, 'INC-42', depsOf())).rejects.toMatchObject({
      message: expect.stringMatching(
        /^cannot attach to tickets: (the receiver answered 413|EPIPE|ECONNRESET)/,
      ),
    });
  });

  test('private addresses and plain HTTP need to be allowed', async () => {
    await expect(
      attachBundle(webhook({ allow_private_addresses: false }), file, 'INC-42', depsOf()),
    ).rejects.toMatchObject({ code: 'config_invalid' });
    const secure = webhook({ allow_private_addresses: false, url: `https://127.0.0.1:${port}/` });
    await expect(attachBundle(secure, file, 'INC-42', depsOf())).rejects.toThrow(
      /address 127.0.0.1 is not allowed/,
    );
    expect(got).toEqual([]);
  });

  test('a receiver that nobody answers for, and an end from outside, are told apart', async () => {
    const gone = webhook({ url: 'http://127.0.0.1:1/' });
    await expect(attachBundle(gone, file, 'INC-42', depsOf())).rejects.toMatchObject({
      message: 'cannot attach to tickets: ECONNREFUSED',
    });
    const ended = AbortSignal.abort(new Error('ended from outside'));
    await expect(attachBundle(webhook(), file, 'INC-42', depsOf({ signal: ended }))).rejects.toThrow(
      'ended from outside',
    );
  });
});

const missing = s3Missing();
describe.skipIf(missing !== undefined)(
  `in a bucket${missing === undefined ? '' : ` [skipped: ${missing}]`}`,
  () => {
    let server: S3Server;
    let client: S3Client;
    beforeAll(async () => {
      server = await startS3Server();
      client = new S3Client({
        endpoint: server.url,
        region: 'us-east-1',
        forcePathStyle: true,
        credentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey },
      });
      for (const [Bucket, ObjectLockEnabledForBucket] of [
        ['locked', true],
        ['open-bucket', false],
      ] as const)
        await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket }));
    });
    afterAll(async () => {
      client.destroy();
      await server.remove();
    });
    const bucket = (changes: object = {}) =>
      targetOf({
        ...{
          id: 'vault',
          type: 's3',
          bucket: 'locked',
          url: server.url,
          path_style: true,
          retention_days: 1,
        },
        credentials: { access_key_id: { env: 'KEY' }, secret_access_key: { env: 'HIDDEN' } },
        ...changes,
      });
    const placeOf = (location: string) => {
      const url = new URL(location);
      return {
        Bucket: url.host,
        Key: url.pathname.slice(1),
        VersionId: url.searchParams.get('versionId') ?? undefined,
      };
    };

    test.each([
      ['one request', 300_000],
      ['parts', 17 * 1024 * 1024],
    ])('the file arrives whole in %s, and nobody can delete it', async (_name, bytes) => {
      const large = join(directory, `${bytes}.zip`);
      writeFileSync(large, randomBytes(bytes));
      const { location } = await attachBundle(bucket(), large, 'INC-42', depsOf());
      const place = placeOf(location);
      const stored = await client.send(new GetObjectCommand(place));
      expect(Buffer.from((await stored.Body?.transformToByteArray()) ?? []).equals(readFileSync(large))).toBe(
        true,
      );
      expect(stored.Metadata?.['custody-sha256']).toBe(await digestOf(large));
      expect((await client.send(new HeadObjectCommand(place))).ObjectLockMode).toBe('COMPLIANCE');
      await expect(client.send(new DeleteObjectCommand(place))).rejects.toThrow();
      // Once more: it is there, and that is good.
      await attachBundle(bucket(), large, 'INC-42', depsOf());
    });

    test('a bucket without object lock is refused', async () => {
      await expect(
        attachBundle(bucket({ bucket: 'open-bucket' }), file, 'INC-42', depsOf()),
      ).rejects.toMatchObject({
        message: expect.stringMatching(/^cannot attach to vault: .*object lock/),
      });
    });
  },
);
