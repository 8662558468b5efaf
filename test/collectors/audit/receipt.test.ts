import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { acceptCanonicalEvent } from '../../../collectors/audit/canonical-event.ts';
import { knownIssuers } from '../../../collectors/audit/receipt-issuers.ts';
import { takeReceipts } from '../../../collectors/audit/take.ts';
import { contextOf } from '../../../collectors/admission.ts';
import { createIngestHttp } from '../../../collectors/ingest-http.ts';
import { createEventSealing } from '../../../collectors/seal-event.ts';
import { formatEnvelope, IN_TOTO_PAYLOAD_TYPE, parseEnvelope, signEnvelope } from '../../../evidence/dsse.ts';
import { formatVerifierKey } from '../../../evidence/note/key.ts';
import { verifyReceipt } from '../../../evidence/receipt/verify.ts';
import { ConfigError, InputError } from '../../../runtime/errors.ts';
import { configSchema } from '../../../schemas/config.ts';
import { eventSchema } from '../../../schemas/event.ts';
import {
  callEvent,
  createWorld,
  envelopeOf,
  gatewayReceipt,
  keyOf,
  keys,
  proofsOf,
  receiptEvent,
  trust,
} from '../../evidence/receipt/receipt-world.ts';
import { verifies } from '../../requirements.ts';
import { testIngest, type TestIngest } from '../../support/ingest-deps.ts';

const issuers = [{ issuer: 'gateway.acme.example', verifier_key: formatVerifierKey(keys.gateway) }];
let ingest: TestIngest;
afterEach(() => ingest.close());

/** Takes one request; `tenant`: what the token is for. */
async function take(
  body: string,
  {
    tenant,
    known = issuers,
    encoding = 'json',
    sealing = false,
  }: { tenant?: string; known?: typeof issuers; encoding?: 'json' | 'ndjson'; sealing?: boolean } = {},
) {
  ingest = await testIngest();
  const deps = sealing ? { ...ingest.deps, sealing: sealingOf() } : ingest.deps;
  const context = contextOf(deps, 'audit_http', { tenant });
  const answer = await takeReceipts(deps, context, knownIssuers(known), encoding, Buffer.from(body));
  return {
    answer,
    events: (await ingest.stored(ingest.deps.events)).map((event) => eventSchema.parse(event)),
    malformed: await ingest.stored(ingest.deps.deadletter),
  };
}

function sealingOf() {
  const key = {
    keyId: '00000000-0000000000000000',
    subject: `subj-${'0'.repeat(32)}`,
    key: randomBytes(32),
    durable: undefined,
  };
  return createEventSealing({
    config: configSchema.parse({}).subjects,
    keys: { keyFor: () => key } as unknown as Parameters<typeof createEventSealing>[0]['keys'],
    digestKey: new Uint8Array(32),
  });
}

const decision = gatewayReceipt('decision');
const signed = envelopeOf(decision, keys.gateway);
const withChange = (change: (text: string) => string) => {
  const payload = Buffer.from(change(Buffer.from(parseEnvelope(signed).payload).toString()));
  return formatEnvelope(signEnvelope(IN_TOTO_PAYLOAD_TYPE, payload, [keys.gateway]));
};

