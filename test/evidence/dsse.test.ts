import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DsseFormatError,
  envelopeVerifiedBy,
  formatEnvelope,
  parseEnvelope,
  preAuthEncoding,
  signEnvelope,
} from '../../evidence/dsse.ts';
import { verifies } from '../requirements.ts';
import { keyOf } from './receipt/receipt-world.ts';

const payload = Buffer.from('hello world');
const type = 'http://example.com/HelloWorld';
const gate = keyOf('gateway.example');
const other = keyOf('other.example');

describe('a DSSE envelope', () => {
  it('signs type and payload with their lengths, as the example of the specification', () => {
    expect(preAuthEncoding(type, payload).toString()).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
    );
  });

  it('counts the bytes of a type that is not ASCII', () => {
    expect(preAuthEncoding('é', Buffer.alloc(0)).toString()).toBe('DSSEv1 2 é 0 ');
  });

  it('keeps every byte of the payload and says who of the trusted signed it', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.string({ minLength: 1, maxLength: 40 }),
        (bytes, name) => {
          const read = parseEnvelope(formatEnvelope(signEnvelope(name.toWellFormed(), bytes, [gate, other])));
          expect(Buffer.from(read.payload)).toEqual(Buffer.from(bytes));
          expect(envelopeVerifiedBy(read, [other, gate]).by).toEqual([gate, other]);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('finds the signer whatever the key id says, and trusts no name', () => {
    const signed = signEnvelope(type, payload, [gate]);
    const [signature] = signed.signatures;
    const renamed = { ...signed, signatures: [{ sig: signature!.sig, keyid: 'other.example+00000000' }] };
    const nameless = { ...signed, signatures: [{ sig: signature!.sig }] };
    expect(envelopeVerifiedBy(renamed, [other, gate]).by).toEqual([gate]);
    expect(envelopeVerifiedBy(nameless, [gate]).by).toEqual([gate]);
    const impostor = keyOf('gateway.example', 'log', 'another seed');
    expect(envelopeVerifiedBy(signEnvelope(type, payload, [impostor]), [gate])).toEqual({
      by: [],
      bad: undefined,
    });
  });

  it('names the trusted key whose signature is bad', () => {
    const signed = signEnvelope(type, payload, [gate]);
    expect(envelopeVerifiedBy({ ...signed, payload: Buffer.from('hello world!') }, [gate])).toEqual({
      by: [],
      bad: gate,
    });
    expect(envelopeVerifiedBy({ ...signed, payloadType: 'other' }, [gate])).toEqual({ by: [], bad: gate });
    const cut = [{ ...signed.signatures[0]!, sig: signed.signatures[0]!.sig.subarray(1) }];
    expect(envelopeVerifiedBy({ ...signed, signatures: cut }, [gate])).toEqual({ by: [], bad: gate });
  });

  it('passes over members that DSSE does not define, such as a key of its own', () => {
    const signed = {
      ...(JSON.parse(formatEnvelope(signEnvelope(type, payload, [gate]))) as object),
      cert: 'x',
    };
    expect(envelopeVerifiedBy(parseEnvelope(JSON.stringify(signed)), [gate]).by).toEqual([gate]);
  });

  it('reads the alphabet of base64 for URLs as well', () => {
    const bytes = Buffer.from([0xfb, 0xff, 0xfe]);
    const text = JSON.stringify({ payload: '-__-', payloadType: type, signatures: [{ sig: '-__-' }] });
    expect(Buffer.from(parseEnvelope(text).payload)).toEqual(bytes);
  });

  const one = { payload: 'aGk=', payloadType: type, signatures: [{ sig: 'aGk=' }] };
  it.each<[string, unknown]>([
    ['no JSON', 'x{'],
    ['no object', [one]],
    ['no payload', { ...one, payload: undefined }],
    ['base64 with spaces', { ...one, payload: 'aG k=' }],
    ['base64 without padding', { ...one, payload: 'aGk' }],
    ['base64 with stray bits', { ...one, payload: 'aGl=' }],
    ['both alphabets at once', { ...one, payload: '-_+/' }],
    ['no type', { ...one, payloadType: '' }],
    ['a type that is no text', { ...one, payloadType: 1 }],
    ['no signatures', { ...one, signatures: [] }],
    ['too many signatures', { ...one, signatures: Array.from({ length: 17 }, () => ({ sig: 'aGk=' })) }],
    ['a signature that is null', { ...one, signatures: [null] }],
    ['a key id that is no text', { ...one, signatures: [{ sig: 'aGk=', keyid: 7 }] }],
    ['more than a mebibyte', { ...one, payload: Buffer.alloc(1024 * 1024).toString('base64') }],
  ])('is refused with %s', (_name, value) => {
    verifies('P10');
    expect(() => parseEnvelope(typeof value === 'string' ? value : JSON.stringify(value))).toThrow(
      DsseFormatError,
    );
  });

  it('is refused when it is not UTF-8', () => {
    expect(() => parseEnvelope(Buffer.from([0x7b, 0xff]))).toThrow(DsseFormatError);
  });
});
