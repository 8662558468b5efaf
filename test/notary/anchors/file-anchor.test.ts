import { execFileSync } from 'node:child_process';
import { appendFile, mkdtemp, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, IntegrityError, TransientError } from '../../../runtime/errors.ts';
import { verifies } from '../../requirements.ts';
import { anchorContract } from './contract.ts';
import { failure, openAnchor } from './open-anchor.ts';
import { ORIGIN, sampleLog } from './sample-log.ts';

const log = sampleLog();
let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'custody-anchor-'));
  path = join(folder, 'checkpoints.ndjson');
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const open = (at = path) => openAnchor({ id: 'disk', type: 'file', path: at });
const lines = async () => (await readFile(path, 'utf8')).split('\n').slice(0, -1);

describe('a file anchor', () => {
  anchorContract(() => Promise.resolve({ evidence: 'place', remembers: true, open: () => open() }));

  it('keeps one line of JSON for each checkpoint, readable by its owner alone', async () => {
    const anchor = await open();
    await anchor.publish(log.at(3));
    await anchor.publish(log.at(4));
    await anchor.publish(log.at(4));
    const kept = (await lines()).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(kept.map(({ size }) => size)).toEqual(['3', '4']);
    expect(kept[0]).toMatchObject({ origin: ORIGIN, root: Buffer.from(log.at(3).root).toString('hex') });
    expect(kept[0]?.['note']).toContain(`\u2014 ${ORIGIN} `);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('does not make the file before there is something to keep', async () => {
    const anchor = await open();
    expect(await anchor.latest!(ORIGIN)).toBeUndefined();
    expect(await stat(path).catch(() => undefined)).toBeUndefined();
  });

  it('ends a line that a crash cut off, wherever it was cut, and goes on behind it', async () => {
    verifies('P1');
    await (await open()).publish(log.at(5));
    const whole = await readFile(path);
    await (await open()).publish(log.at(6));
    const second = (await readFile(path)).subarray(whole.length);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: second.length - 2 }), async (cut) => {
        await writeFile(path, Buffer.concat([whole, second.subarray(0, cut)]));
        const anchor = await open();
        expect((await anchor.latest!(ORIGIN))?.size).toBe(5n);
        await anchor.publish(log.at(6));
        expect((await anchor.latest!(ORIGIN))?.size).toBe(6n);
        expect((await (await open()).latest!(ORIGIN))?.size).toBe(6n);
        expect(await lines()).toHaveLength(3);
      }),
      { numRuns: 20 },
    );
  });

  it('takes a last line without its newline for one that was never written', async () => {
    await (await open()).publish(log.at(5));
    await truncate(path, (await stat(path)).size - 1);
    const anchor = await open();
    await anchor.publish(log.at(5));
    expect((await anchor.latest!(ORIGIN))?.size).toBe(5n);
    expect((await (await open()).latest!(ORIGIN))?.size).toBe(5n);
  });

  it('notices when what it wrote has been cut off, replaced or removed', async () => {
    verifies('P4');
    const anchor = await open();
    await anchor.publish(log.at(5));
    await anchor.publish(log.at(6));
    const content = await readFile(path, 'utf8');
    const attacks: [string, () => Promise<unknown>][] = [
      ['cut off', () => truncate(path, content.indexOf('\n') + 1)],
      ['emptied', () => truncate(path, 0)],
      ['replaced', () => writeFile(path, content.replace('"size":"6"', '"size":"7"'))],
      ['removed', () => rename(path, `${path}.old`)],
    ];
    for (const [attack, act] of attacks) {
      await act();
      expect(await failure(anchor.latest!(ORIGIN)), attack).toBeInstanceOf(IntegrityError);
      expect(await failure(anchor.publish(log.at(7))), attack).toBeInstanceOf(IntegrityError);
      await writeFile(path, content);
      expect((await anchor.latest!(ORIGIN))?.size, attack).toBe(6n);
    }
  });

  it('sees what another has written to the file meanwhile', async () => {
    const anchor = await open();
    await anchor.publish(log.at(5));
    await (await open()).publish(log.at(9));
    expect(await failure(anchor.publish(log.at(8)))).toBeInstanceOf(IntegrityError);
    expect((await anchor.latest!(ORIGIN))?.size).toBe(9n);
  });

  it('says the largest checkpoint where smaller ones come behind it, and keeps logs apart', async () => {
    await (await open()).publish(log.at(9));
    const late = join(folder, 'late');
    await (await open(late)).publish(log.at(4));
    await appendFile(path, await readFile(late));
    expect((await (await open()).latest!(ORIGIN))?.size).toBe(9n);
    const tenant = sampleLog({ ...log.key, name: 'other/anchor' });
    const anchor = await open();
    await anchor.publish(tenant.at(2));
    expect((await anchor.latest!('other/anchor'))?.size).toBe(2n);
    expect((await anchor.latest!(ORIGIN))?.size).toBe(9n);
  });

  it('refuses a file with two trees of one size, with lines of others, and one that is no text', async () => {
    const anchor = await open();
    await anchor.publish(log.at(9));
    const good = await readFile(path, 'utf8');
    const other = join(folder, 'other');
    await (await open(other)).publish(sampleLog(log.key, 'other').at(9));
    const parsed = JSON.parse(good) as Record<string, unknown>;
    const bad = [
      good + (await readFile(other, 'utf8')),
      `${good}{"hello":"world"}\n`,
      `${good}${JSON.stringify({ ...parsed, size: '10' })}\n`,
      `${good}${JSON.stringify({ ...parsed, root: '00'.repeat(32) })}\n`,
      `${good}${JSON.stringify({ ...parsed, origin: 'acme/else' })}\n`,
      `${good}[]\n`,
      good + 'x'.repeat(3 * 1024 * 1024),
    ];
    for (const content of bad) {
      await writeFile(path, content);
      const opened = await open();
      expect(await failure(opened.latest!(ORIGIN))).toBeInstanceOf(IntegrityError);
      expect(await failure(opened.publish(log.at(20)))).toBeInstanceOf(IntegrityError);
    }
  });

  it('reads a long file in little memory and little time', async () => {
    await (await open()).publish(log.at(9));
    const line = await readFile(path);
    await writeFile(path, Buffer.alloc(line.length * 40_000, line));
    const anchor = await open();
    const heapBytes = process.memoryUsage().arrayBuffers;
    expect((await anchor.latest!(ORIGIN))?.size).toBe(9n);
    expect(process.memoryUsage().arrayBuffers - heapBytes).toBeLessThan(16 * 1024 * 1024);
    const begun = performance.now();
    await anchor.publish(log.at(10));
    expect(performance.now() - begun).toBeLessThan(500);
  });

  it('says that the disk is full, and keeps what it had', async () => {
    const anchor = await open('/dev/full');
    const error = await failure(anchor.publish(log.at(9)));
    expect(error.message).toMatch(/no regular file/);
    // A real full file system needs a mount; a file size limit gives the same half-written line.
    const script = join(import.meta.dirname, 'fill-file.ts');
    const out = execFileSync('sh', ['-c', `ulimit -f 1; exec node --import tsx "${script}" "${path}"`], {
      encoding: 'utf8',
    });
    const told = JSON.parse(out) as { last: number; code: string; kind: string };
    expect(told).toMatchObject({ code: 'disk_full', kind: 'TransientError' });
    const reopened = await open();
    expect((await reopened.latest!(ORIGIN))?.size).toBe(BigInt(told.last));
    expect((await stat(path)).size).toBeGreaterThan(0);
  });

  it('says at the start that the directory is missing, and later that it has gone', async () => {
    const error = await failure(open(join(folder, 'missing', 'checkpoints')));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.path).toBe('notary.anchors.disk.path');
    const anchor = await open();
    await rm(folder, { recursive: true });
    const later = await failure(anchor.publish(log.at(3)));
    expect(later).toBeInstanceOf(TransientError);
    expect(later.message).toContain('ENOENT');
  });

  it('does not wait for a pipe', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    expect((await failure((await open(pipe)).publish(log.at(3)))).message).toContain('no regular file');
  });
});
