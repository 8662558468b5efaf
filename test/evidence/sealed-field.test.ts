import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../evidence/canonical-json.ts';
import { openField, sealField, type OpenedField, type SealedPlace } from '../../evidence/sealed-field.ts';
import { xaesKey, xaesSeal } from '../../evidence/xaes.ts';
import { sealedFieldSchema, type SealedField } from '../../schemas/sealed-field.ts';

const key = xaesKey(Buffer.alloc(32, 5));
const ref = { subject: `subj-${'a'.repeat(32)}`, keyId: `0a0b0c0d-${'1'.repeat(16)}` };
const place: SealedPlace = {
  tenant: 'acme',
  eventId: '05f3aa13-5f55-856f-a3a8-88163ef9a54b',
  path: 'actor.user_id',
};
const sealed = (value: unknown): SealedField =>
  sealField(key, ref, place, { nonce: randomBytes(24), salt: randomBytes(32) }, value);
const opened = (field: SealedField): OpenedField => {
  const result = openField(key, field, place);
  if (typeof result === 'string') throw new Error(result);
  return result;
};

describe('a sealed field', () => {
  it('gives its value back, whatever JSON value it is, and fits the schema of an event', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = canonicalJsonOr(value);
        fc.pre(text !== undefined);
        const field = sealed(value);
        expect(sealedFieldSchema.safeParse(field).success).toBe(true);
        expect(opened(field).canonical).toBe(text);
        expect(opened(field).value).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each(['', ' ', 'ann  ', '\u0000\u2028\ud83d\ude00', 'x'.repeat(300_000), 'ß'.repeat(31)])(
    'gives back hostile text as it was (%#)',
    (text) => expect(opened(sealed(text)).value).toBe(text),
  );

  it('commits to the value with a salt nobody has before it is opened', () => {
    const field = sealed('ann@example.com');
    const { salt, canonical } = opened(field);
    expect(createHash('sha256').update(salt).update(canonical).digest('hex')).toBe(field.commitment);
    expect(createHash('sha256').update(canonical).digest('hex')).not.toBe(field.commitment);
    expect(sealed('ann@example.com').commitment).not.toBe(field.commitment);
  });

  it('holds neither the value nor its exact length', () => {
    const field = sealed('ann@example.com');
    expect(Buffer.from(field.value, 'base64').toString('latin1')).not.toContain('ann@');
    expect(sealed('ann@example.co').value).toHaveLength(field.value.length);
  });

  it.each<[string, SealedPlace]>([
    ['of another tenant', { ...place, tenant: 'globex' }],
    ['of another event', { ...place, eventId: '05f3aa13-5f55-856f-a3a8-88163ef9a54c' }],
    ['of another member', { ...place, path: 'policy.approver' }],
  ])('cannot be read in the place %s', (_, elsewhere) => {
    expect(openField(key, sealed('ann'), elsewhere)).toBe('unreadable');
  });

  it('cannot be read with another key, or after any of its members was changed', () => {
    const field = sealed('ann');
    expect(openField(xaesKey(Buffer.alloc(32, 6)), field, place)).toBe('unreadable');
    const other = sealed('bob');
    expect(openField(key, { ...field, commitment: other.commitment }, place)).toBe('unreadable');
    expect(openField(key, { ...field, value: other.value }, place)).toBe('unreadable');
    expect(openField(key, { ...field, subject: `subj-${'b'.repeat(32)}` }, place)).toBe('unreadable');
    expect(openField(key, { ...field, key_id: `0a0b0c0d-${'2'.repeat(16)}` }, place)).toBe('unreadable');
    for (const value of ['', 'AAAA', field.value.slice(0, -4), `${field.value}AAAA`, 'no base64'])
      expect(openField(key, { ...field, value }, place)).toBe('unreadable');
  });

  it('is unproven when whoever sealed it committed to something else', () => {
    // The commitment is bound in as it stands in the event, so only the sealer itself can lie about it.
    const nonce = Buffer.alloc(24, 1);
    const salt = Buffer.alloc(32, 2);
    const honest = sealField(key, ref, place, { nonce, salt }, 'ann');
    const lie = { ...honest, commitment: '0'.repeat(64) };
    expect(openField(key, resealed(lie, nonce, salt, '"ann"'), place)).toBe('unproven');
    expect(openField(key, resealed({ ...honest, commitment: sha(salt, '{') }, nonce, salt, '{'), place)).toBe(
      'unproven',
    );
  });
});

const sha = (salt: Uint8Array, text: string) => createHash('sha256').update(salt).update(text).digest('hex');

/** Encrypts a text under whatever commitment the field states. */
function resealed(field: SealedField, nonce: Uint8Array, salt: Uint8Array, text: string): SealedField {
  const bound = `custody/sealed-field/v1\n${place.tenant}\n${place.eventId}\n${place.path}\n${field.subject}\n${field.key_id}\n${field.commitment}\n`;
  const sealedBytes = xaesSeal(key, nonce, Buffer.concat([salt, Buffer.from(text)]), Buffer.from(bound));
  return { ...field, value: Buffer.concat([nonce, sealedBytes]).toString('base64') };
}

function canonicalJsonOr(value: unknown): string | undefined {
  try {
    return canonicalJson(value);
  } catch {
    return undefined;
  }
}
