import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { formatVerifierKey, signText, verifiedBy } from '../../../evidence/note/key.ts';
import { formatSignature, parseSignatures } from '../../../evidence/note/note.ts';
import { parseAddCheckpoint } from '../../../evidence/witness.ts';
import type { AnchoredCheckpoint } from '../../../notary/anchor.ts';
import {
  ConfigError,
  CustodyError,
  IntegrityError,
  PermanentError,
  TransientError,
} from '../../../runtime/errors.ts';
import { createLogger } from '../../../runtime/logger.ts';
import { readTls } from '../../../runtime/listen.ts';
import { anchor as anchorSchema } from '../../../schemas/config/anchors.ts';
import { createWitness, type WitnessOptions } from '../../../witness/server.ts';
import { makeWitnessState, openWitnessState } from '../../../witness/state.ts';
import { createAuthority } from '../../support/certificates.ts';
import { newKey } from '../../witness/growing-log.ts';
import { attack, twin } from '../../attack-catalogue.ts';
import { verifies } from '../../requirements.ts';
import { anchorContract } from './contract.ts';
import { lyingServer } from './lying-server.ts';
import { failure, openAnchor } from './open-anchor.ts';
import { NOW_MS, ORIGIN, sampleLog, type SampleLog } from './sample-log.ts';

const key = newKey('witness.example', 'witness');
const log = sampleLog();
const otherHistory = sampleLog(log.key, 'other');
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'custody-witness-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Our own witness, with a state of its own. */
async function startWitness(
  known: SampleLog = log,
  changes: Partial<WitnessOptions> = {},
  state = 'state',
): Promise<string> {
  const directory = join(folder, state);
  await makeWitnessState(directory).catch(() => undefined);
  const witness = createWitness({
    host: '127.0.0.1',
    port: 0,
    tls: undefined,
    key,
    logs: [known.key],
    state: await openWitnessState(directory, key),
    clock: { nowMs: () => NOW_MS },
    logger: createLogger({ level: 'silent' }),
    ...changes,
  });
  await witness.start();
  onTestFinished(() => witness.stop());
  const { host, port } = witness.address();
  return `${changes.tls === undefined ? 'http' : 'https'}://${host}:${port}`;
}
const open = (url: string, changes: object = {}) =>
  openAnchor({
    id: 'watch',
    type: 'witness',
    url,
    verifier_key: formatVerifierKey(key),
    timeout_ms: 2_000,
    ...changes,
  });
/** When the witness signed that checkpoint; `undefined` when the line is no signature of it. */
const signedTime = ({ note }: AnchoredCheckpoint, line: string) =>
  verifiedBy({ text: note.text, signatures: parseSignatures(line) }, [key]).by[0]?.timeSec;
const cosigned = (checkpoint: AnchoredCheckpoint, signer = key) =>
  formatSignature(signText(signer, checkpoint.note.text, 1_790_000_000n));

