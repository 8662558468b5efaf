import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBase64 } from '../../../evidence/note/base64.ts';
import {
  formatVerifierKey,
  parseVerifierKey,
  signingKey,
  signText,
  verifiedBy,
  verifierKey,
} from '../../../evidence/note/key.ts';
import { formatNote, formatSignature, NoteFormatError, parseNote } from '../../../evidence/note/note.ts';

const newKey = () => generateKeyPairSync('ed25519').privateKey;
const log = signingKey('example.com/log', 'log', newKey());
const witness = signingKey('example.com/witness', 'witness', newKey());
const TEXT = 'a text\n\nwith a blank line\n';
const signed = (text = TEXT, ...keys: (typeof log)[]) =>
  formatNote({ text, signatures: (keys.length === 0 ? [log] : keys).map((key) => signText(key, text, 7n)) });
const verified = (note: string, ...keys: Parameters<typeof verifiedBy>[1][number][]) =>
  verifiedBy(parseNote(note), keys);

describe('signed notes', () => {
  it('open under the key of the example in the documentation of the checksum database', () => {
    const key = parseVerifierKey('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
    const note =
      "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
      '\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';
    expect(verified(note, key).by).toEqual([{ key, timeSec: undefined }]);
    expect(formatNote(parseNote(note))).toBe(note);
  });

  it('say who signed, and when a witness did', () => {
    const note = signed(TEXT, log, witness);
    expect(parseNote(note).text).toBe(TEXT);
    expect(verified(note, witness, log).by).toEqual([
      { key: log, timeSec: undefined },
      { key: witness, timeSec: 7n },
    ]);
  });

  it('leave out keys nobody trusts, also one that has the name or the id of a trusted one', () => {
    const namesake = signingKey(log.name, 'log', newKey());
    expect(verified(signed(), namesake)).toEqual({ by: [], bad: undefined });
    const sameId = { ...namesake, name: 'example.com/other', keyId: log.keyId };
    expect(verified(signed(), sameId)).toEqual({ by: [], bad: undefined });
  });

  it('are bad as a whole when a signature under a trusted name and id does not verify', () => {
    const collision = { ...signingKey(log.name, 'log', newKey()), keyId: log.keyId };
    const note = formatNote({
      text: TEXT,
      signatures: [signText(witness, TEXT, 7n), signText(collision, TEXT, 0n)],
    });
    expect(verified(note, witness, log)).toEqual({ by: [], bad: log });
  });

  it('verify under no other text, and a witness under no other time', () => {
    const note = signed(TEXT, log, witness);
    expect(verified(note.replace('a text', 'a test'), log).bad).toBe(log);
    const [, , , , , line = ''] = note.split('\n');
    const bytes = fromBase64(line.split(' ')[2] ?? '') ?? Buffer.alloc(0);
    bytes.writeUInt8(bytes.readUInt8(11) ^ 1, 11);
    const { name, keyId } = witness;
    const moved = formatSignature({ name, keyId, signature: bytes.subarray(4) });
    expect(verified(`${TEXT}\n${moved}`, witness).bad).toBe(witness);
  });

  it('count a key once, however often it signed', () => {
    const note = signed(TEXT, witness, witness, log, witness);
    expect(verified(note, witness, log).by.map(({ key }) => key)).toEqual([witness, log]);
  });

  it('are bad when a witness signed no time, a time beyond all times, or with more bytes', () => {
    const { name, keyId, privateKey } = witness;
    const signature = Buffer.from(signText(witness, TEXT, 7n).signature);
    const late = Buffer.alloc(8, 0xff);
    const message = `cosignature/v1\ntime ${late.readBigUInt64BE()}\n${TEXT}`;
    const signedLate = Buffer.concat([late, sign(null, Buffer.from(message), privateKey)]);
    for (const bytes of [signature.subarray(0, 5), signedLate, Buffer.concat([signature, signature])]) {
      const note = { text: TEXT, signatures: [{ name, keyId, signature: bytes }] };
      expect(verifiedBy(note, [witness])).toEqual({ by: [], bad: witness });
    }
  });

  it.each([
    ['no blank line', 'text\n'],
    ['no signature', 'text\n\n'],
    ['a signature line without end', signed().slice(0, -1)],
    ['a carriage return', signed('text\r\n')],
    ['a tab', signed('a\ttext\n')],
    ['a hyphen for the dash', signed().replace('\u2014', '-')],
    ['base64 that is not canonical', signed().replace(/.=\n$/, '_=\n')],
    ['base64 without padding', signed().replace(/=+\n$/, '\n')],
    ['a signature that is only a key id', `text\n\n\u2014 name ${Buffer.alloc(4).toString('base64')}\n`],
    ['no text and one line', '\u2014 name AAAAAAA=\n'],
    ['signature lines that do not end', signed().slice(0, -1) + '='],
    ['half a character in a name', signed().replace('example.com/log', 'example.com/\ud800')],
    ['more text than anybody signs', signed(`${'a'.repeat(1024 * 1024)}\n`)],
    ['a plus in a name', signed().replace('example.com/log', 'example.com+log')],
    ['more signatures than anybody makes', signed() + signed().split('\n\n').at(-1)!.repeat(70)],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from([0xff]), Buffer.from(signed())])],
  ])('are refused with %s', (_what, note) => {
    expect(() => parseNote(note)).toThrow(NoteFormatError);
  });

  it('give back what was read, or are refused: never another error', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.tuple(fc.nat(signed().length), fc.string({ unit: 'binary' })).map(([at, text]) => {
        const note = signed();
        return note.slice(0, at) + text + note.slice(at);
      }),
    );
    fc.assert(
      fc.property(anything, (text) => {
        try {
          expect(formatNote(parseNote(text))).toBe(text);
        } catch (error) {
          if (!(error instanceof NoteFormatError)) throw error;
        }
      }),
    );
  });
});

describe('verifier keys', () => {
  it('are written as other tools read them, and read back', () => {
    for (const key of [log, witness]) {
      const { name, keyId, use } = parseVerifierKey(formatVerifierKey(key));
      expect({ name, keyId, use }).toEqual({ name: key.name, keyId: key.keyId, use: key.use });
    }
  });

  it.each([
    ['another id', formatVerifierKey(log).replace(`+${log.keyId}+`, '+00000000+')],
    ['another name', formatVerifierKey(log).replace('/log', '/lag')],
    ['another type', formatVerifierKey(log).replace(/\+A/, '+C')],
    [
      'a type nobody knows',
      formatVerifierKey(log).replace(/\+[^+]*$/, `+${Buffer.alloc(33, 9).toString('base64')}`),
    ],
    ['bytes that are no key', `name+00000000+${Buffer.from([1, 2, 3]).toString('base64')}`],
    ['nothing', ''],
  ])('are refused with %s', (_what, text) => {
    expect(() => parseVerifierKey(text)).toThrow(RangeError);
  });

  it('are of Ed25519, and have a name', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(() => verifierKey('name', 'log', publicKey)).toThrow('not an Ed25519 key');
    expect(() => verifierKey('two words', 'log', log.publicKey)).toThrow('no spaces');
    expect(() => verifierKey('', 'log', log.publicKey)).toThrow(RangeError);
  });
});
