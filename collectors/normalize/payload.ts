import { canonicalJson } from '../../evidence/canonical-json.ts';
import { limits, type CustodyEvent } from '../../schemas/event.ts';
import { CUT_MARK, withoutTail } from './cut-tails.ts';
import { findDestinations } from './destinations.ts';
import { keyedDigest } from './keyed-digest.ts';
import { plainValue } from './plain-value.ts';
import { clip, mayNeedRedaction, redactText, redactValue } from './redact.ts';

type EventPayload = NonNullable<CustodyEvent['arguments']>;
export type SizeSource = NonNullable<EventPayload['size_source']>;

export interface PayloadOptions {
  /** Size on the wire, when it is known better than from the value. */
  readonly wireBytes?: number;
  readonly sizeSource?: SizeSource;
  /** The value was cut before it came here. */
  readonly truncated?: boolean;
  readonly digestKey: Uint8Array;
  /** Look for destinations too. Default true; results name hosts nobody sends anything to. */
  readonly findDestinations?: boolean;
}

export interface DescribedPayload {
  readonly payload: EventPayload;
  /** What redaction replaced, by type. */
  readonly redactions: Readonly<Record<string, number>>;
  /** Hosts and addresses found in the value, in order of appearance. */
  readonly destinations: string[];
  /** The value as plain JSON; JSON text is parsed. For a look inside, never to be kept. */
  readonly plain: unknown;
}

/**
 * What may be kept of arguments or a result: redacted summary, keyed digest, size. Reads attacker-controlled values and
 * takes any. JSON text and the structure it denotes get the same digest, so observations of one call can be compared.
 */
export function describePayload(value: unknown, options: PayloadOptions): DescribedPayload {
  const text = typeof value === 'string' ? value : undefined;
  const { plain, canonical } = canonicalForm(text === undefined ? plainValue(value) : parseJsonText(text));
  const shown = text ?? canonical;
  const isCut =
    options.truncated === true ||
    (text === undefined ? canonical.includes(CUT_MARK) : text.endsWith(CUT_MARK));
  const redacted = redactPayload(plain, shown, options.truncated === true);
  const destinations = new Set<string>();
  // As sent where it reads the same, for the order; escapes would hide a host.
  const searched = shown.includes('\\') ? canonical : shown;
  if (options.findDestinations !== false) findDestinations(searched, options.digestKey, destinations);
  const sizeSource = options.sizeSource ?? (isCut ? 'truncated_payload' : 'payload');
  return {
    payload: {
      digest: keyedDigest(options.digestKey, canonical),
      size_bytes: options.wireBytes ?? Buffer.byteLength(shown, 'utf8'),
      size_source: sizeSource,
      ...(redacted.text === '' ? {} : { summary: clip(redacted.text, limits.summaryChars) }),
    },
    redactions: redacted.counts,
    destinations: [...destinations],
    plain,
  };
}

/** The structure a JSON object or array text denotes; other text as it is. */
function parseJsonText(text: string): unknown {
  if (!/^\s*[{[]/.test(text)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The value and its canonical JSON; what canonical JSON refuses (1e999, lone surrogates, depth) is made fit first. */
function canonicalForm(value: unknown): { readonly plain: unknown; readonly canonical: string } {
  try {
    return { plain: value, canonical: canonicalJson(value) };
  } catch {
    const plain = plainValue(value);
    return { plain, canonical: canonicalJson(plain) };
  }
}

function redactPayload(plain: unknown, shown: string, truncated: boolean) {
  const text = truncated ? withoutTail(shown) : shown;
  if (typeof plain === 'string') return redactText(truncated ? text : plain);
  if (!mayNeedRedaction(text)) return { text, counts: {} };
  const { value, counts } = redactValue(plain);
  return { text: JSON.stringify(value), counts };
}
