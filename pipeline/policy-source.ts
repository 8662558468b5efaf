import { hash } from 'node:crypto';
import { canonicalJson } from '../evidence/canonical-json.ts';
import { InputError } from '../runtime/errors.ts';
import { policyDocument, type PolicyDocument } from '../schemas/policy-document.ts';

/** Where a document comes from that people keep: a file, or a directory of files. */
export interface PolicySource {
  readonly type: PolicyDocument['type'];
  /** For people: `registry.yaml`. */
  readonly place: string;
  /** Cheap to make; another one means that `read` may give something else. Rejects when nothing is there. */
  stamp(): Promise<string>;
  /** The validated document as JSON. @throws InputError that names what is wrong and where. */
  read(): Promise<unknown>;
}

/**
 * A document as it goes into the log.
 * @throws InputError when it is too large for a record, or holds what JSON cannot.
 */
export function policyDocumentOf(type: PolicyDocument['type'], document: unknown): PolicyDocument {
  const text = canonicalTextOf(type, document);
  const parsed = policyDocument.safeParse({ type, digest: hash('sha256', text, 'hex'), document: text });
  if (parsed.success) return parsed.data;
  throw new InputError('input_too_large', `cannot use ${type}: it is too large (${text.length} characters)`);
}

function canonicalTextOf(type: string, document: unknown): string {
  try {
    return canonicalJson(document);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new InputError('input_invalid', `cannot use ${type}: ${cause.message}`, { cause });
  }
}
