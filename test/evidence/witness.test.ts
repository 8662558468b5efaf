import { describe, expect, it } from 'vitest';
import type { TreeHead } from '../../evidence/merkle/proofs.ts';
import { NoteFormatError } from '../../evidence/note/note.ts';
import { decideCheckpoint, formatAddCheckpoint, parseAddCheckpoint } from '../../evidence/witness.ts';
import { growingLog, newKey } from '../witness/growing-log.ts';

const log = growingLog(newKey('log.example', 'log'));
const impostor = growingLog(newKey('log.example', 'log'), 'other ');
const headOf = (size: number): TreeHead => ({ size: BigInt(size), root: log.rootOf(0, size) });
const decide = (request: string, latest?: number) =>
  decideCheckpoint(parseAddCheckpoint(Buffer.from(request)), [log.key], () =>
    latest === undefined ? undefined : headOf(latest),
  );
const ask = (old: number, proof: readonly Uint8Array[], note: string) =>
  formatAddCheckpoint(BigInt(old), proof, note);

describe('a witness signs', () => {
  it('what leads on from the tree it signed last, from any size to any other', () => {
    for (const [from, to] of [
      [0, 1],
      [0, 20],
      [1, 2],
      [7, 8],
      [8, 13],
      [13, 64],
    ] as const) {
      expect(decide(log.request(from, to), from === 0 ? undefined : from)).toEqual({
        status: 200,
        origin: 'log.example',
        head: headOf(to),
      });
    }
  });

  it('the same tree again, and an empty one before any other', () => {
    expect(decide(log.request(13, 13), 13).status).toBe(200);
    expect(decide(log.request(0, 0)).status).toBe(200);
    expect(decide(log.request(0, 5), 0).status).toBe(200);
  });
});

describe('a witness does not sign', () => {
  it.each([
    ['a log it does not know', growingLog(newKey('other.example', 'log')).request(0, 5), undefined, 404],
    ['what another key signed under the name of the log', impostor.request(0, 5), undefined, 403],
    ['a checkpoint smaller than the old size', ask(9, [], log.noteOf(log.textOf(5))), 9, 400],
    ['what leads on from an older tree', log.request(5, 20), 13, 409],
    ['what leads on from a tree it never signed', log.request(20, 25), 13, 409],
    ['what begins anew', log.request(0, 20), 13, 409],
    [
      'another root at the same size',
      ask(13, [], log.noteOf(log.textOf(13, impostor.rootOf(0, 13)))),
      13,
      409,
    ],
    [
      'a root that is not of an empty tree, at size 0',
      ask(0, [], log.noteOf(log.textOf(0, log.rootOf(0, 1)))),
      undefined,
      409,
    ],
    ['no proof', ask(13, [], log.noteOf(log.textOf(20))), 13, 422],
    ['a proof of another size', ask(13, log.proofOf(13, 21), log.noteOf(log.textOf(20))), 13, 422],
    [
      'a tree that does not begin with the old one',
      ask(13, impostor.proofOf(13, 20), log.noteOf(log.textOf(20, impostor.rootOf(0, 20)))),
      13,
      422,
    ],
    ['a proof where none can be', ask(0, log.proofOf(13, 20), log.noteOf(log.textOf(20))), undefined, 422],
    ['a proof from a tree to itself', ask(13, log.proofOf(13, 20), log.noteOf(log.textOf(13))), 13, 422],
    ['a note that is no checkpoint', ask(0, [], log.noteOf('hello\n')), undefined, 400],
  ])('%s', (_what, request, latest, status) => {
    expect(decide(request, latest)).toMatchObject({ status });
  });

  it('and tells a log that signed two trees of one size from one that only does not know where to start', () => {
    const split = ask(13, [], log.noteOf(log.textOf(13, impostor.rootOf(0, 13))));
    expect(decide(split, 13)).toMatchObject({ status: 409, isSplit: true });
    expect(decide(log.request(5, 20), 13)).toMatchObject({ status: 409, isSplit: false });
  });

  it('and says the size that it signed last, so that the log can send the right proof', () => {
    expect(decide(log.request(5, 20), 13)).toMatchObject({ status: 409, size: 13n });
  });
});

describe('a request is refused with', () => {
  const good = log.request(13, 20);
  it.each([
    ['no old size', good.replace('old 13\n', '')],
    ['an old size with a leading zero', good.replace('old 13', 'old 013')],
    ['a hash that is too short', good.replace(/\n.{44}\n/, '\nAAAA\n')],
    ['more than 63 hashes', good.replace('old 13\n', `old 13\n${`${'A'.repeat(43)}=\n`.repeat(64)}`)],
    ['no checkpoint', good.slice(0, good.indexOf('\n\n'))],
    ['no signature', good.slice(0, good.indexOf('\u2014'))],
    ['nothing', ''],
  ])('%s', (_what, text) => {
    expect(text).not.toBe(good);
    expect(() => parseAddCheckpoint(Buffer.from(text))).toThrow(NoteFormatError);
  });

  it('bytes that are not UTF-8', () => {
    expect(() => parseAddCheckpoint(Buffer.concat([Buffer.from(good), Buffer.of(0xff)]))).toThrow(
      NoteFormatError,
    );
  });
});
