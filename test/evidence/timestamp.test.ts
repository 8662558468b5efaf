import { RFC3161Timestamp } from '@sigstore/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { readTimestampToken } from '../../evidence/timestamp-token.ts';
import { readTimestampResponse, timestampRequest, verifyTimestamp } from '../../evidence/timestamp.ts';
import { createTsa, type TestTsa, type TsaOptions } from '../support/openssl-tsa.ts';

const message = Buffer.from('acme/anchor\n7\n');
const nonce = Buffer.from('8001020304050607', 'hex');
const stamped = (tsa: TestTsa, request: Uint8Array = timestampRequest(message, nonce)) => tsa.reply(request);
const reasonOf = (token: Uint8Array, pem: string, over: Uint8Array = message) => {
  const verdict = verifyTimestamp(token, over, pem);
  return 'reason' in verdict ? verdict.reason : `valid at ${verdict.timeMs}`;
};
function tsaOf(options: TsaOptions): TestTsa {
  const tsa = createTsa(options);
  onTestFinished(() => tsa.remove());
  return tsa;
}

let tsa: TestTsa;
let response: Buffer;
beforeAll(() => {
  tsa = createTsa({ intermediate: true });
  response = stamped(tsa);
});
afterAll(() => tsa.remove());

describe('a timestamp request', () => {
  it('is what openssl asks for the same message, but for the nonce', () => {
    const theirs = tsa.query(message, '-cert', '-no_nonce');
    const ours = Buffer.from(timestampRequest(message, nonce));
    const withoutNonce = Buffer.concat([ours.subarray(0, 2), ours.subarray(2)]).toString('hex');
    expect(withoutNonce).toContain('0209008001020304050607');
    expect(withoutNonce.replace('0209008001020304050607', '').slice(4)).toBe(theirs.toString('hex').slice(4));
  });

  it('is answered whatever the nonce is', () => {
    for (const hex of ['0000000000000000', '0000000000000001', '7fffffffffffffff', 'ffffffffffffffff']) {
      const answer = readTimestampResponse(stamped(tsa, timestampRequest(message, Buffer.from(hex, 'hex'))));
      expect('token' in answer && answer.token.nonce).toBe(BigInt(`0x${hex}`));
    }
  });
});

describe('a token of openssl', () => {
  it('verifies under its root, under the authority between, and under the signer itself, as response and alone', () => {
    const { der, timeMs } = readTimestampToken(response);
    expect(Math.abs(timeMs - Date.now())).toBeLessThan(60_000);
    for (const pem of [tsa.rootPem, tsa.intermediatePem, tsa.signerPem, tsa.signerPem + tsa.rootPem]) {
      expect(verifyTimestamp(response, message, pem)).toEqual({ timeMs });
      expect(verifyTimestamp(der, message, pem)).toEqual({ timeMs });
    }
    expect(tsa.verify(message, response, false)).toBe(true);
    expect(tsa.verify(message, der, true)).toBe(true);
  });

  it('is read as another program reads it', () => {
    const other = RFC3161Timestamp.parse(Buffer.from(response));
    const { timeMs, imprint } = readTimestampToken(response);
    expect(other.signingTime.getTime()).toBe(timeMs);
    expect(other.tstInfo.messageImprintHashedMessage.toString('hex')).toBe(imprint.hash.toString('hex'));
  });

  it.each<[string, TsaOptions]>([
    ['RSA', { key: 'rsa' }],
    ['RSA with SHA-512', { key: 'rsa', signerDigest: 'sha512', essDigest: 'sha512' }],
    ['ECDSA with SHA-384', { signerDigest: 'sha384' }],
    ['a certificate named by SHA-1, as older authorities do', { essDigest: 'sha1' }],
  ])('verifies with %s', (_, options) => {
    const other = tsaOf(options);
    expect(reasonOf(stamped(other), other.rootPem)).toMatch(/^valid/);
  });

  it('verifies without its certificates where the signer is pinned', () => {
    const bare = stamped(tsa, tsa.query(message));
    expect(readTimestampToken(bare).certificates).toHaveLength(0);
    expect(reasonOf(bare, tsa.signerPem)).toMatch(/^valid/);
    expect(reasonOf(bare, tsa.rootPem)).toBe('the certificate of the signer is missing');
  });

  it('verifies over other digests of the same message', () => {
    for (const digest of ['-sha384', '-sha512'])
      expect(reasonOf(stamped(tsa, tsa.query(message, '-cert', digest)), tsa.rootPem)).toMatch(/^valid/);
  });
});

