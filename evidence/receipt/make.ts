import { receiptKind, type Assurance, type Receipt, type ReceiptKind } from '../../schemas/receipt.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { formatEnvelope, IN_TOTO_PAYLOAD_TYPE, parseEnvelope, signEnvelope } from '../dsse.ts';
import type { SigningKey } from '../note/key.ts';
import type { EntryFacts } from './entry-proof.ts';
import { observedReceipt } from './observed.ts';
import { formatStatement, parseStatement, statementDigest } from './statement.ts';

/** A ledger entry that tells of a call. */
export interface TellingEntry {
  readonly facts: EntryFacts;
  readonly event: CustodyEvent;
}

/** A receipt as it is written out, and the entry that proves it. */
export interface MadeReceipt<Entry extends TellingEntry> {
  readonly kind: ReceiptKind;
  readonly assurance: Assurance;
  readonly receiptId: string;
  /** DSSE envelope, one line. */
  readonly envelope: string;
  readonly entry: Entry;
}

const KINDS: readonly ReceiptKind[] = ['decision', 'outcome'];

/**
 * The receipts of a call: those that gateways signed, where their signature was good when they came; else ours, signed
 * with the key, of the first entry that tells a decision or an outcome.
 */
export function makeReceipts<Entry extends TellingEntry>(
  entries: readonly Entry[],
  key: SigningKey | undefined,
): MadeReceipt<Entry>[] {
  const made: MadeReceipt<Entry>[] = [];
  let decisionRef: string | undefined;
  for (const kind of KINDS) {
    const receipt = gatewayReceipt(entries, kind) ?? (key && ourReceipt(entries, kind, key, decisionRef));
    if (receipt === undefined) continue;
    made.push(receipt);
    if (kind === 'decision') decisionRef = statementDigest(parseEnvelope(receipt.envelope).payload);
  }
  return made;
}

function gatewayReceipt<Entry extends TellingEntry>(
  entries: readonly Entry[],
  kind: ReceiptKind,
): MadeReceipt<Entry> | undefined {
  for (const entry of entries) {
    const kept = entry.event.receipt;
    if (kept?.signature !== 'verified') continue;
    const { receipt } = parseStatement(parseEnvelope(kept.envelope).payload);
    if (receipt !== undefined && receiptKind(receipt) === kind)
      return { ...describe(receipt), envelope: kept.envelope, entry };
  }
  return undefined;
}

function ourReceipt<Entry extends TellingEntry>(
  entries: readonly Entry[],
  kind: ReceiptKind,
  key: SigningKey,
  decisionRef: string | undefined,
): MadeReceipt<Entry> | undefined {
  for (const entry of entries) {
    // What an unknown gateway says is no observation of ours.
    if (entry.event.receipt !== undefined && entry.event.receipt.signature !== 'verified') continue;
    const receipt = observedReceipt(entry.facts, entry.event, { kind, issuer: key.name, decisionRef });
    if (receipt === undefined) continue;
    const envelope = formatEnvelope(signEnvelope(IN_TOTO_PAYLOAD_TYPE, formatStatement(receipt), [key]));
    return { ...describe(receipt), envelope, entry };
  }
  return undefined;
}

function describe(receipt: Receipt): Pick<MadeReceipt<TellingEntry>, 'kind' | 'assurance' | 'receiptId'> {
  const { assurance, receipt_id } = receipt.predicate;
  return { kind: receiptKind(receipt), assurance: assurance.level, receiptId: receipt_id };
}
