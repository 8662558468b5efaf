import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseNote, parseSignatures } from '../../evidence/note/note.ts';
import { verifiedBy } from '../../evidence/note/key.ts';
import { formatAddCheckpoint } from '../../evidence/witness.ts';
import { TransientError } from '../../runtime/errors.ts';
import { createLogger } from '../../runtime/logger.ts';
import { createWitness, type WitnessOptions } from '../../witness/server.ts';
import { makeWitnessState, openWitnessState, type WitnessState } from '../../witness/state.ts';
import { attack } from '../attack-catalogue.ts';
import { verifies } from '../requirements.ts';
import { growingLog, newKey } from './growing-log.ts';

const NOW_MS = 1_790_000_000_500;
const log = growingLog(newKey('log.example', 'log'));
const other = growingLog(newKey('other.example', 'log'));
const key = newKey('witness.example', 'witness');

let directory: string;
const stops: (() => Promise<void>)[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'custody-witness-'));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await rm(directory, { recursive: true, force: true });
});

async function start(state?: WitnessState, changes: Partial<WitnessOptions> = {}) {
  const witness = createWitness({
    host: '127.0.0.1',
    port: 0,
    tls: undefined,
    key,
    logs: [log.key, other.key],
    state: state ?? (await openWitnessState(directory, key)),
    clock: { nowMs: () => NOW_MS },
    logger: createLogger({ level: 'silent' }),
    ...changes,
  });
  await witness.start();
  stops.push(() => witness.stop());
  const { host, port } = witness.address();
  return {
    stop: () => witness.stop(),
    post: async (body: string | Uint8Array, type = 'text/plain') => {
      const response = await fetch(`http://${host}:${port}/add-checkpoint`, {
        method: 'POST',
        body,
        headers: { 'content-type': type },
      });
      return {
        status: response.status,
        type: response.headers.get('content-type'),
        text: await response.text(),
      };
    },
  };
}

/** When the witness says that it signed a tree of this size; `undefined` when it did not. */
function signedTime(size: number, answer: string): bigint | undefined {
  const note = { text: log.textOf(size), signatures: parseSignatures(answer) };
  return verifiedBy(note, [key]).by[0]?.timeSec;
}

describe('a witness', () => {
  it('answers with its cosignature of the checkpoint, and the time of its own clock', async () => {
    const { post } = await start();
    const { status, text } = await post(log.request(0, 5));
    expect(status).toBe(200);
    expect(signedTime(5, text)).toBe(1_790_000_000n);
    expect(signedTime(6, text)).toBeUndefined();
  });

  it('keeps only the signatures of keys it knows, so that nobody can fill its state with others', async () => {
    verifies('P10');
    const { post, stop } = await start();
    const [text = '', lines = ''] = log.request(0, 5).split('\n\n').slice(-2);
    expect(text).toContain('log.example');
    const junk = `\u2014 log.example ${Buffer.alloc(8).toString('base64')}\n`.repeat(30);
    const ofWitness = `\u2014 ${key.name} ${Buffer.from(`${key.keyId}0000`, 'hex').toString('base64')}\n`;
    const request = log.request(0, 5).replace(lines, lines.repeat(20) + junk + ofWitness);
    expect((await post(request)).status).toBe(200);
    await stop();
    const [name = ''] = (await readdir(directory)).filter((each) => each.endsWith('.note'));
    expect(parseNote(await readFile(join(directory, name))).signatures).toHaveLength(2);
    expect((await (await start()).post(log.request(5, 9))).status).toBe(200);
  });

  it('tells with both notes, once, that a log has signed two trees of one size', async () => {
    verifies('P4');
    const told: { signed_before?: string; refused?: string }[] = [];
    const logger = createLogger({ level: 'silent' });
    const { post } = await start(undefined, {
      logger: Object.assign(Object.create(logger) as typeof logger, {
        error: (fields: { signed_before?: string; refused?: string }) => told.push(fields),
      }),
    });
    await post(log.request(0, 5));
    const fork = log.noteOf(log.textOf(5, log.rootOf(1, 6)));
    for (const old of [5, 5, 0])
      expect((await post(formatAddCheckpoint(BigInt(old), [], fork))).status).toBe(409);
    await post(formatAddCheckpoint(5n, [], log.noteOf(log.textOf(9))));
    expect(told).toHaveLength(1);
    const [before, after] = [told[0]?.signed_before ?? '', told[0]?.refused ?? ''].map((note) =>
      parseNote(note),
    );
    expect([before?.text, after?.text]).toEqual([log.textOf(5), log.textOf(5, log.rootOf(1, 6))]);
    for (const note of [before, after])
      expect(verifiedBy(note ?? { text: '', signatures: [] }, [log.key]).by).toHaveLength(1);
    attack(21, 'witness', '409, both notes kept');
  });

  it('takes a request of any content type, or of none that it knows', async () => {
    const { post } = await start();
    expect((await post(log.request(0, 5), 'application/octet-stream')).status).toBe(200);
    expect((await post(log.request(5, 6), 'application/json')).status).toBe(200);
  });

  it('keeps each log apart, and tells the size it has when asked from another', async () => {
    const { post } = await start();
    await post(log.request(0, 5));
    expect((await post(other.request(0, 7))).status).toBe(200);
    expect(await post(log.request(0, 9))).toEqual({ status: 409, type: 'text/x.tlog.size', text: '5\n' });
  });

  it('remembers what it signed when it starts again', async () => {
    verifies('P4');
    const first = await start();
    await first.post(log.request(0, 5));
    await first.stop();
    const { post } = await start();
    expect((await post(log.request(0, 9))).text).toBe('5\n');
    expect((await post(log.request(5, 9))).status).toBe(200);
    attack(18, 'witness', '409');
  });

  it('of requests that come at once from one tree signs those that make one history', async () => {
    verifies('P4');
    const { post } = await start();
    await post(log.request(0, 5));
    const sizes = [9, 20, 11, 33, 6, 64];
    const answers = await Promise.all(sizes.map((size) => post(log.request(5, size))));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(sizes.length - 1);
    attack(41, 'witness', '409');
  });

  it('signs nothing when it cannot write down what it signed, and goes on from before when it can again', async () => {
    verifies('P1', 'P10');
    const state = await openWitnessState(directory, key);
    let isFull = true;
    const { post } = await start({
      ...state,
      store: (note) =>
        isFull ? Promise.reject(new TransientError('disk_full', 'cannot write: full')) : state.store(note),
    });
    expect(await post(log.request(0, 5))).toMatchObject({
      status: 503,
      text: 'the state cannot be written\n',
    });
    isFull = false;
    expect((await post(log.request(0, 4))).status).toBe(200);
  });

  it.each([
    ['nothing', ''],
    ['words', 'hello'],
    ['random bytes', Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 197) % 256))],
  ])('refuses %s with 400', async (_what, body) => {
    verifies('P10');
    const { post } = await start();
    expect((await post(body)).status).toBe(400);
  });

  it('refuses what is larger than any checkpoint', async () => {
    verifies('P10');
    const { post } = await start();
    expect((await post('a'.repeat(70_000))).status).toBe(413);
  });
});

