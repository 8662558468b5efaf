import { z } from 'zod';
import {
  DsseFormatError,
  formatEnvelope,
  IN_TOTO_PAYLOAD_TYPE,
  parseEnvelope,
  type DsseEnvelope,
} from '../../evidence/dsse.ts';
import { parseStatement } from '../../evidence/receipt/statement.ts';
import { InputError } from '../../runtime/errors.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { limits } from '../../schemas/event/limits.ts';
import type { Receipt } from '../../schemas/receipt.ts';
import type { NormalizeContext } from '../normalize/context.ts';
import { redactIdentity } from '../normalize/redact.ts';
import type { EventSealing } from '../seal-event.ts';
import { receiptEvent } from './receipt-event.ts';
import { signatureFact, type KnownIssuer } from './receipt-issuers.ts';
import { unredactedPath } from './receipt-redaction.ts';

/** DSSE asks readers to pass over other members; what is kept for ever must not carry any. */
const envelopeShape = z.strictObject({
  payloadType: z.string(),
  payload: z.string(),
  signatures: z.array(z.strictObject({ keyid: z.string().optional(), sig: z.string() })),
});

export interface ReceiptDeps {
  readonly known: readonly KnownIssuer[];
  readonly sealing?: EventSealing | undefined;
}

/**
 * Takes a receipt that a gateway signed. Payload and signatures are kept as they are, since a changed byte would end what they
 * prove: a receipt that could not be kept whole, or that holds what must not be kept, is refused with the reason.
 */
export function acceptReceipt(
  value: unknown,
  context: NormalizeContext,
  { known, sealing }: ReceiptDeps,
): CustodyEvent {
  const envelope = readEnvelope(value);
  const read = parseStatement(envelope.payload);
  if (read.receipt === undefined) throw refused(`${read.fault}: ${read.detail}`, 'payload');
  const { receipt } = read;
  requireKeepable(receipt, context);
  const text = formatEnvelope(envelope);
  if (text.length > limits.receiptChars) throw refused('it is too large', '');
  const kept = { envelope: text, signature: 'verified' as const };
  const event = receiptEvent(receipt, envelope, kept, context);
  if (sealing?.seal(event).event.sealed !== undefined)
    throw refused(
      'it names somebody, and what is signed cannot be sealed (subjects.fields)',
      'payload.predicate',
    );
  const signature = signatureFact(envelope, receipt.predicate.issuer, known);
  return signature === 'verified' ? event : receiptEvent(receipt, envelope, { ...kept, signature }, context);
}

function readEnvelope(value: unknown): DsseEnvelope {
  const parsed = envelopeShape.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw refused(`BAD_ENVELOPE: ${issue?.code ?? 'invalid'}`, issue?.path.map(String).join('.') ?? '');
  }
  let envelope: DsseEnvelope;
  try {
    envelope = parseEnvelope(JSON.stringify(parsed.data));
  } catch (cause) {
    if (!(cause instanceof DsseFormatError)) throw cause;
    throw refused(`BAD_ENVELOPE: ${cause.message}`, '');
  }
  if (envelope.payloadType !== IN_TOTO_PAYLOAD_TYPE)
    throw refused(`BAD_ENVELOPE: the payload type is not ${IN_TOTO_PAYLOAD_TYPE}`, 'payloadType');
  const shownKey = envelope.signatures.findIndex(({ keyid = '' }) => redactIdentity(keyid).text !== keyid);
  if (shownKey >= 0) throw refused('it holds a secret or personal data', `signatures.${shownKey}.keyid`);
  const longSignature = envelope.signatures.findIndex(({ sig }) => sig.length > 512);
  if (longSignature >= 0)
    throw refused('BAD_ENVELOPE: a signature is too long', `signatures.${longSignature}.sig`);
  return envelope;
}

function requireKeepable(receipt: Receipt, context: NormalizeContext): void {
  const { tenant, assurance, entry } = receipt.predicate;
  if (assurance.level !== 'attested' || entry !== undefined)
    throw refused('only receipts of those who decide or run calls are taken', 'payload.predicate.assurance');
  if (context.tenantPinned && tenant !== context.tenant)
    throw refused('its tenant is not that of the token', 'payload.predicate.tenant');
  const path = unredactedPath(receipt);
  if (path !== undefined) throw refused('it holds a secret or personal data', `payload.predicate.${path}`);
}

const refused = (reason: string, path: string) =>
  new InputError('input_invalid', `cannot accept the receipt: ${reason}`, { path });
