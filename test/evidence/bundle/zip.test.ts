import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { crc32 as zlibCrc32, deflateRawSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { crc32 } from '../../../evidence/bundle/crc32.ts';
import { verifyBundleAt } from '../../../verifier/verify-path.ts';
import { zipOf } from './containers.ts';
import { makeBundle, TRUST } from './make-bundle.ts';

const directory = mkdtempSync(join(tmpdir(), 'custody-zip-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function verdictOf(zip: Buffer) {
  const path = join(directory, 'bundle.zip');
  writeFileSync(path, zip);
  return verifyBundleAt(path, { trust: TRUST });
}

interface Part {
  readonly name: string;
  readonly data?: Buffer;
  readonly flags?: number;
  readonly method?: number;
  readonly localName?: string;
  readonly crc?: number;
  readonly bytes?: number;
  readonly attributes?: number;
  readonly extra?: Buffer;
  /** Of another part, to lie over it. */
  readonly offset?: number;
}

/** A zip written by hand, so that it can say anything. */
function rawZip(parts: readonly Part[], { gap = '', comment = '' } = {}): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let at = 0;
  for (const {
    name,
    data = Buffer.from('x'),
    flags = 0x800,
    method = 0,
    localName = name,
    crc = zlibCrc32(data),
    bytes,
    attributes = 0o100644,
    extra = Buffer.alloc(0),
    offset,
  } of parts) {
    const packed = method === 8 ? deflateRawSync(data) : data;
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(flags, 2);
    shared.writeUInt16LE(method, 4);
    shared.writeUInt32LE(0x00210000, 6);
    shared.writeUInt32LE(crc, 10);
    shared.writeUInt32LE(packed.length, 14);
    shared.writeUInt32LE(bytes ?? data.length, 18);
    const local = Buffer.from(shared);
    local.writeUInt16LE(Buffer.byteLength(localName), 22);
    shared.writeUInt16LE(Buffer.byteLength(name), 22);
    shared.writeUInt16LE(extra.length, 24);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((attributes << 16) >>> 0, 6);
    tail.writeUInt32LE(offset ?? at, 10);
    central.push(
      Buffer.concat([
        Buffer.from('504b0102', 'hex'),
        Buffer.from([63, 3]),
        shared,
        tail,
        Buffer.from(name),
        extra,
      ]),
    );
    const whole = Buffer.concat([
      Buffer.from('504b0304', 'hex'),
      local,
      Buffer.from(localName),
      packed,
      Buffer.from(gap),
    ]);
    locals.push(whole);
    at += whole.length;
  }
  const directoryBytes = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(parts.length, 8);
  end.writeUInt16LE(parts.length, 10);
  end.writeUInt32LE(directoryBytes.length, 12);
  end.writeUInt32LE(at, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...locals, directoryBytes, end, Buffer.from(comment)]);
}

const a = { name: 'a' };
const link = { name: 'link', data: Buffer.from('/etc/passwd'), attributes: 0o120777 };

