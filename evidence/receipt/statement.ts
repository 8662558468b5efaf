import { hash } from 'node:crypto';
import { receiptSchema, type Receipt } from '../../schemas/receipt.ts';
import { canonicalJson } from '../canonical-json.ts';
import { sameSubjects, subjectsOf } from './commitment.ts';

/** Longest payload taken: what a receipt may hold fits in a tenth of it. */
export const STATEMENT_MAX_BYTES = 64 * 1024;

export type StatementFault = 'STATEMENT' | 'SUBJECT_MISMATCH';

/** A receipt read from its payload, or why there is none. */
export type ParsedStatement =
  | { readonly receipt: Receipt; readonly fault?: never }
  | { readonly fault: StatementFault; readonly detail: string; readonly receipt?: never };

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The exact bytes to sign: canonical JSON, UTF-8. */
export function formatStatement(receipt: Receipt): Uint8Array {
  return Buffer.from(canonicalJson(receipt), 'utf8');
}

/** Names a receipt: SHA-256 of its payload, `sha256:` in front. */
export function statementDigest(payload: Uint8Array): string {
  return `sha256:${hash('sha256', payload, 'hex')}`;
}

/**
 * Reads attacker-controlled bytes. Only the canonical form (RFC 8785) is a receipt: it has no second reading, such as a key
 * that comes twice. The detail names the field and never repeats a value.
 */
export function parseStatement(payload: Uint8Array): ParsedStatement {
  if (payload.length > STATEMENT_MAX_BYTES) return fault('it is too large');
  let json: unknown;
  let text: string;
  try {
    text = strictUtf8.decode(payload);
    json = JSON.parse(text) as unknown;
  } catch {
    return fault('it is not JSON in UTF-8');
  }
  const parsed = receiptSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    // Nothing that the sender named itself goes into the reason: it may be kept where the payload is not.
    const names = issue?.path.map(String) ?? [];
    const own = names.indexOf('redactions');
    const path = (own < 0 ? names : names.slice(0, own + 1)).join('.');
    return fault(`${path === '' ? 'it' : path}: ${issue?.code ?? 'invalid'}`);
  }
  const receipt = parsed.data;
  if (!isCanonical(json, text)) return fault('it is not canonical JSON (RFC 8785)');
  if (!sameSubjects(receipt.subject, subjectsOf(receipt.predicate)))
    return {
      fault: 'SUBJECT_MISMATCH',
      detail: 'the subject is not the commitment to the call it describes',
    };
  return { receipt };
}

function isCanonical(json: unknown, text: string): boolean {
  try {
    return canonicalJson(json) === text;
  } catch {
    return false;
  }
}

const fault = (detail: string): ParsedStatement => ({ fault: 'STATEMENT', detail });
