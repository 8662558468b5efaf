import { createHmac } from 'node:crypto';
import { toUSVString } from 'node:util';
import { MALFORMED_SCHEMA, type Malformed } from '../schemas/malformed.ts';
import { redactText } from './normalize/redact.ts';

/** Input that could not become an event, as the receivers find it. */
export interface UnusableInput {
  readonly code: string;
  /** Where in the request; undefined = the whole request. */
  readonly path: string | undefined;
  /** Carries no payload. */
  readonly reason: string;
  /** The input's own bytes: measured and digested, never stored. */
  readonly bytes: Uint8Array | undefined;
  /** Readable form to take the excerpt from; undefined where there is none (broken protobuf). */
  readonly text: string | undefined;
}

export interface MalformedContext {
  readonly collector: string;
  readonly tenant: string;
  readonly observedTimeUnixNano: string;
  readonly digestKey: Uint8Array;
}

/** Redaction sees this much, so that a secret is whole when it is looked for; then the excerpt is cut. */
const REDACTION_WINDOW_CHARS = 64 * 1024;
const EXCERPT_CHARS = 2048;
const PATH_CHARS = 512;
const REASON_CHARS = 1024;

/** Makes the ledger's record of unusable input; the excerpt is redacted here, before anything is stored. */
export function malformedRecord(input: UnusableInput, context: MalformedContext): Malformed {
  return {
    schema: MALFORMED_SCHEMA,
    tenant: context.tenant,
    observed_time_unix_nano: context.observedTimeUnixNano,
    stage: context.collector,
    code: input.code,
    ...(input.path === undefined || input.path === '' ? {} : { path: cut(input.path, PATH_CHARS) }),
    reason: cut(input.reason, REASON_CHARS),
    ...(input.text === undefined ? {} : { excerpt: excerptOf(input.text) }),
    ...(input.bytes === undefined
      ? {}
      : {
          digest: createHmac('sha256', context.digestKey).update(input.bytes).digest('hex'),
          size_bytes: input.bytes.length,
        }),
  };
}

function excerptOf(text: string): string {
  return cut(redactText(cut(text, REDACTION_WINDOW_CHARS)).text, EXCERPT_CHARS);
}

/** Cuts; half a surrogate pair at the cut becomes U+FFFD. */
function cut(text: string, chars: number): string {
  return toUSVString(text.slice(0, chars));
}
