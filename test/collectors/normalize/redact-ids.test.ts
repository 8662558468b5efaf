import { createHash, randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { redactText } from '../../../collectors/normalize/redact.ts';

test('UUIDs survive, whatever digits they hold', () => {
  const unlucky = [
    '5c0153ff-bffe-4129-9174-28223492d7e2',
    '55761137-3066-4442-a1bd-274706db37ae',
    '8832fbe4-9bb5-4852-8361-76581088e967',
  ];
  for (const id of [...unlucky, ...Array.from({ length: 20_000 }, () => randomUUID())])
    expect(redactText(id).text).toBe(id);
});

test('hex digests survive', () => {
  for (let n = 0; n < 5000; n++) {
    const id = createHash('sha256').update(String(n)).digest('hex');
    expect(redactText(`sha256:${id}`).text).toBe(`sha256:${id}`);
  }
});

test('a card number does not, however it is written', () => {
  for (const card of [
    '4111111111111111',
    '4111-1111-1111-1111',
    'card 4111 1111 1111 1111.',
    'visa4111111111111111',
    '{"n":"5555555555554444"}',
  ]) {
    expect(redactText(card).text).toContain('[redacted:payment_card]');
  }
});
