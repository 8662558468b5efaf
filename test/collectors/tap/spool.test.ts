import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { claimOrphan, writeOwner } from '../../../collectors/tap/spool-owner.ts';
import { openSpool, type Spool } from '../../../collectors/tap/spool.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'custody-spool-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

const directory = () => join(root, 'aaaaaaaaaaaaaaaa');
const readOwner = (path: string) => readFileSync(join(path, 'owner.json'), 'utf8');
const open = (maxBytes = 1_000_000, segmentMaxBytes = 100_000) =>
  openSpool({ directory: directory(), maxBytes, reserveBytes: Math.min(100, maxBytes / 4), segmentMaxBytes });
const lines = (...texts: string[]) => texts.map((text) => Buffer.from(text));
const numbered = (from: number, to: number) =>
  lines(...Array.from({ length: to - from }, (_, index) => `line ${String(from + index).padStart(6, '0')}`));

/** Takes everything unsent, in batches of the given size. */
function drain(spool: Spool, maxBytes = 64): string[] {
  const taken: string[] = [];
  for (let batch = spool.next(maxBytes); batch !== undefined; batch = spool.next(maxBytes)) {
    const text = Buffer.from(batch.bytes).toString();
    expect(text.endsWith('\n')).toBe(true);
    taken.push(...text.split('\n').slice(0, -1));
    spool.commit(batch);
  }
  return taken;
}

describe('order and loss', () => {
  test('lines come back whole, once and in order, over many segments and batches', () => {
    const spool = open(1_000_000, 500);
    for (let from = 0; from < 300; from += 30)
      expect(spool.append(numbered(from, from + 30))).toEqual({ written: 30, lost: 0 });
    expect(drain(spool)).toEqual(numbered(0, 300).map(String));
    spool.close();
    expect(readdirSync(root)).toEqual([]);
  });

  test('a batch that is not committed comes again', () => {
    const spool = open();
    spool.append(lines('a', 'b'));
    expect(spool.next(100)?.bytes).toEqual(spool.next(100)?.bytes);
    expect(drain(spool)).toEqual(['a', 'b']);
    spool.close();
  });

  test('a line longer than the batch bound is given alone and whole', () => {
    const spool = open();
    spool.append(lines('x'.repeat(5000), 'y'));
    expect(drain(spool, 10)).toEqual(['x'.repeat(5000), 'y']);
    spool.close();
  });

  test('sent segments make room while others wait', () => {
    const spool = open(2000, 200);
    let written = 0;
    for (let from = 0; from < 1000; from += 10) {
      written += spool.append(numbered(from, from + 10)).written;
      expect(drain(spool)).toHaveLength(10);
    }
    expect(written).toBe(1000);
    spool.close();
  });

  test('beyond the bound lines are lost with a count, the reserve stays for saying so, and room comes back', () => {
    const spool = open(400, 100);
    const outcome = spool.append(numbered(0, 100));
    expect(outcome).toMatchObject({ reason: 'spool_full', lost: 100 - outcome.written });
    expect(outcome.written).toBe(Math.floor(300 / 12));
    expect(spool.append(lines('one more'))).toMatchObject({ lost: 1 });
    expect(spool.append(lines('there is a gap'), { useReserve: true })).toEqual({ written: 1, lost: 0 });
    expect(drain(spool)).toHaveLength(outcome.written + 1);
    expect(spool.append(lines('again'))).toEqual({ written: 1, lost: 0 });
    spool.close();
  });

  test('a disk that refuses is a loss with a reason, not an exception', () => {
    const spool = open();
    rmSync(directory(), { recursive: true });
    expect(spool.append(lines('a'))).toEqual({ written: 0, lost: 1, reason: 'disk_error' });
  });

  test('files are for their owner only', () => {
    const spool = open();
    spool.append(lines('a'));
    expect(statSync(directory()).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(directory()))
      expect(statSync(join(directory(), name)).mode & 0o777).toBe(0o600);
    spool.close();
  });
});

describe('after a crash', () => {
  test('a new process goes on where the collector left off', () => {
    const spool = open();
    spool.append(lines('a', 'b', 'c'));
    const first = spool.next(3);
    expect(Buffer.from(first!.bytes).toString()).toBe('a\n');
    spool.commit(first!);
    expect(drain(open())).toEqual(['b', 'c']);
  });

  test('a torn last line is passed over and what follows is not', () => {
    const spool = open();
    spool.append(lines('a', 'b'));
    appendFileSync(join(directory(), '000001.ndjson'), '{"half":');
    const again = open();
    expect(again.append(lines('c'))).toEqual({ written: 1, lost: 0 });
    expect(drain(again)).toEqual(['a', 'b', 'c']);
    again.close();
    expect(readdirSync(root)).toEqual([]);
  });

  test.each(['', 'garbage', '000009 0000000000000000\n', '000001 0000000000009999\n'])(
    'a damaged sent file (%j) means everything is sent again',
    (content) => {
      open().append(lines('a', 'b'));
      writeFileSync(join(directory(), 'sent'), content);
      expect(drain(open())).toEqual(['a', 'b']);
    },
  );
});

describe('spools of taps that died', () => {
  const NOW = Date.now();
  const owned = (name: string, owner: object | string) => {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, 'owner.json'), typeof owner === 'string' ? owner : JSON.stringify(owner));
  };
  const touched = (path: string, agoMs: number) =>
    utimesSync(path, (NOW - agoMs) / 1000, (NOW - agoMs) / 1000);
  const claim = () => claimOrphan(root, 'bbbbbbbbbbbbbbbb', NOW);

  test('are not taken from a living process', () => {
    mkdirSync(directory());
    writeOwner(directory());
    expect(claim()).toBeUndefined();
  });

  test('are taken over once when the process is gone, also when another tap had taken them over', () => {
    mkdirSync(directory());
    writeOwner(directory());
    const text = JSON.parse(readOwner(directory())) as { pid: number };
    writeFileSync(join(directory(), 'owner.json'), JSON.stringify({ ...text, pid: 2 ** 22 + 1 }));
    const claimed = claim();
    expect(claimed).toBe(join(root, 'aaaaaaaaaaaaaaaa@bbbbbbbbbbbbbbbb'));
    expect(claim()).toBeUndefined();
    writeFileSync(join(claimed!, 'owner.json'), JSON.stringify({ ...text, pid: 2 ** 22 + 1 }));
    expect(claimOrphan(root, 'cccccccccccccccc', NOW)).toBe(join(root, 'aaaaaaaaaaaaaaaa@cccccccccccccccc'));
  });

  test('with a reused process id are told apart by the start time', () => {
    mkdirSync(directory());
    writeOwner(directory());
    const owner = JSON.parse(readOwner(directory())) as { started?: string };
    expect(owner.started).toMatch(/^\d+$/);
    writeFileSync(join(directory(), 'owner.json'), JSON.stringify({ ...owner, started: '1' }));
    expect(claim()).toBeDefined();
  });

  test('of another host are taken only after ten silent minutes', () => {
    owned('aaaaaaaaaaaaaaaa', { pid: 1, host: 'elsewhere' });
    touched(join(directory(), 'owner.json'), 9 * 60_000);
    expect(claim()).toBeUndefined();
    touched(join(directory(), 'owner.json'), 11 * 60_000);
    expect(claim()).toBeDefined();
  });

  test('without a readable owner are left alone while they may be in the making', () => {
    owned('aaaaaaaaaaaaaaaa', 'torn');
    touched(directory(), 0);
    expect(claim()).toBeUndefined();
    touched(directory(), 2 * 60_000);
    expect(claim()).toBeDefined();
  });
});
