import {
  DsseFormatError,
  envelopeVerifiedBy,
  IN_TOTO_PAYLOAD_TYPE,
  parseEnvelope,
  type DsseEnvelope,
} from '../dsse.ts';
import { receiptKind, type Receipt, type ReceiptKind } from '../../schemas/receipt.ts';
import { formatVerifierKey, type VerifierKey } from '../note/key.ts';
import { parseStatement } from './statement.ts';
import type { ReceiptTrust } from './trust.ts';
import { createCheckList, type CheckList, type ReceiptSummary, type ReceiptVerdict } from './verdict.ts';
import { verifyInclusion, type ReceiptProofs } from './verify-inclusion.ts';

/** What is presented, all of it attacker-controlled. */
export interface PresentedReceipt extends ReceiptProofs {
  /** DSSE envelope. */
  readonly envelope: Uint8Array | string;
}

/** Which call the receipt must be about; facts left out are not compared. */
export interface ExpectedCall {
  readonly kind?: ReceiptKind | undefined;
  readonly tenant?: string | undefined;
  readonly session_id?: string | undefined;
  readonly server?: string | undefined;
  readonly tool?: string | undefined;
  readonly call_id?: string | undefined;
  readonly request_id?: string | undefined;
  readonly trace_id?: string | undefined;
}

/** `archival` ignores age: the receipt is evidence of what was. `live`: something is to be done because of it, now. */
export type Purpose =
  | { readonly purpose: 'archival' }
  | {
      readonly purpose: 'live';
      readonly nowMs: number;
      readonly maxAgeMs: number;
      /** Whether a receipt of this issuer and id was used before. */
      readonly isUsed: (issuer: string, receiptId: string) => boolean;
    };

/** A clock of an issuer may be ahead by this much. */
const CLOCK_AHEAD_MS = 60_000;

/**
 * Decides about one receipt with nothing but pinned keys: no network, no store, no clock. Never throws for what is
 * presented. A key inside a receipt is never used.
 */
export function verifyReceipt(
  presented: PresentedReceipt,
  trust: ReceiptTrust,
  expected: ExpectedCall = {},
  purpose: Purpose = { purpose: 'archival' },
): ReceiptVerdict {
  const checks = createCheckList();
  const found = verifySigned(presented, trust, checks);
  if (found === undefined) return verdictOf(checks, trust, undefined);
  const { envelope, receipt } = found;
  if (!isExpected(receipt, expected, checks) || !isFresh(receipt, purpose, checks))
    return verdictOf(checks, trust, receipt);
  const bounds = verifyInclusion(envelope, receipt, presented, trust.notary, checks);
  return { ...verdictOf(checks, trust, receipt), ...(bounds === undefined ? {} : { time_bounds: bounds }) };
}

/** Envelope, signature, statement, issuer. */
function verifySigned(
  presented: PresentedReceipt,
  trust: ReceiptTrust,
  checks: CheckList,
): { readonly envelope: DsseEnvelope; readonly receipt: Receipt } | undefined {
  const envelope = readEnvelope(presented.envelope, checks);
  if (envelope === undefined) return undefined;
  const signers = verifySignature(envelope, trust, checks);
  if (signers === undefined) return undefined;
  const read = parseStatement(envelope.payload);
  if (read.receipt === undefined) {
    checks.fail(read.fault === 'STATEMENT' ? 'statement' : 'subject', read.fault, read.detail);
    return undefined;
  }
  const { receipt } = read;
  checks.pass('statement');
  return isOfIssuer(receipt, signers, trust, checks) ? { envelope, receipt } : undefined;
}

function readEnvelope(bytes: Uint8Array | string, checks: CheckList): DsseEnvelope | undefined {
  try {
    const envelope = parseEnvelope(bytes);
    if (envelope.payloadType === IN_TOTO_PAYLOAD_TYPE) {
      checks.pass('envelope');
      return envelope;
    }
    checks.fail('envelope', 'BAD_ENVELOPE', 'its payload is no in-toto statement');
  } catch (error) {
    if (!(error instanceof DsseFormatError)) throw error;
    checks.fail('envelope', 'BAD_ENVELOPE', error.message);
  }
  return undefined;
}

/** Pinned keys that signed: none where none is pinned, which leaves the rest to be checked; `undefined` to stop. */
function verifySignature(
  envelope: DsseEnvelope,
  { issuers }: ReceiptTrust,
  checks: CheckList,
): readonly VerifierKey[] | undefined {
  if (issuers.length === 0) {
    checks.lack('issuer_signature', 'NO_PINNED_KEY', 'no key of an issuer of receipts is pinned');
    return [];
  }
  const { by, bad } = envelopeVerifiedBy(
    envelope,
    issuers.map(({ key }) => key),
  );
  if (by.length > 0) {
    checks.pass('issuer_signature', by.map(({ name, keyId }) => `${name}+${keyId}`).join(', '));
    return by;
  }
  if (bad === undefined) checks.fail('issuer_signature', 'UNKNOWN_KEY', 'no pinned key signed it');
  else checks.fail('issuer_signature', 'SIGNATURE', `the signature of ${bad.name}+${bad.keyId} is bad`);
  return undefined;
}

