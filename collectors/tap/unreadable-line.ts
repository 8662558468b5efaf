import { createHmac } from 'node:crypto';
import type { Line } from '../../runtime/line-splitter.ts';
import type { Direction, normalizeTapEvent } from '../normalize/mcp.ts';
import { clipText } from '../normalize/clip-text.ts';
import { redactText } from '../normalize/redact.ts';

type Description = Parameters<typeof normalizeTapEvent>[0];

/** Looked at for secrets, and kept after that: far apart, so that a secret cut by the first bound is never shown. */
const EXCERPT_READ_BYTES = 64 * 1024;
const EXCERPT_CHARS = 512;

/** A line that was forwarded but is no JSON-RPC message. The digest is over its bytes: there is no value to digest. */
export function describeUnparsable(
  bytes: Uint8Array,
  direction: Direction,
  reason: 'not_json' | 'not_json_rpc',
  digestKey: Uint8Array,
): Description {
  const digest = createHmac('sha256', digestKey).update(bytes).digest('hex');
  return describe('unparsable', bytes, { digest, sizeBytes: bytes.length }, direction, {
    'mcp.unparsable': reason,
  });
}

/** A line too long to be held: forwarded, and recorded by its exact size, digest and start. */
export function describeOversize(
  line: Extract<Line, { kind: 'oversize' }>,
  direction: Direction,
): Description {
  return describe('oversize', line.head, line, direction, { 'mcp.oversize': true });
}

function describe(
  name: string,
  start: Uint8Array,
  whole: { readonly digest: string; readonly sizeBytes: number },
  direction: Direction,
  attributes: Readonly<Record<string, string | boolean>>,
): Description {
  const { text, counts } = redactText(new TextDecoder().decode(start.subarray(0, EXCERPT_READ_BYTES)));
  const payload = {
    summary: clipText(text, EXCERPT_CHARS),
    digest: whole.digest,
    size_bytes: whole.sizeBytes,
    size_source: 'payload' as const,
  };
  return {
    kind: 'mcp_message',
    name,
    ...(direction === 'client_to_server' ? { arguments: payload } : { result: payload }),
    redactions: counts,
    attributes: { ...attributes, 'mcp.wire_bytes': whole.sizeBytes },
  };
}