describe('a receipt that a gateway signed', () => {
  it('becomes a policy decision that holds the envelope whole, so that it proves itself later', async () => {
    const { answer, events } = await take(` \n${signed}\n`);
    expect(answer).toMatchObject({ accepted: 1, malformed: 0 });
    expect(events[0]).toMatchObject({
      kind: 'policy',
      tenant: 'acme',
      policy: { decision: 'allow' },
      tool: { name: 'write_file', call_id: 'call-1', action: 'write' },
      session: { key: 'session-1' },
      fact_sources: { 'policy.decision': 'policy_engine' },
      receipt: { envelope: signed, issuer: 'gateway.acme.example', signature: 'verified' },
    });
    const world = createWorld([callEvent(1), events[0]!, callEvent(2)]);
    expect(verifyReceipt({ envelope: signed, ...proofsOf(world, 1) }, trust)).toMatchObject({
      verdict: 'valid',
      assurance: 'attested',
    });
  });

  it('of an outcome becomes the result of the call', async () => {
    const { events } = await take(envelopeOf(gatewayReceipt('outcome'), keys.gateway));
    expect(events[0]).toMatchObject({
      kind: 'tool_call',
      phase: 'result',
      result: { category: 'ok' },
      tool: { call_id: 'call-1' },
    });
    expect(events[0]).not.toHaveProperty('policy');
  });

  it('keeps its id when it is sent again', async () => {
    const { events } = await take(`${signed}\n${signed}\n`, { encoding: 'ndjson' });
    expect(events).toHaveLength(2);
    expect(events[0]!.event_id).toBe(events[1]!.event_id);
  });

  it.each<[string, string, string, typeof issuers]>([
    ['of a key nobody configured', envelopeOf(decision, keys.stranger), 'unknown_key', issuers],
    [
      'of another issuer',
      envelopeOf(decision, keys.receipts),
      'bad',
      [...issuers, { issuer: 'other', verifier_key: formatVerifierKey(keys.receipts) }],
    ],
    ['whose signature is bad', signed.replace(/"sig":"..../, '"sig":"AAAA'), 'bad', issuers],
    ['where no issuer is configured', signed, 'not_checked', []],
  ])('%s is kept and says nothing', async (_what, envelope, signature, known) => {
    verifies('P4');
    const { events } = await take(envelope, { known });
    expect(events[0]).toMatchObject({ kind: 'context', receipt: { signature } });
    for (const fact of ['policy', 'tool', 'session', 'result', 'actor'])
      expect(events[0]).not.toHaveProperty(fact);
  });
});

describe('a receipt is refused with the reason', () => {
  it.each<[string, string, string]>([
    [
      'a field nobody knows',
      withChange((text) => text.replace('"tenant"', '"prompt":"hello","tenant"')),
      'STATEMENT',
    ],
    ['a call it is not about', withChange((text) => text.replaceAll('call-1', 'call-2')), 'SUBJECT_MISMATCH'],
    ['JSON that is not canonical', withChange((text) => `${text}\n`), 'canonical'],
    ['a member beside the signatures', signed.replace('{', '{"cert":"x",'), 'BAD_ENVELOPE'],
    ['a member in a signature', signed.replace('{"keyid"', '{"cert":"x","keyid"'), 'BAD_ENVELOPE'],
    [
      'another payload type',
      formatEnvelope(signEnvelope('text/plain', Buffer.from('x'), [keys.gateway])),
      'payload type',
    ],
    [
      'the claim to have been observed',
      envelopeOf(
        gatewayReceipt('decision', 1, { assurance: { level: 'observed', not_proven: ['x'] } }),
        keys.gateway,
      ),
      'who decide',
    ],
  ])('%s', async (_what, envelope, reason) => {
    verifies('P10');
    const { answer, events, malformed } = await take(envelope);
    expect(answer).toMatchObject({ accepted: 0, malformed: 1 });
    expect(answer.errors[0]?.reason).toContain(reason);
    expect(events).toEqual([]);
    expect(malformed).toHaveLength(1);
  });

  it.each([
    [
      'a token in the reason',
      { decision: { result: 'allow', reason: 'token ghp_0123456789abcdefghij0123456789abcdef' } },
    ],
    ['an address in the reason', { decision: { result: 'allow', reason: 'asked by jane.doe@example.com' } }],
    ['a card number as a rule', { decision: { result: 'allow', rules: ['4111 1111 1111 1111'] } }],
  ])('%s: and no byte of it is kept', async (_what, facts) => {
    verifies('P7');
    const receipt = gatewayReceipt('decision', 1, facts);
    const { answer, malformed } = await take(envelopeOf(receipt, keys.gateway));
    expect(answer.errors[0]).toMatchObject({
      reason: expect.stringContaining('secret or personal data') as unknown,
    });
    expect(malformed[0]).not.toHaveProperty('excerpt');
    expect(JSON.stringify(malformed)).not.toMatch(/ghp_|jane|4111|eyJf/);
  });

  it('a secret for a key id', async () => {
    const { answer } = await take(
      signed.replace(/"keyid":"[^"]*"/, '"keyid":"ghp_0123456789abcdefghij0123456789abcdef"'),
    );
    expect(answer).toMatchObject({ accepted: 0, malformed: 1 });
  });

  it('twin: an address is who somebody is', async () => {
    const receipt = gatewayReceipt('decision', 1, { identity: { principal: 'jane.doe@example.com' } });
    const { events } = await take(envelopeOf(receipt, keys.gateway));
    expect(events[0]).toMatchObject({ actor: { user_id: 'jane.doe@example.com' } });
  });

  it('a name that would have to be sealed; twin: without it the same receipt is taken', async () => {
    const receipt = gatewayReceipt('decision', 1, { identity: { principal: 'jane' } });
    const { answer } = await take(envelopeOf(receipt, keys.gateway), { sealing: true });
    expect(answer.errors[0]?.reason).toContain('cannot be sealed');
    await ingest.close();
    expect((await take(signed, { sealing: true })).answer).toMatchObject({ accepted: 1 });
  });

  it('a tenant that is not that of the token', async () => {
    const { answer } = await take(signed, { tenant: 'globex' });
    expect(answer).toMatchObject({ accepted: 0, errors: [{ path: '[0].payload.predicate.tenant' }] });
  });

  it('a whole request that is no JSON: nothing readable is kept', async () => {
    ingest = await testIngest();
    const context = contextOf(ingest.deps, 'audit_http', { tenant: undefined });
    await expect(takeReceipts(ingest.deps, context, [], 'json', Buffer.from('{"payload":'))).rejects.toThrow(
      InputError,
    );
    expect((await ingest.stored(ingest.deps.deadletter))[0]).not.toHaveProperty('excerpt');
  });

  it('one that comes as a canonical event, which says of itself that it was verified', async () => {
    verifies('P4');
    ingest = await testIngest();
    const context = contextOf(ingest.deps, 'mcp_stdio_tap', { tenant: undefined });
    const event = receiptEvent(decision, signed);
    const forged = { ...event, source: { ...event.source, collector: 'mcp_stdio_tap' } };
    expect(() => acceptCanonicalEvent(forged, context)).toThrow('receipts have an address of their own');
    expect(acceptCanonicalEvent({ ...forged, receipt: undefined }, context).kind).toBe('policy');
  });

  it('a key that is no key stops the start', async () => {
    ingest = await testIngest();
    expect(() => knownIssuers([{ issuer: 'x', verifier_key: 'x' }])).toThrow(ConfigError);
    const witness = formatVerifierKey(keyOf('w', 'witness'));
    expect(() => knownIssuers([{ issuer: 'x', verifier_key: witness }])).toThrow('key of a witness');
  });
});

it('POST /v1/receipts takes one, several and one a line, and answers 400 when none is usable', async () => {
  ingest = await testIngest({ receipt_issuers: issuers });
  const http = createIngestHttp(ingest.deps);
  await http.start();
  try {
    const { host, port } = http.address();
    const post = async (body: string, type = 'application/json') => {
      const answer = await fetch(`http://${host}:${port}/v1/receipts`, {
        method: 'POST',
        body,
        headers: { 'content-type': type },
      });
      return { status: answer.status, ...((await answer.json()) as { accepted: number; malformed: number }) };
    };
    const second = envelopeOf(gatewayReceipt('outcome', 2), keys.gateway);
    expect(await post(signed)).toMatchObject({ status: 200, accepted: 1 });
    expect(await post(`[${signed}, ${second}]`)).toMatchObject({ status: 200, accepted: 2 });
    expect(await post(`${signed}\n${second}\n{}\n`, 'application/x-ndjson')).toMatchObject({
      status: 200,
      accepted: 2,
      malformed: 1,
    });
    expect(await post('{}')).toMatchObject({ status: 400, malformed: 1 });
    expect(await ingest.stored(ingest.deps.events)).toHaveLength(5);
  } finally {
    await http.stop();
  }
});
