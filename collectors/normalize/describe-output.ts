import type { CustodyEvent } from '../../schemas/event.ts';
import { outputTokens } from './provenance/describe-values.ts';
import { DEFAULT_PROVENANCE, type ProvenanceSettings } from './provenance/settings.ts';
import type { SipKey } from './provenance/sip-hash.ts';
import { textsOf } from './provenance/text-leaves.ts';
import { resultShapes } from './shapes/result-shapes.ts';
import { sortedCounts } from './shapes/shape.ts';

type Result = NonNullable<CustodyEvent['result']>;

export interface OutputFacts {
  readonly shapes: Result['shapes'] | undefined;
  readonly output: Pick<Result, 'line_count' | 'tokens'>;
}

/** Lines, words (as fingerprints, where there is a key for them) and forms of attack in an output (attacker-controlled). */
export function describeOutput(
  plain: unknown,
  key: SipKey | undefined,
  settings: ProvenanceSettings = DEFAULT_PROVENANCE,
): OutputFacts {
  const texts = textsOf(plain, settings.scanMaxChars);
  if (texts.length === 0) return { shapes: undefined, output: {} };
  const tokens =
    key === undefined || settings.resultTokensMax === 0
      ? undefined
      : outputTokens(texts, key, settings.resultTokensMax);
  return {
    shapes: sortedCounts(resultShapes(texts)),
    output: { line_count: lineCount(texts), ...(tokens === undefined ? {} : { tokens }) },
  };
}

/** Lines of all texts as read one below the other. */
function lineCount(texts: readonly string[]): number {
  let count = texts.length;
  for (const text of texts)
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count++;
  return count;
}