describe('a token that does not count', () => {
  it('is over another message', () => {
    expect(reasonOf(response, tsa.rootPem, Buffer.from('acme/anchor\n8\n'))).toBe(
      'the token is over something else',
    );
    expect(tsa.verify(Buffer.from('acme/anchor\n8\n'), response, false)).toBe(false);
  });

  it('leads to an authority that is not pinned, though its certificates are in it', () => {
    const other = tsaOf({ intermediate: true });
    expect(reasonOf(response, other.rootPem)).toBe('the signing certificate does not lead to a pinned one');
    // Its own names do not help: these are other keys.
    expect(reasonOf(stamped(other), tsa.rootPem)).toBe(
      'the signing certificate does not lead to a pinned one',
    );
    expect(reasonOf(stamped(other), tsa.intermediatePem)).toBe(
      'the signing certificate does not lead to a pinned one',
    );
  });

  it.each<[string, TsaOptions, string]>([
    ['expired', { notAfter: '20210101000000Z' }, 'a certificate was not valid at the time stamped'],
    ['is not valid yet', { notBefore: '20460101000000Z' }, 'a certificate was not valid at the time stamped'],
    ['is of an RSA key of 1024 bits', { key: 'short-rsa' }, 'an RSA key is too short'],
    [
      'has a critical extension nobody knows',
      { extensions: 'extendedKeyUsage=critical,timeStamping\n1.2.3.4=critical,ASN1:NULL' },
      'a certificate has the critical extension 1.2.3.4',
    ],
  ])('has a signing certificate that %s', (_, options, reason) => {
    const other = tsaOf(options);
    expect(reasonOf(stamped(other), other.rootPem)).toBe(reason);
    if (options.key !== 'short-rsa') expect(reasonOf(stamped(other), other.signerPem)).toBe(reason);
  });

  it.each<[string, string, string]>([
    ['is no authority', 'basicConstraints=critical,CA:false', 'an issuer is no certificate authority'],
    [
      'may not sign certificates',
      'basicConstraints=critical,CA:true\nkeyUsage=critical,cRLSign',
      'an issuer is no certificate authority',
    ],
    [
      'is for other things',
      'basicConstraints=critical,CA:true\nextendedKeyUsage=serverAuth',
      'an authority may not issue certificates for timestamps',
    ],
  ])('has an issuer that %s', (_, intermediate, reason) => {
    const other = tsaOf({ intermediate });
    const token = stamped(other);
    expect(reasonOf(token, other.rootPem)).toBe(reason);
  });

  it.each<[string, string]>([
    ['has no purpose', 'keyUsage=critical,digitalSignature'],
    ['is for timestamps, and does not insist', 'extendedKeyUsage=timeStamping'],
    ['is for other things too', 'extendedKeyUsage=critical,timeStamping,serverAuth'],
    ['is for another thing', 'extendedKeyUsage=critical,serverAuth'],
  ])('is signed with a certificate that %s', (_, extensions) => {
    const other = tsaOf({ extensions });
    const token = other.sign(readTimestampToken(response).content, '-cades');
    for (const pem of [other.rootPem, other.signerPem])
      expect(reasonOf(token, pem)).toBe('the signing certificate is not one for timestamps alone');
  });

  it('is signed by a certificate that may not sign', () => {
    const other = tsaOf({
      extensions: 'extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,keyEncipherment',
    });
    const token = other.sign(readTimestampToken(response).content, '-cades');
    expect(reasonOf(token, other.rootPem)).toBe('the signing certificate may not sign');
  });

  it('does not name its certificate among what is signed, is signed twice, or is something else', () => {
    const { content } = readTimestampToken(response);
    expect(reasonOf(tsa.sign(content, '-cades'), tsa.signerPem)).toMatch(/^valid/);
    expect(reasonOf(tsa.sign(content), tsa.signerPem)).toBe('a value with tag 48 is missing');
    expect(reasonOf(tsa.sign(content, '-noattr'), tsa.signerPem)).not.toMatch(/^valid/);
    const other = tsaOf({});
    const twice = ['-cades', '-signer', other.signerFile, '-inkey', other.signerFile.replace('.pem', '.key')];
    expect(reasonOf(tsa.sign(content, ...twice), tsa.signerPem)).toBe('the token has more than one signer');
    const data = tsa.sign(content, '-cades', '-econtent_type', 'pkcs7-data');
    expect(reasonOf(data, tsa.signerPem)).toBe('the token does not hold a timestamp');
    expect(reasonOf(tsa.sign(Buffer.from('hello'), '-cades'), tsa.signerPem)).not.toMatch(/^valid/);
    const keyId = tsa.sign(content, '-cades', '-keyid');
    expect(reasonOf(keyId, tsa.signerPem)).toMatch(/^valid/);
  });

  it('is cut off anywhere', () => {
    for (let length = 0; length < response.length; length += 7)
      expect(reasonOf(response.subarray(0, length), tsa.rootPem)).not.toMatch(/^valid/);
    const longer = Buffer.concat([response, Buffer.from('0500', 'hex')]);
    expect(reasonOf(longer, tsa.rootPem)).toBe('not one DER value');
  });

  it('is too large, and is refused before it is read', () => {
    const huge = Buffer.concat([Buffer.from('30847fffffff', 'hex'), Buffer.alloc(70_000)]);
    expect(reasonOf(huge, tsa.rootPem)).toBe('the token is too large');
    expect(reasonOf(Buffer.from('3084ffffffff00', 'hex'), tsa.rootPem)).toBe('a value is cut off');
  });

  it('does not verify with any bit changed that is signed or leads to the pinned certificate', () => {
    const { content, signer, certificates } = readTimestampToken(response);
    const regions = [
      content,
      signer.signature,
      certificates.find(({ whole }) => tsa.signerPem.includes(whole.toString('base64').slice(0, 60)))!.signed,
    ];
    for (const region of regions) {
      const begin = response.indexOf(region);
      for (let bit = 0; bit < region.length * 8; bit += 5) {
        const changed = Buffer.from(response);
        changed[begin + (bit >> 3)]! ^= 1 << (bit & 7);
        expect(reasonOf(changed, tsa.rootPem), `bit ${bit}`).not.toMatch(/^valid/);
      }
    }
  });

  it('is garbage of any kind, and ends in a reason and not in an exception', () => {
    const mutated = fc
      .tuple(fc.nat(response.length - 1), fc.uint8Array({ maxLength: 40 }), fc.nat(60))
      .map(([at, bytes, cut]) =>
        Buffer.concat([
          response.subarray(0, at),
          bytes,
          response.subarray(Math.min(response.length, at + cut)),
        ]),
      )
      .filter((bytes) => !bytes.equals(response));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 500 }), mutated), (bytes) => {
        expect(typeof reasonOf(bytes, tsa.rootPem)).toBe('string');
      }),
      { numRuns: 1500 },
    );
  });

  it('has hostile nesting', () => {
    let nested = Buffer.of();
    for (let depth = 0; depth < 15_000; depth += 1) {
      const { length } = nested;
      const head =
        length < 0x80
          ? [0x30, length]
          : length < 0x100
            ? [0x30, 0x81, length]
            : [0x30, 0x82, length >> 8, length & 0xff];
      nested = Buffer.concat([Buffer.from(head), nested]);
      if (nested.length > 60_000) break;
    }
    expect(reasonOf(nested, tsa.rootPem)).not.toMatch(/^valid/);
  });
});