describe('a witness anchor, with our own witness', () => {
  anchorContract(async (known) => {
    const url = await startWitness(known);
    return { evidence: 'cosignature', remembers: true, open: () => open(url) };
  });

  it('gives the cosignature of the checkpoint, as a line for the note', async () => {
    const anchor = await open(await startWitness());
    const evidence = await anchor.publish(log.at(5));
    if (evidence?.type !== 'cosignature') throw new Error('no cosignature');
    expect(signedTime(log.at(5), evidence.line)).toBe(BigInt(NOW_MS / 1000));
    expect(signedTime(log.at(6), evidence.line)).toBeUndefined();
  });

  it('leads on from the size of the witness, whoever brought it there', async () => {
    const url = await startWitness();
    const [one, two] = [await open(`${url}/`), await open(url)];
    for (const size of [3, 5, 8]) {
      await one.publish(log.at(size));
      expect((await two.publish(log.at(size + 1)))?.type).toBe('cosignature');
    }
  });

  it('takes a log for another that went back, was written anew, or was replaced and then grew', async () => {
    verifies('P4');
    const url = await startWitness();
    await (await open(url)).publish(log.at(20));
    const attacks: [string, AnchoredCheckpoint][] = [
      ['went back', log.at(19)],
      ['same size, other tree', otherHistory.at(20)],
      ['other tree, grown beyond', otherHistory.at(30)],
      ['one entry', otherHistory.at(1)],
      ['a size it never had', { ...log.at(30), proofFrom: () => Promise.reject(new RangeError('never')) }],
    ];
    for (const [attack, checkpoint] of attacks) {
      const anchor = await open(url);
      expect(await failure(anchor.publish(checkpoint)), attack).toBeInstanceOf(IntegrityError);
      expect((await (await open(url)).publish(log.at(20)))?.type, attack).toBe('cosignature');
    }
    attack(18, 'witness', 'refused: another history');
    attack(21, 'notary', 'another history');
  });

  it('survives two that publish at the same time', async () => {
    const url = await startWitness();
    const anchors = await Promise.all(Array.from({ length: 4 }, () => open(url)));
    for (let size = 1; size < 40; size += 7) {
      const given = await Promise.allSettled(anchors.map((anchor) => anchor.publish(log.at(size))));
      for (const outcome of given)
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(TransientError);
      expect(given.some(({ status }) => status === 'fulfilled')).toBe(true);
    }
    twin(41, 'notary');
  });

  it('says that the witness must be told of this log', async () => {
    const anchor = await open(await startWitness(sampleLog(newKey('acme/else', 'log'))));
    const error = await failure(anchor.publish(log.at(3)));
    expect(error).toBeInstanceOf(PermanentError);
    expect(error.message).toContain('it does not know this log');
    const stranger = await open(await startWitness(sampleLog(newKey(ORIGIN, 'log')), {}, 'other'));
    expect((await failure(stranger.publish(log.at(3)))).message).toContain('the key of this log');
  });

  it('speaks TLS with an authority of its own, and with no other', async () => {
    const authority = createAuthority();
    onTestFinished(() => authority.remove());
    const { certFile, keyFile } = authority.issue('witness', ['IP:127.0.0.1']);
    const tls = readTls(
      {
        enabled: true,
        host: '',
        port: 0,
        dangerously_without_tls: false,
        tls: { cert_file: certFile, key_file: keyFile },
      },
      'tls',
    );
    const url = await startWitness(log, { tls });
    expect((await (await open(url, { ca_file: authority.caFile })).publish(log.at(3)))?.type).toBe(
      'cosignature',
    );
    expect((await failure((await open(url)).publish(log.at(4)))).message).toMatch(
      /UNABLE_TO_VERIFY|SELF_SIGNED/,
    );
  });
});

