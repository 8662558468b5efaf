import type { Receipt } from '../../schemas/receipt.ts';
import { redactIdentity, redactText } from '../normalize/redact.ts';

/** Members whose form the schema fixes: digests, ids in hex, decimals. A digest may look like a card number. */
const TYPED = new Set([
  ...[
    'sha256',
    'digest',
    'definition_digest',
    'decision_ref',
    'previous',
    'inputs_digest',
    'lockfile_digest',
  ],
  ...['sbom_digest', 'registry_entry_digest', 'receipt_id', 'number', 'trace_id', 'span_id'],
]);
/** Members that name somebody, who may have an e-mail address for a name. */
const IDENTITIES = new Set(['identity', 'approval', 'issuer']);

/**
 * Where a receipt holds what redaction would replace, as a dotted path; `undefined` when it is clean. Signed bytes cannot be
 * redacted: such a receipt is refused whole.
 */
export function unredactedPath(receipt: Receipt): string | undefined {
  return search(receipt.predicate, '', redactText);
}

type Redact = typeof redactText;

function search(value: unknown, path: string, redact: Redact): string | undefined {
  if (typeof value === 'string') return redact(value).text === value ? undefined : path;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, member] of Object.entries(value)) {
    if (TYPED.has(key) && typeof member === 'string') continue;
    const within = path === '' ? key : `${path}.${key}`;
    // A member of a record may be named by the sender.
    if (redact(key).text !== key) return path;
    const found = search(member, within, IDENTITIES.has(key) ? redactIdentity : redact);
    if (found !== undefined) return found;
  }
  return undefined;
}
