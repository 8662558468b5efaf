import { expect, it } from 'vitest';
import { lastingHoles, newTracks, noteSequence } from '../../detectors/sequence-tracks.ts';

const minuteMs = 60_000;
/** Numbers a second apart, and the holes that are left two minutes later. */
function holesOf(numbers: readonly number[], seenMin = 1) {
  const tracks = newTracks();
  numbers.forEach((number, index) => {
    noteSequence(tracks, number, 1000 * index, `event ${index}`);
  });
  const found = lastingHoles(tracks, 1000 * numbers.length + 2 * minuteMs, minuteMs, seenMin);
  return found.map(({ from, to }) => [from, to]);
}
const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

it('finds one missing number, and many', () => {
  expect(holesOf([...upTo(0, 20), ...upTo(22, 30)])).toEqual([[21, 21]]);
  expect(holesOf([...upTo(0, 20), ...upTo(5021, 5030)])).toEqual([[21, 5020]]);
});

it('takes numbers in any order within reach', () => {
  expect(holesOf([0, 1, 2, 5, 4, 3, 9, 8, 6, 7])).toEqual([]);
  expect(holesOf([...upTo(0, 9), ...upTo(40, 70), ...upTo(10, 39)])).toEqual([]);
});

it('leaves what remains of a hole that is filled in part', () => {
  expect(holesOf([...upTo(0, 9), 20, 12, 13, 17])).toEqual([
    [10, 11],
    [14, 16],
    [18, 19],
  ]);
});

it('follows several instances that count side by side, and one that starts again', () => {
  const both = upTo(0, 50).flatMap((number) => [number, number]);
  expect(holesOf(both)).toEqual([]);
  expect(holesOf([...upTo(0, 30), ...upTo(0, 30).flatMap((number) => [number, number + 31])])).toEqual([]);
  const lossy = upTo(0, 50).flatMap((number) => (number === 25 ? [number] : [number, number]));
  expect(holesOf(lossy)).toHaveLength(1);
});

it('does not mind a number that comes again', () => {
  expect(holesOf([...upTo(0, 20), 7, 3, ...upTo(21, 30)])).toEqual([]);
});

it('says nothing of a source that always leaves numbers out', () => {
  expect(
    holesOf(
      upTo(0, 100).map((number) => 3 * number),
      10,
    ),
  ).toEqual([]);
});

it('says nothing where there are more instances than it can follow', () => {
  const many = upTo(0, 30).flatMap((step) => upTo(0, 19).map((instance) => step + 100 * instance));
  const begun = upTo(0, 19).flatMap(() => [0]);
  expect(holesOf([...begun, ...many])).toEqual([]);
});
