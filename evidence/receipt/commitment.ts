import { hash } from 'node:crypto';
import type { Receipt, ReceiptCall } from '../../schemas/receipt.ts';
import { canonicalJson } from '../canonical-json.ts';

/** Which call is meant: the facts every party to it knows. */
export interface CallIdentity {
  readonly tenant: string;
  readonly call: ReceiptCall;
}

/**
 * What a receipt is about. `call` is SHA-256 of the canonical JSON of the call's identity: tenant, session, server, tool,
 * call id, JSON-RPC id and trace id, absent facts left out; both receipts of a call have it in common.
 * `call-with-arguments` binds the arguments too, where the issuer knew them.
 */
export function subjectsOf({ tenant, call }: CallIdentity): Receipt['subject'] {
  const identity = {
    schema: 'custody.call/v1',
    tenant,
    ...present('session_id', call.session_id),
    ...present('mcp_session_id', call.mcp_session_id),
    ...present('server', call.server?.name),
    ...present('tool', call.tool),
    ...present('call_id', call.call_id),
    ...present('request_id', call.request_id),
    ...present('trace_id', call.trace_id),
  };
  const about = [subject('call', identity)];
  const given = call.arguments?.commitment;
  if (given !== undefined) about.push(subject('call-with-arguments', { ...identity, arguments: given }));
  return about;
}

/** Whether two lists of subjects are the same. */
export function sameSubjects(one: Receipt['subject'], other: Receipt['subject']): boolean {
  return canonicalJson(one) === canonicalJson(other);
}

function subject(name: Receipt['subject'][number]['name'], value: unknown): Receipt['subject'][number] {
  return { name, digest: { sha256: hash('sha256', canonicalJson(value), 'hex') } };
}

function present(key: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [key]: value };
}