describe('a zip', () => {
  it('of a bundle verifies, packed or stored, with sizes before or after the data', async () => {
    const files = makeBundle();
    expect(await verdictOf(await zipOf(files))).toMatchObject({ findings: [], verdict: 'valid' });
    const parts = [...files].map(([name, data]) => ({ name, data }));
    expect(await verdictOf(rawZip(parts))).toMatchObject({ findings: [], verdict: 'valid' });
    const streamed = new ZipFile();
    for (const [name, data] of files)
      streamed.addReadStream(Readable.from([data]), name, { mode: 0o100644, forceDosTimestamp: true });
    streamed.end();
    expect(await verdictOf(await buffer(streamed.outputStream as unknown as Readable))).toMatchObject({
      findings: [],
      verdict: 'valid',
    });
  });

  it('of a bundle verifies in the long form for more than 4 GiB', async () => {
    const zip = new ZipFile();
    for (const [name, data] of makeBundle())
      zip.addReadStream(Readable.from([data]), name, {
        mode: 0o100644,
        forceDosTimestamp: true,
        forceZip64Format: true,
      });
    zip.end({ forceZip64Format: true, comment: '' });
    const bytes = await buffer(zip.outputStream);
    expect(bytes.includes(Buffer.from('504b0606', 'hex'))).toBe(true);
    expect(await verdictOf(bytes)).toMatchObject({ findings: [], verdict: 'valid' });
  });

  it('has its checksums as zlib computes them', () => {
    const data = Buffer.from(Array.from({ length: 1000 }, (_, at) => (at * 31) & 255));
    expect(crc32(data.subarray(500), crc32(data.subarray(0, 500), 0))).toBe(zlibCrc32(data));
  });

  it.each<[string, Buffer]>([
    ['that is empty', Buffer.alloc(0)],
    ['without files', rawZip([])],
    ['with a name that climbs out', rawZip([{ name: '../a' }])],
    ['with an absolute name', rawZip([{ name: '/a' }])],
    ['with a backslash', rawZip([{ name: 'a\\b' }])],
    ['with a folder', rawZip([{ name: 'a/', data: Buffer.alloc(0) }])],
    ['with a link', rawZip([link])],
    ['with a device', rawZip([{ name: 'a', attributes: 0o020666 }])],
    ['with a name twice', rawZip([a, a])],
    ['with names that differ in case', rawZip([a, { name: 'A' }])],
    ['with two names for one place', rawZip([a, { name: 'b', offset: 0 }])],
    ['with another name in the local header', rawZip([{ name: 'a', localName: 'b' }])],
    ['with an encrypted file', rawZip([{ name: 'a', flags: 0x801 }])],
    ['with an unknown method', rawZip([{ name: 'a', method: 12 }])],
    ['with extra fields', rawZip([{ name: 'a', extra: Buffer.from('5455050001aabbccdd', 'hex') }])],
    ['with a wrong checksum', rawZip([{ name: 'bagit.txt', crc: 1 }])],
    ['with a file shorter than it says', rawZip([{ name: 'bagit.txt', method: 8, bytes: 10 }])],
    [
      'with a file longer than it says',
      rawZip([{ name: 'bagit.txt', method: 8, data: Buffer.from('xxxx'), bytes: 1 }]),
    ],
    ['with something between files', rawZip([a, { name: 'b' }], { gap: 'hidden' })],
    ['with a comment', rawZip([a], { comment: 'hello' })],
    [
      'with a name that is not UTF-8',
      Buffer.from(
        rawZip([{ name: '~' }])
          .toString('latin1')
          .replaceAll('~', '\xff'),
        'latin1',
      ),
    ],
  ])('%s is refused', async (_what, zip) => {
    const verdict = await verdictOf(zip);
    expect(verdict.verdict).toBe('invalid');
    expect(verdict.findings.map(({ cause }) => cause)).toContain(
      zip.length === 22 ? 'MISSING_FILE' : 'LAYOUT',
    );
  });

  it('with something before or after it is refused', async () => {
    const zip = await zipOf(makeBundle());
    for (const other of [
      Buffer.concat([Buffer.from('x'), zip]),
      Buffer.concat([zip, Buffer.from('x')]),
      zip.subarray(0, -1),
      zip.subarray(1),
    ])
      expect(await verdictOf(other)).toMatchObject({ verdict: 'invalid', findings: [{ cause: 'LAYOUT' }] });
  });

  it('that unpacks to far more than it has is given up before it is unpacked', async () => {
    const bomb = rawZip([{ name: 'a', method: 8, data: Buffer.alloc(100 * 1024 * 1024) }]);
    expect(bomb.length).toBeLessThan(200_000);
    expect(await verdictOf(bomb)).toMatchObject({ verdict: 'invalid', findings: [{ cause: 'TOO_LARGE' }] });
  });

  it('that says less than it unpacks to is given up when it has unpacked that much', async () => {
    const bomb = rawZip([{ name: 'bagit.txt', method: 8, data: Buffer.alloc(100 * 1024 * 1024), bytes: 10 }]);
    expect((await verdictOf(bomb)).findings).toContainEqual(
      expect.objectContaining({ cause: 'LAYOUT', file: 'bagit.txt' }),
    );
  });

  it('with data after the end of a packed file is refused', async () => {
    const data = Buffer.from('x'.repeat(50));
    const packed = Buffer.concat([deflateRawSync(data), Buffer.from('more')]);
    const stored = rawZip([{ name: 'bagit.txt', data: packed, crc: zlibCrc32(data), bytes: data.length }]);
    // The method in both headers: 0 becomes 8.
    stored.writeUInt16LE(8, 8);
    stored.writeUInt16LE(8, stored.indexOf(Buffer.from('504b0102', 'hex')) + 10);
    expect((await verdictOf(stored)).findings).toContainEqual(
      expect.objectContaining({ cause: 'LAYOUT', file: 'bagit.txt' }),
    );
  });
});
