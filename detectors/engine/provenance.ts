import type { CustodyEvent } from '../../schemas/event.ts';
import type { ValueOrigin } from '../../schemas/provenance.ts';
import type { ContactFacts, SourceFacts, ValueFacts } from '../detector.ts';
import { itemHash } from '../learning/item-hash.ts';
import type { SessionMemory } from './session-memory.ts';
import { addToken, findToken } from './token-table.ts';
import { decodeTokens } from '../../schemas/token-set.ts';

interface Origin {
  readonly origin: ValueOrigin;
  readonly source: SourceFacts | undefined;
}

/** Of a value's words, so many must have been in one output, or in the prompt, in percent. */
const coverage = 70;
const nowhere: Origin = { origin: 'none', source: undefined };
const asked: Origin = { origin: 'prompt', source: undefined };

/** The values of a call's arguments, with where each came from: as the collector states, else by their words. */
export function valuesOf(memory: SessionMemory, event: CustodyEvent): ValueFacts[] {
  return (event.arguments?.values ?? []).map((value) => ({
    path: value.path,
    hash: parseInt(value.hash.slice(0, 13), 16),
    sizeBytes: value.size_bytes,
    randomChars: value.random_chars ?? 0,
    ...originOf(memory, value),
  }));
}

/** A destination that no collector traced came from where the value came from that is nothing but it, or from nowhere known. */
export function contactsOf(
  memory: SessionMemory,
  event: CustodyEvent,
  destinations: readonly string[],
): ContactFacts[] {
  return destinations.map((destination) => {
    const told = event.destination_origins?.find((candidate) => candidate.destination === destination);
    const found = told === undefined ? nowhere : originOf(memory, told);
    const parts = told?.parts === undefined ? noParts : decodeTokens(told.parts);
    // What stands in the prompt is asked for, and so are the words its name is made of.
    if (found.origin === 'prompt') for (const part of parts) addToken(memory.asked, part, 0);
    return {
      destination,
      hash: itemHash(destination),
      ...found,
      addressed: told?.addressed !== false,
      named: found.origin === 'prompt' || parts.some((part) => findToken(memory.asked, part) >= 0),
    };
  });
}

const noParts = new Int32Array(0);

function originOf(
  memory: SessionMemory,
  told: {
    readonly tokens?: string | undefined;
    readonly origin?: ValueOrigin | undefined;
    readonly source_call?: number | undefined;
  },
): Origin {
  if (told.origin === 'output') {
    const source = told.source_call === undefined ? undefined : memory.sources.get(told.source_call);
    return { origin: 'output', source };
  }
  if (told.origin !== undefined) return told.origin === 'prompt' ? asked : nowhere;
  return told.tokens === undefined ? nowhere : lookUp(memory, decodeTokens(told.tokens));
}

function lookUp({ asked: prompt, read, sources }: SessionMemory, tokens: Iterable<number>): Origin {
  let count = 0;
  let inPrompt = 0;
  let inOutputs = 0;
  const hits = new Map<number, number>();
  for (const token of tokens) {
    count += 1;
    if (findToken(prompt, token) >= 0) inPrompt += 1;
    const call = findToken(read, token);
    if (call < 0) continue;
    inOutputs += 1;
    hits.set(call, (hits.get(call) ?? 0) + 1);
  }
  if (count === 0) return nowhere;
  if (inPrompt * 100 >= count * coverage && inPrompt >= inOutputs) return asked;
  if (inOutputs * 100 < count * coverage) return nowhere;
  let best = -1;
  for (const [call, found] of hits) if (best < 0 || found > (hits.get(best) ?? 0)) best = call;
  return { origin: 'output', source: sources.get(best) };
}