/** A key vouches for the issuer and the assurance it is pinned for, and for no other. */
function isOfIssuer(
  { predicate }: Receipt,
  signers: readonly VerifierKey[],
  { issuers }: ReceiptTrust,
  checks: CheckList,
): boolean {
  if (issuers.length === 0) return true;
  const signed = new Set(signers.map(formatVerifierKey));
  const pinned = issuers.filter(
    ({ key, issuer }) => signed.has(formatVerifierKey(key)) && issuer === predicate.issuer,
  );
  if (pinned.some(({ assurance }) => assurance === predicate.assurance.level)) {
    checks.pass('issuer', predicate.issuer);
    return true;
  }
  const detail =
    pinned.length === 0
      ? 'the key that signed it is pinned for another issuer'
      : `the issuer is not pinned for receipts that are ${predicate.assurance.level}`;
  checks.fail('issuer', 'ISSUER', detail);
  return false;
}

function isExpected(receipt: Receipt, expected: ExpectedCall, checks: CheckList): boolean {
  const { call, tenant } = receipt.predicate;
  const { kind, ...facts } = expected;
  const said: Readonly<Record<string, unknown>> = { ...call, tenant, server: call.server?.name };
  const wrong = Object.entries(facts).find(([name, value]) => value !== undefined && said[name] !== value);
  if (wrong !== undefined) {
    checks.fail('subject', 'SUBJECT_MISMATCH', `it is about another call: ${wrong[0]} differs`);
    return false;
  }
  if (kind !== undefined && kind !== receiptKind(receipt)) {
    checks.fail(
      'subject',
      'SUBJECT_MISMATCH',
      `it is a receipt of a ${receiptKind(receipt)}, not of a ${kind}`,
    );
    return false;
  }
  checks.pass('subject');
  return true;
}

function isFresh({ predicate }: Receipt, purpose: Purpose, checks: CheckList): boolean {
  if (purpose.purpose === 'archival') return true;
  const ageMs = purpose.nowMs - predicate.issued_at_ms;
  if (ageMs > purpose.maxAgeMs || ageMs < -CLOCK_AHEAD_MS) {
    const when = ageMs < 0 ? 'in the future' : `${ageMs} ms ago`;
    checks.fail('freshness', 'STALE', `it was issued ${when}`);
    return false;
  }
  if (purpose.isUsed(predicate.issuer, predicate.receipt_id)) {
    checks.fail('freshness', 'DUP_RECEIPT_ID', 'a receipt of this id was used before');
    return false;
  }
  checks.pass('freshness', `issued ${ageMs} ms ago`);
  return true;
}

function verdictOf(
  checks: CheckList,
  { issuers }: ReceiptTrust,
  receipt: Receipt | undefined,
): ReceiptVerdict {
  const assurance = receipt?.predicate.assurance;
  return {
    verdict: checks.verdict,
    cause: checks.cause,
    claim: receipt === undefined ? 'nothing' : claimOf(receipt),
    checks: checks.all,
    key_source: issuers.length === 0 ? 'none' : 'pinned',
    time_bounds: { not_before_ms: null, not_after_ms: null, not_after_by: null },
    assurance: assurance?.level ?? null,
    not_proven: assurance?.not_proven ?? [],
    receipt: receipt === undefined ? null : summaryOf(receipt),
  };
}

function claimOf({ predicate }: Receipt): string {
  const who = predicate.assurance.level === 'attested' ? 'its issuer says' : 'the pipeline was told';
  if ('decision' in predicate)
    return `decision only: ${who} that the decision was ${predicate.decision.result}; nothing here says that the call was executed`;
  const { executed, category } = predicate.outcome;
  const ran =
    executed === undefined
      ? 'whether it ran is not said'
      : executed
        ? 'it was executed'
        : 'it was not executed';
  return `outcome: ${who} that the call ended as ${category}; ${ran}`;
}

function summaryOf(receipt: Receipt): ReceiptSummary {
  const { predicate } = receipt;
  const { receipt_id, issuer, tenant } = predicate;
  const base = { kind: receiptKind(receipt), receipt_id, issuer, tenant };
  if ('decision' in predicate) return { ...base, decision: predicate.decision.result };
  const { executed, category } = predicate.outcome;
  return { ...base, category, ...(executed === undefined ? {} : { executed }) };
}
