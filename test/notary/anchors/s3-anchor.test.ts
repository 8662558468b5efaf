import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatNote } from '../../../evidence/note/note.ts';
import { s3Key, s3Prefix, sizeOfS3Key } from '../../../notary/anchors/s3-key.ts';
import {
  ConfigError,
  CustodyError,
  IntegrityError,
  PermanentError,
  TransientError,
} from '../../../runtime/errors.ts';
import { createAuthority, type CertificateAuthority } from '../../support/certificates.ts';
import { s3Missing, startS3Server, type S3Server } from '../../support/s3-server.ts';
import { anchor as anchorSchema } from '../../../schemas/config/anchors.ts';
import { anchorContract } from './contract.ts';
import { lyingServer } from './lying-server.ts';
import { failure, openAnchor, setClock } from './open-anchor.ts';
import { ORIGIN, sampleLog } from './sample-log.ts';

const DAY_MS = 86_400_000;
const log = sampleLog();
const missing = s3Missing();
const note = missing === undefined ? '' : ` [skipped: ${missing}]`;
let server: S3Server;
let client: S3Client;
beforeAll(async () => {
  if (missing !== undefined) return;
  server = await startS3Server();
  client = clientOf(server);
});
afterAll(async () => {
  if (missing !== undefined) return;
  client.destroy();
  await server.remove();
});

const clientOf = ({ url, accessKey, secretKey }: S3Server) =>
  new S3Client({
    endpoint: url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
  });
const secretsOf = ({ accessKey, secretKey }: S3Server) => ({ KEY: accessKey, SECRET: secretKey });
const configOf = (bucket: string, changes: object = {}) => ({
  id: 'locked',
  type: 's3' as const,
  bucket,
  url: server.url,
  path_style: true,
  credentials: { access_key_id: { env: 'KEY' }, secret_access_key: { env: 'SECRET' } },
  interval_ms: 0,
  timeout_ms: 5_000,
  ...changes,
});
async function newBucket(isLocked = true): Promise<string> {
  const bucket = `b-${randomUUID()}`;
  await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: isLocked }));
  return bucket;
}
/** An anchor whose clock is the real one: servers refuse locks that end in their past. */
const open = (bucket: string, changes: object = {}, clock = { ...setClock(), ms: Date.now() }) =>
  openAnchor(configOf(bucket, changes), clock, secretsOf(server));
const keyOf = (size: number) => s3Key('custody', ORIGIN, BigInt(size));

describe('keys of checkpoints', () => {
  it('are in a list from the largest checkpoint to the smallest, and tell their sizes', () => {
    const sizes = [0n, 1n, 9n, 10n, 4096n, 10n ** 12n, (1n << 63n) - 1n];
    const keys = sizes.map((size) => s3Key('custody', ORIGIN, size));
    expect([...keys].sort()).toEqual([...keys].reverse());
    const prefix = s3Prefix('custody', ORIGIN);
    expect(keys.map((key) => sizeOfS3Key(key, prefix))).toEqual(sizes);
    expect(sizeOfS3Key(keys[3]!.replace('.10.', '.11.'), prefix)).toBeUndefined();
    expect(sizeOfS3Key(`${prefix}hello`, prefix)).toBeUndefined();
    expect(s3Prefix('custody', 'a b/../c')).toBe('custody/a%20b/../c/');
  });
});