describe('pinned certificates', () => {
  it('that are none give a reason', () => {
    expect(reasonOf(response, '')).toBe('there is no certificate in the PEM text');
    expect(reasonOf(response, 'hello')).toBe('there is no certificate in the PEM text');
    const broken = tsa.rootPem.replace('MII', 'MIX');
    expect(reasonOf(response, broken)).not.toMatch(/^valid/);
    expect(reasonOf(response, tsa.rootPem.repeat(40))).toBe('there are too many certificates');
  });
});

describe('a response without a token', () => {
  it('says why the authority refused, and whether it may do it later', () => {
    const unaccepted = tsaOf({ digests: 'sha512' });
    expect(readTimestampResponse(stamped(unaccepted))).toEqual({
      refused: 'status 2, badAlg',
      isPassing: false,
    });
    const refusal = (status: number, bits: string) =>
      readTimestampResponse(
        Buffer.from(
          `300${(5 + bits.length / 2).toString(16)}30${(3 + bits.length / 2).toString(16).padStart(2, '0')}02010${status}${bits}`,
          'hex',
        ),
      );
    expect(refusal(2, '030204' + '20')).toMatchObject({ isPassing: false });
    expect(refusal(2, '03030000' + '02')).toEqual({ refused: 'status 2, timeNotAvailable', isPassing: true });
    expect(refusal(3, '')).toEqual({ refused: 'status 3', isPassing: true });
    expect(verifyTimestamp(stamped(unaccepted), message, unaccepted.rootPem)).toHaveProperty('reason');
  });
});
