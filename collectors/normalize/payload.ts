import { canonicalJson } from '../../evidence/canonical-json.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { limits } from '../../schemas/event/limits.ts';
import { addressedIn } from './addressed.ts';
import { CUT_MARK, withoutTail } from './cut-tails.ts';
import { compact } from './compact.ts';
import { findDestinations } from './destinations.ts';
import { describeArguments } from './describe-arguments.ts';
import { describeOutput } from './describe-output.ts';
import { keyedDigest } from './keyed-digest.ts';
import { plainValue } from './plain-value.ts';
import type { ProvenanceSettings } from './provenance/settings.ts';
import type { SipKey } from './provenance/sip-hash.ts';
import { clip, mayNeedRedaction, redactText, redactValue } from './redact.ts';
import { sortedCounts } from './shapes/shape.ts';

type Arguments = NonNullable<CustodyEvent['arguments']>;
type Output = Pick<NonNullable<CustodyEvent['result']>, 'line_count' | 'tokens'>;
export type SizeSource = NonNullable<Arguments['size_source']>;

export interface PayloadOptions {
  /** Size on the wire, when it is known better than from the value. */
  readonly wireBytes?: number;
  readonly sizeSource?: SizeSource;
  /** The value was cut before it came here. */
  readonly truncated?: boolean;
  readonly digestKey: Uint8Array;
  /**
   * What it is of a call. Only `arguments` and what a model is given (`prompt`) are searched for destinations: results name hosts
   * nobody sends anything to.
   */
  readonly role: 'arguments' | 'result' | 'prompt' | 'other';
  /** Key of the fingerprints; without it none are made. */
  readonly provenanceKey?: SipKey | undefined;
  readonly provenance?: ProvenanceSettings | undefined;
}

export interface DescribedPayload {
  readonly payload: Arguments;
  /** Of a result. */
  readonly output: Output;
  /** What redaction replaced, by type. */
  readonly redactions: Readonly<Record<string, number>>;
  /** Hosts and addresses found in the value, in order of appearance. */
  readonly destinations: string[];
  /** Those of them that a value names by itself; the others are only mentioned. */
  readonly addressed: ReadonlySet<string>;
  /** Destinations that do not show what was written, with it. For fingerprints, never to be kept. */
  readonly written: ReadonlyMap<string, string>;
  /** The value as plain JSON; JSON text is parsed. For a look inside, never to be kept. */
  readonly plain: unknown;
}

const NOTHING_WRITTEN: ReadonlyMap<string, string> = new Map();
const NOTHING_ADDRESSED: ReadonlySet<string> = new Set();
const NO_OUTPUT: Output = {};

/** A payload of which only the size is known. */
export function sizeOnly(sizeBytes: number | undefined, sizeSource: SizeSource): DescribedPayload {
  return {
    payload: sizeBytes === undefined ? {} : { size_bytes: sizeBytes, size_source: sizeSource },
    output: NO_OUTPUT,
    redactions: {},
    destinations: [],
    addressed: NOTHING_ADDRESSED,
    written: NOTHING_WRITTEN,
    plain: undefined,
  };
}

/**
 * What may be kept of arguments or a result: redacted summary, keyed digest, size, forms of attack and fingerprints. Reads
 * attacker-controlled values and takes any. JSON text and the structure it denotes get the same digest, so observations of
 * one call can be compared.
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
  const written = new Map<string, string>();
  // As sent where it reads the same, for the order; escapes would hide a host.
  const searched = shown.includes('\\') ? canonical : shown;
  if (options.role === 'arguments' || options.role === 'prompt')
    findDestinations(searched, options.digestKey, destinations, written);
  const given = options.role === 'arguments' ? describeArguments(plain, options.provenanceKey) : undefined;
  const got =
    options.role === 'result' ? describeOutput(plain, options.provenanceKey, options.provenance) : undefined;
  return {
    payload:
      compact<Arguments>({
        digest: keyedDigest(options.digestKey, canonical),
        findings: given === undefined && got === undefined ? undefined : sortedCounts(redacted.counts),
        keys: given?.keys,
        shapes: given?.shapes ?? got?.shapes,
        size_bytes: options.wireBytes ?? Buffer.byteLength(shown, 'utf8'),
        size_source: options.sizeSource ?? (isCut ? 'truncated_payload' : 'payload'),
        summary: redacted.text === '' ? undefined : clip(redacted.text, limits.summaryChars),
        types: given?.types,
        values: given?.values,
      }) ?? {},
    output: got?.output ?? NO_OUTPUT,
    redactions: redacted.counts,
    destinations: [...destinations],
    addressed: destinations.size === 0 ? NOTHING_ADDRESSED : addressedIn(plain, options.digestKey),
    written,
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
