import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatNote } from '../../../evidence/note/note.ts';
import { signText } from '../../../evidence/note/key.ts';
import { timestampRequest, verifyTimestamp } from '../../../evidence/timestamp.ts';
import { ConfigError, CustodyError, PermanentError, TransientError } from '../../../runtime/errors.ts';
import { anchor as anchorSchema } from '../../../schemas/config/anchors.ts';
import { createTsa, type TestTsa } from '../../support/openssl-tsa.ts';
import { newKey } from '../../witness/growing-log.ts';
import { verifies } from '../../requirements.ts';
import { anchorContract } from './contract.ts';
import { lyingServer, type Handle } from './lying-server.ts';
import { failure, openAnchor, setClock } from './open-anchor.ts';
import { sampleLog } from './sample-log.ts';

const log = sampleLog();
let tsa: TestTsa;
let other: TestTsa;
let expired: TestTsa;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'custody-timestamps-'));
  tsa = createTsa({ key: 'rsa', intermediate: true });
  other = createTsa();
  expired = createTsa({ notAfter: '20210101000000Z' });
});
afterAll(async () => {
  for (const each of [tsa, other, expired]) each.remove();
  await rm(folder, { recursive: true });
});

const honest: Handle = (body, response) => {
  response.writeHead(200, { 'content-type': 'application/timestamp-reply' }).end(tsa.reply(body));
};
const open = (url: string, changes: object = {}, clock = setClock()) =>
  openAnchor(
    {
      id: 'stamp',
      type: 'rfc3161',
      url,
      certificates_file: tsa.rootFile,
      interval_ms: 0,
      timeout_ms: 5_000,
      ...changes,
    },
    clock,
  );
const publish = async (handle: Handle, changes: object = {}) =>
  (await open((await lyingServer(handle)).url, changes)).publish(log.at(9));
const answering =
  (answer: (body: Buffer) => Uint8Array): Handle =>
  (body, response) =>
    response.end(answer(body));

describe('a timestamp anchor, with the authority of openssl', () => {
  anchorContract(async () => {
    const { url } = await lyingServer(honest);
    return { evidence: 'timestamp', remembers: false, open: () => open(url) };
  });

  it('gives a token over the text and the signature of the log, without cosignatures', async () => {
    const { url, bodies } = await lyingServer((body, response, request) => {
      expect(request.headers['content-type']).toBe('application/timestamp-query');
      honest(body, response, request);
    });
    const checkpoint = log.at(9);
    const cosignature = signText(newKey('witness.example', 'witness'), checkpoint.note.text, 1n);
    const signatures = [...checkpoint.note.signatures, cosignature];
    const evidence = await (
      await open(url)
    ).publish({ ...checkpoint, note: { ...checkpoint.note, signatures } });
    if (evidence?.type !== 'timestamp') throw new Error('no token');
    const message = Buffer.from(formatNote(checkpoint.note));
    expect(verifyTimestamp(evidence.token, message, tsa.rootPem)).toHaveProperty('timeMs');
    expect(tsa.verify(message, evidence.token, true)).toBe(true);
    expect(bodies).toHaveLength(1);
  });

  it('asks with another nonce each time', async () => {
    const { url, bodies } = await lyingServer(honest);
    const anchor = await open(url);
    for (const size of [1, 2, 3]) await anchor.publish(log.at(size));
    expect(new Set(bodies.map((body) => body.toString('hex').slice(-32))).size).toBe(3);
  });

  it('asks once an hour unless told otherwise, and a failure does not count', async () => {
    let isDown = true;
    const { url, bodies } = await lyingServer((body, response, request) => {
      if (isDown) response.writeHead(503).end();
      else honest(body, response, request);
    });
    const clock = setClock();
    const { interval_ms } = anchorSchema.parse({ id: 's', type: 'rfc3161', url }) as { interval_ms: number };
    expect(interval_ms).toBe(3_600_000);
    const anchor = await open(url, { interval_ms }, clock);
    expect(anchor.minIntervalMs).toBe(3_600_000);
    expect(await failure(anchor.publish(log.at(1)))).toBeInstanceOf(TransientError);
    isDown = false;
    expect((await anchor.publish(log.at(1)))?.type).toBe('timestamp');
    clock.ms += 3_599_999;
    expect(await anchor.publish(log.at(2))).toBeUndefined();
    clock.ms += 1;
    expect((await anchor.publish(log.at(2)))?.type).toBe('timestamp');
    clock.ms -= 86_400_000;
    expect((await anchor.publish(log.at(3)))?.type).toBe('timestamp');
    expect(bodies).toHaveLength(4);
  });
});

