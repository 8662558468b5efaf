import { expect, it } from 'vitest';
import { parseEnvelope } from '../../../evidence/dsse.ts';
import { parsePreimage } from '../../../evidence/receipt/entry-proof.ts';
import { makeReceipts } from '../../../evidence/receipt/make.ts';
import { eventOf } from '../../../evidence/receipt/observed.ts';
import { statementDigest } from '../../../evidence/receipt/statement.ts';
import type { CustodyEvent } from '../../../schemas/event.ts';
import {
  bytesOf,
  callEvent,
  dataLog,
  envelopeOf,
  gatewayReceipt,
  keys,
  logOf,
  receiptEvent,
} from './receipt-world.ts';

const envelope = envelopeOf(gatewayReceipt('decision'), keys.gateway);
const kept = receiptEvent(gatewayReceipt('decision'), envelope);
const entriesOf = (...events: readonly CustodyEvent[]) =>
  dataLog(logOf(), events.map(bytesOf)).map(({ preimage, body }) => ({
    facts: parsePreimage(preimage)!,
    event: eventOf(body)!,
  }));
const kinds = (...events: readonly CustodyEvent[]) =>
  makeReceipts(entriesOf(...events), keys.receipts).map(({ kind, assurance }) => `${kind} ${assurance}`);

it("prefers a gateway's own receipt, as it came, and names it in the outcome", () => {
  const [decision, outcome] = makeReceipts(entriesOf(callEvent(1), kept), keys.receipts);
  expect(decision).toMatchObject({ kind: 'decision', assurance: 'attested', envelope });
  expect(outcome).toMatchObject({ kind: 'outcome', assurance: 'observed' });
  const digest = statementDigest(parseEnvelope(envelope).payload);
  expect(Buffer.from(parseEnvelope(outcome!.envelope).payload).toString()).toContain(
    `"decision_ref":"${digest}"`,
  );
});

it.each(['bad', 'unknown_key', 'not_checked'] as const)(
  'takes nothing from a receipt whose signature is %s',
  (signature) => {
    const doubtful = { ...kept, receipt: { ...kept.receipt!, signature } };
    expect(kinds(doubtful)).toEqual([]);
    expect(kinds(doubtful, callEvent(1))).toEqual(['decision observed', 'outcome observed']);
  },
);

it('makes what the entries tell, and nothing else', () => {
  const undecided = callEvent(1);
  delete undecided.policy;
  expect(kinds(undecided)).toEqual(['outcome observed']);
  const request = { ...callEvent(1), phase: 'request' as const };
  expect(kinds(request)).toEqual(['decision observed']);
  expect(kinds({ ...callEvent(1), kind: 'model' })).toEqual([]);
});

it('makes none of our own without a key', () => {
  expect(makeReceipts(entriesOf(callEvent(1)), undefined)).toEqual([]);
  expect(makeReceipts(entriesOf(kept), undefined)).toHaveLength(1);
});

it('makes the same bytes from the same entries', () => {
  const twice = [1, 2].map(() =>
    makeReceipts(entriesOf(callEvent(1)), keys.receipts).map((made) => made.envelope),
  );
  expect(twice[0]).toEqual(twice[1]);
});