describe.skipIf(missing !== undefined)(`an S3 anchor${note}`, () => {
  anchorContract(async () => {
    const bucket = await newBucket();
    return { evidence: 'place', remembers: true, open: () => open(bucket) };
  });

  it('locks each checkpoint in compliance mode, so that it cannot be deleted, and names its version', async () => {
    const bucket = await newBucket();
    const anchor = await open(bucket, { retention_days: 7 });
    const evidence = await anchor.publish(log.at(5));
    const place = evidence?.type === 'place' ? evidence.place : '';
    const [, version] = /\?versionId=(.+)$/.exec(place) ?? [];
    expect(place.startsWith(`s3://${bucket}/${keyOf(5)}`)).toBe(true);
    const { Retention } = await client.send(
      new GetObjectRetentionCommand({ Bucket: bucket, Key: keyOf(5), VersionId: version }),
    );
    expect(Retention?.Mode).toBe('COMPLIANCE');
    expect(Math.abs(Retention!.RetainUntilDate!.getTime() - Date.now() - 7 * DAY_MS)).toBeLessThan(60_000);
    const removal = client.send(
      new DeleteObjectCommand({ Bucket: bucket, Key: keyOf(5), VersionId: version }),
    );
    expect((await failure(removal)).name).toMatch(/AccessDenied|InvalidRequest|ObjectLocked/);
  });

  it('finds the newest checkpoint under markers of deletion and among what strangers put there', async () => {
    const bucket = await newBucket();
    const first = await open(bucket);
    for (const size of [5, 6, 7]) await first.publish(log.at(size));
    for (const size of [6, 7])
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: keyOf(size) }));
    for (let index = 0; index < 120; index += 1) {
      const Key = `${s3Prefix('custody', ORIGIN)}0${index}`;
      await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' }));
    }
    const second = await open(bucket);
    expect((await second.latest!(ORIGIN))?.size).toBe(7n);
    expect(await failure(second.publish(log.at(6)))).toBeInstanceOf(IntegrityError);
    expect((await second.publish(log.at(7)))?.type).toBe('place');
  });

  it('never writes over an object: what is there is the same checkpoint, or an alarm', async () => {
    const bucket = await newBucket();
    const anchor = await open(bucket);
    await anchor.publish(log.at(3));
    const put = (size: number, body: string) =>
      client.send(new PutObjectCommand({ Bucket: bucket, Key: keyOf(size), Body: body }));
    await put(4, formatNote(log.at(4).note));
    expect((await anchor.publish(log.at(4)))?.type).toBe('place');
    await put(5, formatNote({ ...log.at(5).note, signatures: sampleLog().at(5).note.signatures }));
    expect(await failure(anchor.publish(log.at(5)))).toBeInstanceOf(IntegrityError);
    await put(6, formatNote(sampleLog(log.key, 'other').at(6).note));
    expect(await failure(anchor.publish(log.at(6)))).toBeInstanceOf(IntegrityError);
    const { Versions } = await client.send(
      new ListObjectVersionsCommand({ Bucket: bucket, Prefix: keyOf(6) }),
    );
    expect(Versions).toHaveLength(1);
    const reopened = await open(bucket);
    expect((await reopened.latest!(ORIGIN))?.size).toBe(6n);
    expect(await failure(reopened.publish(log.at(6)))).toBeInstanceOf(IntegrityError);
  });

  it('refuses a newest object that is no checkpoint of its name, and two of one name', async () => {
    for (const body of ['hello', formatNote(log.at(8).note), 'x'.repeat(2 * 1024 * 1024)]) {
      const bucket = await newBucket();
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: keyOf(9), Body: body }));
      expect(await failure((await open(bucket)).latest!(ORIGIN))).toBeInstanceOf(IntegrityError);
    }
    const bucket = await newBucket();
    await (await open(bucket)).publish(log.at(9));
    const Body = formatNote(sampleLog(log.key, 'other').at(9).note);
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: keyOf(9), Body }));
    expect((await failure((await open(bucket)).latest!(ORIGIN))).message).toContain('two trees of size 9');
  });

  it('leaves out what comes sooner than the interval, and says so', async () => {
    const clock = { ...setClock(), ms: Date.now() };
    const anchor = await open(await newBucket(), { interval_ms: 60_000 }, clock);
    expect(anchor.minIntervalMs).toBe(60_000);
    expect(await anchor.publish(log.at(3))).toBeDefined();
    clock.ms += 59_999;
    expect(await anchor.publish(log.at(4))).toBeUndefined();
    expect((await anchor.latest!(ORIGIN))?.size).toBe(3n);
    clock.ms += 1;
    expect(await anchor.publish(log.at(4))).toBeDefined();
    expect((await anchor.latest!(ORIGIN))?.size).toBe(4n);
  });

  it('says at the start what is wrong with the bucket or the credentials', async () => {
    const plain = await failure(open(await newBucket(false)));
    expect(plain).toBeInstanceOf(ConfigError);
    expect(plain.message).toMatch(/no object lock; make another bucket/);
    expect(plain.path).toBe('notary.anchors.locked');
    const absent = await failure(open(`b-${randomUUID()}`));
    expect(absent).toBeInstanceOf(ConfigError);
    expect(absent.message).toContain('there is no such bucket');
    const bucket = await newBucket();
    const wrong = await failure(
      openAnchor(configOf(bucket), setClock(), { KEY: server.accessKey, SECRET: 'x' }),
    );
    expect(wrong).toBeInstanceOf(ConfigError);
    expect(wrong.message).toContain('secret access key is another');
    expect(wrong.message).not.toContain(server.accessKey);
  });

  it('is opened while the server is down, and works when it is back', async () => {
    const own = await startS3Server();
    try {
      const at = clientOf(own);
      await at.send(new CreateBucketCommand({ Bucket: 'kept', ObjectLockEnabledForBucket: true }));
      at.destroy();
      await own.kill('SIGKILL');
      const clock = { ...setClock(), ms: Date.now() };
      const anchor = await openAnchor(
        configOf('kept', { url: own.url, timeout_ms: 1_000 }),
        clock,
        secretsOf(own),
      );
      expect(await failure(anchor.publish(log.at(3)))).toBeInstanceOf(TransientError);
      await own.start();
      expect((await anchor.publish(log.at(3)))?.type).toBe('place');
      own.freeze();
      expect(await failure(anchor.publish(log.at(4)))).toBeInstanceOf(TransientError);
      await own.kill('SIGKILL');
      await own.start();
      expect((await anchor.publish(log.at(4)))?.type).toBe('place');
    } finally {
      await own.remove();
    }
  });

  it('says so when its clock is so wrong that the lock would have ended already', async () => {
    const anchor = await open(await newBucket(), {}, { ...setClock(), ms: Date.now() - 7300 * DAY_MS });
    expect(await failure(anchor.publish(log.at(3)))).toBeInstanceOf(PermanentError);
  });

  it('speaks TLS with an authority of its own, and with no other', async () => {
    const authority: CertificateAuthority = createAuthority();
    const secure = await startS3Server(authority.issue('s3', ['IP:127.0.0.1']));
    try {
      const config = configOf('none', { url: secure.url, ca_file: authority.caFile });
      const trusted = await failure(openAnchor(config, setClock(), secretsOf(secure)));
      expect(trusted.message).toContain('there is no such bucket');
      const { ca_file, ...distrusting } = config as { ca_file?: string } & typeof config;
      expect(ca_file).toBe(authority.caFile);
      const anchor = await openAnchor(distrusting, setClock(), secretsOf(secure));
      expect((await failure(anchor.publish(log.at(3)))).message).toMatch(/UNABLE_TO_VERIFY|SELF_SIGNED/);
    } finally {
      await secure.remove();
      authority.remove();
    }
  });
});