describe('a timestamp anchor, with an authority that lies', () => {
  const message = Buffer.from(formatNote(log.at(9).note));

  it.each<[string, (body: Buffer) => Uint8Array, RegExp]>([
    [
      'answers another request',
      () => tsa.reply(timestampRequest(message, Buffer.alloc(8, 1))),
      /its token answers another request/,
    ],
    [
      'leaves the nonce out',
      () => tsa.reply(tsa.query(message, '-cert', '-no_nonce')),
      /answers another request/,
    ],
    [
      'stamps another message under the nonce asked for',
      (body) => {
        const hash = body.indexOf(Buffer.from('0420', 'hex')) + 2;
        const changed = Buffer.from(body);
        changed[hash]! ^= 1;
        return tsa.reply(changed);
      },
      /the token is over something else/,
    ],
    ['is another', (body) => other.reply(body), /does not lead to a pinned one/],
    ['is cut off', (body) => tsa.reply(body).subarray(0, -1), /its answer is no token/],
    ['answers nothing', () => Buffer.of(), /its answer is no token/],
    ['answers garbage', () => Buffer.from('<html>hello</html>'), /its answer is no token/],
    [
      'changed its token',
      (body) => flipped(tsa.reply(body)),
      /signature does not verify|over another timestamp/,
    ],
  ])('refuses the token of one that %s', async (_, answer, reason) => {
    const error = await failure(publish(answering(answer)));
    expect(error).toBeInstanceOf(PermanentError);
    expect(error.message).toMatch(reason);
  });

  it('refuses the token of one whose certificate has expired', async () => {
    const error = await failure(
      publish(
        answering((body) => expired.reply(body)),
        { certificates_file: expired.rootFile },
      ),
    );
    expect(error.message).toMatch(/a certificate was not valid at the time stamped/);
  });

  it('without pinned certificates still wants the imprint, the nonce and a token', async () => {
    const changes = { certificates_file: undefined };
    expect(
      (
        await publish(
          answering((body) => other.reply(body)),
          changes,
        )
      )?.type,
    ).toBe('timestamp');
    const old = tsa.reply(timestampRequest(message, Buffer.alloc(8, 1)));
    expect(
      (
        await failure(
          publish(
            answering(() => old),
            changes,
          ),
        )
      ).message,
    ).toMatch(/answers another request/);
  });

  it('tells a refusal that passes from one that stays', async () => {
    const refusal = (failInfo: string) =>
      answering(() => Buffer.from(`300930070201020302${failInfo}`, 'hex'));
    expect(await failure(publish(refusal('0520')))).toBeInstanceOf(PermanentError);
    const later = answering(() => Buffer.from('300a3008020102' + '0303000002', 'hex'));
    const error = await failure(publish(later));
    expect(error).toBeInstanceOf(TransientError);
    expect(error.message).toContain('status 2, timeNotAvailable');
    expect((await failure(publish((_, response) => response.writeHead(404).end()))).message).toContain('404');
  });

  it('gives up on one that never answers, or sends without end', async () => {
    expect((await failure(publish(() => undefined, { timeout_ms: 200 }))).message).toContain(
      'no answer in 200 ms',
    );
    const flood = answering(() => Buffer.alloc(10 * 1024 * 1024, 0x30));
    expect((await failure(publish(flood))).message).toContain('more than 65536 bytes');
  });

  it('comes to an end with any answer', async () => {
    verifies('P10');
    let answer: Uint8Array = Buffer.of();
    const { url } = await lyingServer(answering(() => answer));
    const good = tsa.reply(timestampRequest(message, Buffer.alloc(8, 1)));
    const mutated = fc
      .tuple(fc.nat(good.length - 1), fc.uint8Array({ maxLength: 20 }))
      .map(([at, bytes]) => Buffer.concat([good.subarray(0, at), bytes, good.subarray(at + bytes.length)]));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 100 }), mutated), async (bytes) => {
        answer = bytes;
        expect(await failure((await open(url)).publish(log.at(9)))).toBeInstanceOf(CustodyError);
      }),
      { numRuns: 150 },
    );
  });
});

/** One bit of the signed time changed. */
function flipped(response: Buffer): Buffer {
  const changed = Buffer.from(response);
  const at = changed.indexOf(Buffer.from('180f', 'hex'));
  changed[at + 15]! ^= 1;
  return changed;
}

describe('the configuration of a timestamp anchor', () => {
  it('names the file that is missing or holds no certificate', async () => {
    const missing = await failure(
      open('http://127.0.0.1:1', { certificates_file: join(folder, 'none.pem') }),
    );
    expect(missing).toBeInstanceOf(ConfigError);
    expect(missing.path).toBe('notary.anchors.stamp.certificates_file');
    await writeFile(join(folder, 'bad.pem'), 'hello');
    const bad = await failure(open('http://127.0.0.1:1', { certificates_file: join(folder, 'bad.pem') }));
    expect(bad.message).toContain('there is no certificate in the PEM text');
  });

  it('needs TLS beyond loopback, or a word that it is known', () => {
    const parse = (changes: object) =>
      anchorSchema.safeParse({ id: 's', type: 'rfc3161', url: 'http://tsa.example', ...changes });
    expect(parse({}).error?.issues[0]).toMatchObject({ path: ['url'] });
    expect(parse({ dangerously_without_tls: true }).success).toBe(true);
    expect(parse({ url: 'ftp://tsa.example' }).success).toBe(false);
  });
});
