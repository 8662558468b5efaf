import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOcsfFileSink } from '../../../../sinks/siem/ocsf-file/sink.ts';
import { sampleAlert, uuid } from '../sample-alert.ts';

const signal = new AbortController().signal;
const retry = { base_ms: 1, cap_ms: 1 };
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'custody-ocsf-file-'));
  path = join(folder, 'alerts', 'soc.ocsf.ndjson');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function openSink(overrides: { path?: string } = {}) {
  const sink = createOcsfFileSink(
    { id: 'soc', type: 'ocsf_file', fsync: true, retry, ...overrides },
    { dataDir: folder },
  );
  await sink.start();
  return sink;
}
const ids = (file = path) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { metadata: { uid: string } }).metadata.uid);

describe('OCSF file sink', () => {
  it('appends one line per alert to a file only the owner can read', async () => {
    const sink = await openSink();
    await sink.write([sampleAlert(1), sampleAlert(2)], signal);
    await sink.write([sampleAlert(3)], signal);
    await sink.stop();
    expect(ids()).toEqual([uuid(1), uuid(2), uuid(3)]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8').endsWith('\n')).toBe(true);
  });

  it('repairs a line torn at any byte, so that every line parses and no whole line is lost', async () => {
    const first = await openSink();
    await first.write([sampleAlert(1), sampleAlert(2)], signal);
    await first.stop();
    const whole = readFileSync(path);
    const firstLineBytes = whole.indexOf('\n') + 1;
    for (
      let cut = 0;
      cut <= whole.length;
      cut += cut > whole.length - 4 || Math.abs(cut - firstLineBytes) < 4 ? 1 : 37
    ) {
      writeFileSync(path, whole.subarray(0, cut));
      const sink = await openSink();
      await sink.write([sampleAlert(3)], signal);
      await sink.stop();
      const complete = [
        ...(cut >= firstLineBytes - 1 ? [uuid(1)] : []),
        ...(cut >= whole.length - 1 ? [uuid(2)] : []),
      ];
      expect(ids()).toEqual([...complete, uuid(3)]);
    }
  });

  it('refuses a file that does not end in a line of its own, and one that is no file', async () => {
    const foreign = join(folder, 'database');
    writeFileSync(foreign, 'x'.repeat(200_000));
    await expect(openSink({ path: foreign })).rejects.toMatchObject({ code: 'config_invalid' });
    expect(statSync(foreign).size).toBe(200_000);
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    await expect(openSink({ path: join(folder, 'fifo') })).rejects.toMatchObject({ code: 'config_invalid' });
  });

  it('goes on in a new file after logrotate renamed the old one', async () => {
    const sink = await openSink();
    await sink.write([sampleAlert(1)], signal);
    renameSync(path, `${path}.1`);
    await sink.write([sampleAlert(2)], signal);
    await sink.stop();
    expect(ids(`${path}.1`)).toEqual([uuid(1)]);
    expect(ids()).toEqual([uuid(2)]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('goes on at the new end after copytruncate, without a hole', async () => {
    const sink = await openSink();
    await sink.write([sampleAlert(1)], signal);
    truncateSync(path, 0);
    await sink.write([sampleAlert(2)], signal);
    await sink.stop();
    expect(ids()).toEqual([uuid(2)]);
  });

  it('goes on when the file and its folder were deleted', async () => {
    const sink = await openSink();
    await sink.write([sampleAlert(1)], signal);
    rmSync(join(folder, 'alerts'), { recursive: true });
    await sink.write([sampleAlert(2)], signal);
    await sink.stop();
    expect(ids()).toEqual([uuid(2)]);
  });

  it('says unavailable, and keeps the file, while another program put rubbish at its end', async () => {
    const sink = await openSink();
    await sink.write([sampleAlert(1)], signal);
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'y'.repeat(100_000));
    await expect(sink.write([sampleAlert(2)], signal)).rejects.toMatchObject({ code: 'unavailable' });
    appendFileSync(path, '\n');
    await sink.write([sampleAlert(2)], signal);
    await sink.stop();
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(3);
  });

  it('leaves only whole lines when the process is killed while writing', async () => {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', join(import.meta.dirname, 'write-forever.ts'), folder],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let acknowledged = 0;
    for await (const chunk of child.stdout) {
      acknowledged = Number(String(chunk).trim().split('\n').at(-1));
      if (acknowledged >= 40) break;
    }
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    const sink = await openSink();
    await sink.stop();
    expect(new Set(ids()).size).toBeGreaterThanOrEqual(acknowledged);
  });

  const canMount = (() => {
    try {
      execFileSync('unshare', ['-rm', 'sh', '-c', `mount -t tmpfs -o size=64k none ${tmpdir()}`], {
        stdio: 'ignore',
      });
      return true;
    } catch {
      return false;
    }
  })();
  it.skipIf(!canMount)(
    'on a full disk says disk_full, leaves no torn line, and goes on when there is room (needs unshare and mount)',
    () => {
      const script = `mount -t tmpfs -o size=64k none "$1" && exec "$2" --import tsx "$3" "$1"`;
      const output = execFileSync(
        'unshare',
        [
          '-rm',
          'sh',
          '-c',
          script,
          'sh',
          folder,
          process.execPath,
          join(import.meta.dirname, 'fill-disk.ts'),
        ],
        { encoding: 'utf8' },
      );
      const result = JSON.parse(output) as {
        written: number;
        code: string;
        lines: number;
        torn: boolean;
        afterRoom: number;
      };
      expect(result).toMatchObject({ code: 'disk_full', torn: false });
      expect(result.written).toBeGreaterThan(3);
      expect(result.lines).toBe(result.written);
      expect(result.afterRoom).toBe(result.written + 7);
    },
  );
});
