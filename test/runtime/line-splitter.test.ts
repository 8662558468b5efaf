import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLineSplitter, type Line } from '../../runtime/line-splitter.ts';

const digestKey = Buffer.alloc(32, 7);

function collect(lineMaxBytes = 16 * 1024 * 1024) {
  const lines: Line[] = [];
  const splitter = createLineSplitter({
    lineMaxBytes,
    headBytes: 8,
    digestKey,
    onLine: (line) => lines.push(line.kind === 'whole' ? { ...line, bytes: line.bytes.slice() } : line),
  });
  return { lines, splitter };
}

const texts = (lines: readonly Line[]) =>
  lines.map((line) =>
    line.kind === 'whole' ? Buffer.from(line.bytes).toString('latin1') : `oversize ${line.sizeBytes}`,
  );

/** Cuts bytes at the given places, in any order and number. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

const stream = fc.array(fc.oneof(fc.constant(0x0a), fc.integer({ min: 0, max: 255 })), { maxLength: 200 });
const places = fc.array(fc.nat(), { maxLength: 30 });

test('lines are those of split at newline, whatever the chunks', () => {
  fc.assert(
    fc.property(stream, places, (numbers, cuts) => {
      const bytes = Uint8Array.from(numbers);
      const { lines, splitter } = collect();
      for (const chunk of cut(bytes, cuts)) splitter.push(chunk);
      splitter.end();
      const expected = Buffer.from(bytes).toString('latin1').split('\n');
      if (expected.at(-1) === '') expected.pop();
      expect(texts(lines)).toEqual(expected);
    }),
  );
});

test('a line over the bound comes out with its exact size and keyed digest, and its neighbours are untouched', () => {
  fc.assert(
    fc.property(fc.integer({ min: 17, max: 300 }), places, (sizeBytes, cuts) => {
      const long = Buffer.alloc(sizeBytes, 'abc');
      const { lines, splitter } = collect(16);
      for (const chunk of cut(Buffer.concat([Buffer.from('before\n'), long, Buffer.from('\nafter\n')]), cuts))
        splitter.push(chunk);
      splitter.end();
      expect(texts(lines)).toEqual(['before', `oversize ${sizeBytes}`, 'after']);
      expect(lines[1]).toMatchObject({
        digest: createHmac('sha256', digestKey).update(long).digest('hex'),
        terminated: true,
      });
      expect(Buffer.from((lines[1] as { head: Uint8Array }).head).toString()).toBe(
        long.subarray(0, 8).toString(),
      );
    }),
  );
});

test('a line of exactly the bound is whole, one byte more is not', () => {
  const { lines, splitter } = collect(4);
  splitter.push(Buffer.from('1234\n12345\n'));
  expect(texts(lines)).toEqual(['1234', 'oversize 5']);
});

test('what is left at the end of the stream is a line, marked as not terminated', () => {
  const { lines, splitter } = collect();
  splitter.push(Buffer.from('one\ntw'));
  splitter.push(Buffer.from('o'));
  splitter.end();
  expect(lines.map((line) => line.terminated)).toEqual([true, false]);
  expect(texts(lines)).toEqual(['one', 'two']);
});

test('after missed bytes the rest of that line is skipped', () => {
  const { lines, splitter } = collect();
  splitter.push(Buffer.from('one\nhalf'));
  splitter.skipToNextLine();
  splitter.push(Buffer.from('of another\ntwo\n'));
  expect(texts(lines)).toEqual(['one', 'two']);
});

test.each([1, 7, 4096, 65_536])(
  '10 MiB in one line costs linear work in chunks of %i bytes',
  (chunkBytes) => {
    const sizeBytes = 10 * 1024 * 1024;
    const { lines, splitter } = collect();
    const chunk = Buffer.alloc(chunkBytes, 'x');
    let pushed = 0;
    for (; pushed < sizeBytes; pushed += chunkBytes) splitter.push(chunk);
    splitter.push(Buffer.from('\n'));
    expect(lines.map((line) => (line.kind === 'whole' ? line.bytes.length : -1))).toEqual([pushed]);
    expect(splitter.work.scannedBytes).toBe(pushed + 1);
    expect(splitter.work.copiedBytes).toBeLessThanOrEqual(3 * pushed);
  },
);

test('lines that lie inside one chunk are not copied', () => {
  const { lines, splitter } = collect();
  splitter.push(Buffer.from('a\nb\nc\n'));
  expect(texts(lines)).toEqual(['a', 'b', 'c']);
  expect(splitter.work.copiedBytes).toBe(0);
});