describe('a witness anchor, with a witness that lies', () => {
  const publish = async (handle: Parameters<typeof lyingServer>[0], changes: object = {}) => {
    const { url } = await lyingServer(handle);
    return (await open(url, changes)).publish(log.at(9));
  };

  it('passes over forged and foreign lines, and takes the good one among them', async () => {
    const forged = formatSignature({ ...signText(key, log.at(8).note.text, 1n) });
    const foreign = cosigned(log.at(9), newKey('witness.example', 'witness'));
    const good = cosigned(log.at(9));
    const evidence = await publish((_, response) => response.end(forged + foreign + good));
    expect(evidence).toEqual({ type: 'cosignature', line: good });
    attack(41, 'notary', 'forged lines ignored');
  });

  it('takes no answer without a signature of the witness for one', async () => {
    const answers = [
      '',
      '\n',
      'garbage',
      cosigned(log.at(8)),
      cosigned(log.at(9), newKey('witness.example', 'witness')),
      formatSignature(log.at(9).note.signatures[0]!),
      cosigned(log.at(9)).slice(0, -1),
      Buffer.from([0xff, 0xfe, 0x0a]),
    ];
    for (const answer of answers) {
      const error = await failure(publish((_, response) => response.end(answer)));
      expect(error).toBeInstanceOf(PermanentError);
      expect(error.message).toContain('has no signature of witness.example');
    }
  });

  it('comes to an end with any status and any answer', async () => {
    verifies('P10');
    let answer = { status: 200, body: Buffer.of() };
    const { url } = await lyingServer((_, response) => {
      response.writeHead(answer.status).end(answer.body);
    });
    const status = fc.constantFrom(200, 204, 301, 400, 403, 404, 409, 413, 422, 429, 500, 503);
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string().map((text) => Buffer.from(text)),
      fc.nat(20).map((size) => Buffer.from(`${size}\n`)),
    );
    await fc.assert(
      fc.asyncProperty(status, bytes, async (code, body) => {
        answer = { status: code, body: Buffer.from(body) };
        const error = await failure((await open(url)).publish(log.at(9)));
        expect(error).toBeInstanceOf(CustodyError);
      }),
      { numRuns: 100 },
    );
  });

  it('does not follow a redirect, and says later when it is asked to come later', async () => {
    const redirect = publish((_, response) =>
      response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
    );
    expect((await failure(redirect)).message).toContain('it answered 307');
    const busy = publish((_, response) => response.writeHead(503, { 'retry-after': '7' }).end());
    expect((await failure(busy)).retryAfterMs).toBe(7_000);
  });

  it('gives up on a witness that never answers, never ends its answer, or sends without end', async () => {
    const changes = { timeout_ms: 200 };
    const silent = publish(() => undefined, changes);
    expect((await failure(silent)).message).toContain('no answer in 200 ms');
    const endless = publish((_, response) => void response.writeHead(200).write('x'), changes);
    expect(await failure(endless)).toBeInstanceOf(TransientError);
    const flood = publish((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      more();
    });
    expect((await failure(flood)).message).toContain('more than 65536 bytes');
    attack(41, 'notary', 'unreachable');
  });

  it('gives up on a witness whose size changes with each answer', async () => {
    let size = 0;
    const { url, bodies } = await lyingServer((_, response) => {
      size += 1;
      response.writeHead(409, { 'content-type': 'text/x.tlog.size' }).end(`${size}\n`);
    });
    expect(await failure((await open(url)).publish(log.at(9)))).toBeInstanceOf(TransientError);
    expect(bodies.map((body) => parseAddCheckpoint(body).oldSize)).toEqual([0n, 1n, 2n, 3n]);
  });

  it('stops waiting when it is closed', async () => {
    const { url } = await lyingServer(() => undefined);
    const anchor = await open(url, { timeout_ms: 60_000 });
    const waiting = failure(anchor.publish(log.at(9)));
    await anchor.close();
    expect((await waiting).message).toContain('stopped');
  });
});

describe('the configuration of a witness anchor', () => {
  it('needs TLS beyond loopback', () => {
    verifies('P8');
    const parse = (changes: object) =>
      anchorSchema.safeParse({
        id: 'w',
        type: 'witness',
        url: 'http://witness.example',
        verifier_key: 'k',
        ...changes,
      });
    expect(parse({}).error?.issues[0]).toMatchObject({ path: ['url'] });
    expect(parse({ dangerously_without_tls: true }).success).toBe(true);
    expect(parse({ url: 'http://127.0.0.1:1' }).success).toBe(true);
    expect(parse({ url: 'https://witness.example' }).success).toBe(true);
    expect(parse({ url: 'https://me:secret@witness.example' }).error?.issues[0]).toMatchObject({
      path: ['url'],
    });
  });

  it('names the key that is no key of a witness', async () => {
    for (const verifier_key of ['nonsense', formatVerifierKey(log.key)]) {
      const error = await failure(open('http://127.0.0.1:1', { verifier_key }));
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.path).toBe('notary.anchors.watch.verifier_key');
    }
  });
});