describe('an S3 anchor, with a server that lies', () => {
  const xml = (element: string, content: string) =>
    `<?xml version="1.0"?><${element} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${element}>`;
  const lock = xml('ObjectLockConfiguration', '<ObjectLockEnabled>Enabled</ObjectLockEnabled>');
  const noVersions = xml('ListVersionsResult', '<IsTruncated>false</IsTruncated>');
  const lying = (
    answer: (method: string, url: string) => { status?: number; body?: string; head?: object },
  ) =>
    lyingServer((_, response, { method = '', url = '' }) => {
      const {
        status = 200,
        body = '',
        head = {},
      } = url.includes('?object-lock') ? { body: lock } : answer(method, url);
      response.writeHead(status, { 'content-type': 'application/xml', ...head }).end(body);
    });
  const publish = async (url: string) => {
    const credentials = { access_key_id: { env: 'KEY' }, secret_access_key: { env: 'SECRET' } };
    const config = {
      id: 's',
      type: 's3',
      bucket: 'kept',
      url,
      path_style: true,
      interval_ms: 0,
      credentials,
    } as const;
    const anchor = await openAnchor({ ...config, timeout_ms: 2_000 }, setClock(), { KEY: 'k', SECRET: 's' });
    return anchor.publish(log.at(9));
  };

  it('does not take what it put there for locked when the server does not say so', async () => {
    for (const head of [
      {},
      {
        'x-amz-object-lock-mode': 'GOVERNANCE',
        'x-amz-object-lock-retain-until-date': '2090-01-01T00:00:00Z',
      },
      {
        'x-amz-object-lock-mode': 'COMPLIANCE',
        'x-amz-object-lock-retain-until-date': '2026-09-22T00:00:00Z',
      },
    ]) {
      const { url } = await lying((method) => (method === 'GET' ? { body: noVersions } : { head }));
      const error = await failure(publish(url));
      expect(error).toBeInstanceOf(PermanentError);
      expect(error.message).toContain('did not lock what was put there');
    }
  });

  it('comes to an end with a list without end, nonsense, and every status', async () => {
    const more = '<IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>';
    const endless = await lying(() => ({ body: xml('ListVersionsResult', more) }));
    expect((await failure(publish(endless.url))).message).toContain('too much else is before them');
    for (const body of ['', 'nonsense', '<a>', xml('Other', '')]) {
      const { url } = await lying((method) => (method === 'GET' ? { body } : { status: 403 }));
      expect(await failure(publish(url))).toBeInstanceOf(CustodyError);
    }
    for (const [status, kind] of [
      [301, PermanentError],
      [403, PermanentError],
      [404, PermanentError],
      [409, PermanentError],
      [429, TransientError],
      [500, TransientError],
      [501, PermanentError],
      [503, TransientError],
    ] as const) {
      const { url } = await lying((method) => (method === 'GET' ? { body: noVersions } : { status }));
      expect(await failure(publish(url)), `status ${status}`).toBeInstanceOf(kind);
    }
  });

  it('needs TLS beyond loopback', () => {
    const parse = (changes: object) =>
      anchorSchema.safeParse({ id: 's', type: 's3', bucket: 'kept', url: 'http://s3.example', ...changes });
    expect(parse({}).error?.issues[0]).toMatchObject({ path: ['url'] });
    expect(parse({ dangerously_without_tls: true }).success).toBe(true);
    expect(parse({ url: undefined }).success).toBe(true);
    expect(parse({ url: 'https://s3.example' }).success).toBe(true);
  });
});