describe('the state of a witness', () => {
  const files = async () => (await readdir(directory)).filter((name) => name.endsWith('.note'));

  it('is the cosigned checkpoint itself, which anybody can read and verify', async () => {
    const { post } = await start();
    await post(log.request(0, 5));
    const [name = ''] = await files();
    const note = parseNote(await readFile(join(directory, name)));
    expect(note.text).toBe(log.textOf(5));
    expect(verifiedBy(note, [log.key, key]).by).toHaveLength(2);
  });

  it.each([
    ['changed', (text: string) => text.replace('\n5\n', '\n4\n'), 'has not signed what is in it'],
    ['cut short', (text: string) => text.slice(0, 40), 'it is not a signed note'],
    ['empty', () => '', 'it is not a signed note'],
  ])('stops the start when it was %s', async (_what, change, message) => {
    verifies('P4', 'P10');
    const first = await start();
    await first.post(log.request(0, 5));
    await first.stop();
    const [name = ''] = await files();
    const path = join(directory, name);
    await writeFile(path, change(await readFile(path, 'utf8')));
    await expect(openWitnessState(directory, key)).rejects.toThrow(message);
  });

  it('stops the start when the file of one log is put in the place of another', async () => {
    verifies('P4');
    const first = await start();
    await first.post(log.request(0, 5));
    const [name = ''] = await files();
    await first.post(other.request(0, 7));
    await first.stop();
    const [foreign = ''] = (await files()).filter((each) => each !== name);
    await writeFile(join(directory, name), await readFile(join(directory, foreign)));
    await expect(openWitnessState(directory, key)).rejects.toThrow('it is of another log');
  });

  it('stops the start when it is not there, and is not made twice', async () => {
    verifies('P4');
    const elsewhere = join(directory, 'elsewhere');
    await expect(openWitnessState(elsewhere, key)).rejects.toThrow('it is not there');
    await makeWitnessState(elsewhere);
    await (await openWitnessState(elsewhere, key)).close();
    await expect(makeWitnessState(elsewhere)).rejects.toThrow('EEXIST');
  });

  it('is held by one process', async () => {
    await start();
    await expect(openWitnessState(directory, key)).rejects.toMatchObject({ code: 'locked' });
  });

  it('takes no notice of what a kill left behind', async () => {
    const first = await start();
    await first.post(log.request(0, 5));
    await first.stop();
    const [name = ''] = await files();
    await writeFile(join(directory, `${name}.new`), 'half a no');
    const { post } = await start();
    expect((await post(log.request(5, 9))).status).toBe(200);
  });
});
