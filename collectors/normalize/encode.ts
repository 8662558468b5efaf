import { canonicalJson } from '../../evidence/canonical-json.ts';
import type { CustodyEvent } from '../../schemas/event.ts';

/** The exact bytes of an event on the topic and in its ledger entry: canonical JSON (RFC 8785), UTF-8. */
export function encodeEvent(event: CustodyEvent): Uint8Array {
  return Buffer.from(canonicalJson(event), 'utf8');
}
