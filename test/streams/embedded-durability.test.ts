import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { IntegrityError } from '../../runtime/errors.ts';
import { openEmbeddedLog } from '../../streams/embedded/open-log.ts';
import { patterned } from './child/pattern.ts';
import { logConfig } from './embedded-harness.ts';

const child = (name: string) => fileURLToPath(new URL(`child/${name}.ts`, import.meta.url));
const run = (name: string, directory: string) => ['--import', 'tsx', child(name), directory];
const openLog = (directory: string) =>
  openEmbeddedLog({ directory, clock: systemClock, config: logConfig() });

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'custody-log-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('an acknowledged append', () => {
  it('is there after kill -9, in order and whole, again and again on the same log', async () => {
    const acknowledged = new Set<bigint>();
    for (const killAfter of [40, 1, 25]) {
      const process_ = spawn(process.execPath, run('append-until-killed', directory), {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exit = once(process_, 'exit');
      let lines = 0;
      for await (const line of createInterface({ input: process_.stdout })) {
        for (const offset of line.split(' ')) acknowledged.add(BigInt(offset));
        lines += 1;
        if (lines === killAfter) process_.kill('SIGKILL');
      }
      expect(await exit).toEqual([null, 'SIGKILL']);

      const log = await openLog(directory);
      const topic = log.topic('custody.events');
      const { start, end } = await topic.bounds(0);
      let next = 0n;
      let lastTimeMs = 0;
      for await (const { offset, value, appendTimeMs } of topic.read(0, 0n)) {
        expect(offset).toBe(next);
        expect(appendTimeMs).toBeGreaterThanOrEqual(lastTimeMs);
        expect(Buffer.compare(value, patterned(offset))).toBe(0);
        lastTimeMs = appendTimeMs;
        next += 1n;
      }
      expect(start).toBe(0n);
      expect(next).toBe(end);
      for (const offset of acknowledged) expect(offset).toBeLessThan(end);
      await log.close();
    }
    expect(acknowledged.size).toBeGreaterThan(60);
  });

  const strace = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0;
  it.skipIf(!strace)('has been flushed before it resolves (needs strace)', async () => {
    const trace = join(directory, 'trace');
    // A slow disk: what resolves before its flush shows.
    const slow = ['-e', 'inject=fdatasync:delay_exit=50000'];
    const traced = [
      '-f',
      '-e',
      'trace=fdatasync,pwrite64,openat,write',
      ...slow,
      '-o',
      trace,
      process.execPath,
    ];
    const ran = spawn('strace', [...traced, ...run('append-traced', directory)], { stdio: 'ignore' });
    expect(await once(ran, 'exit')).toEqual([0, null]);
    const lines = (await readFile(trace, 'utf8')).split('\n');
    // The header of the file goes through a descriptor on which every write waits for the disk.
    const header = lines.find((line) => /log\.mdb", O_WRONLY\|O_DSYNC/.test(line))?.match(/= (\d+)/)?.[1];
    expect(header).toBeDefined();
    const begins = lines.flatMap((line, index) => (line.includes('APPEND') ? [index] : []));
    expect(begins).toHaveLength(5);
    for (const begin of begins) {
      const end = lines.findIndex((line, index) => index > begin && line.includes('RESOLVED'));
      const between = lines.slice(begin, end).filter((line) => !line.includes('unfinished'));
      const flushed = between.findIndex((line) => /fdatasync.*= 0/.test(line));
      const switched = between.findLastIndex((line) => line.includes('pwrite64'));
      expect(flushed).toBeGreaterThan(-1);
      expect(switched).toBeGreaterThan(flushed);
      // 128 bytes: the header. Whole pages may be written before the flush, what points to them only after it.
      expect(between.slice(0, flushed).filter((line) => /pwrite64.*= 128$/.test(line))).toEqual([]);
      expect(between[switched]).toMatch(new RegExp(`pwrite64\\(${header!},|pwrite64 resumed`));
    }
  });
});

describe('a full disk', () => {
  const mount = 'mount -t tmpfs -o size=8m none "$0"';
  const flags = process.getuid?.() === 0 ? '-m' : '-rm';
  const mountable = spawnSync('unshare', [flags, 'sh', '-c', mount, tmpdir()]).status === 0;
  it.skipIf(!mountable)(
    'refuses with disk_full, keeps what was acknowledged, and takes appends again (needs a private mount)',
    () => {
      const script = `${mount} && exec "$@"`;
      const args = [flags, 'sh', '-c', script, directory, process.execPath, ...run('fill-disk', directory)];
      const ran = spawnSync('unshare', args, { encoding: 'utf8' });
      expect(ran.signal).toBeNull();
      const result = JSON.parse(ran.stdout) as Record<string, unknown>;
      expect(result).toMatchObject({
        failures: ['disk_full', 'disk_full', 'disk_full'],
        openWhenFull: 'disk_full',
      });
      expect(result['fullAt']).toBe(Number(result['acknowledged']) - 30);
      expect(result['intact']).toBe(result['acknowledged']);
    },
  );
});

describe('a damaged log file', () => {
  const file = () => join(directory, 'log.mdb');
  async function writeRecords(count: number, size: number): Promise<void> {
    const log = await openLog(directory);
    await log.topic('custody.events').append(
      Array.from({ length: count }, (_, index) => ({
        key: 'tenant',
        value: Buffer.alloc(size, `needle-${index};`),
      })),
    );
    await log.close();
  }
  async function readAll(): Promise<number> {
    const log = await openLog(directory);
    try {
      let count = 0;
      for await (const { value } of log.topic('custody.events').read(0, 0n))
        count += value.length > 0 ? 1 : 0;
      return count;
    } finally {
      await log.close();
    }
  }

  it('with one flipped byte in a record is reported with the place of the record', async () => {
    await writeRecords(20, 3000);
    const content = await readFile(file());
    const at = content.indexOf('needle-7;');
    const handle = await open(file(), 'r+');
    await handle.write(Buffer.from([content[at + 100]! ^ 1]), 0, 1, at + 100);
    await handle.close();
    const read = readAll();
    await expect(read).rejects.toBeInstanceOf(IntegrityError);
    await expect(read).rejects.toThrow(
      'cannot read custody.events partition 0 offset 7: the checksum of the stored record does not match',
    );
  });

  it.each([0.95, 0.6, 0.3, 0.05, 0.003])(
    'cut to %f of its length is refused with a clear error',
    async (share) => {
      await writeRecords(300, 3000);
      const { length } = await readFile(file());
      await truncate(file(), Math.trunc(length * share));
      await expect(readAll()).rejects.toBeInstanceOf(IntegrityError);
    },
  );

  it('that is something else is refused with a clear error', async () => {
    await writeFile(file(), Buffer.alloc(65_536, 'not a log'));
    const opened = openLog(directory);
    await expect(opened).rejects.toBeInstanceOf(IntegrityError);
    await expect(opened).rejects.toThrow(/^cannot open .*log\.mdb: it is not a readable log file/);
  });
});
