import type { CustodyEvent } from '../../schemas/event.ts';
import type { CallFacts, SourceFacts } from '../detector.ts';
import { addToken, newTokenTable, type TokenTable } from './token-table.ts';
import { decodeTokens } from '../../schemas/token-set.ts';

/** What a session has read so far: where later arguments may have come from. */
export interface SessionMemory {
  /** Words of what the agent was asked. */
  readonly asked: TokenTable;
  /** Words of outputs, with the call that first showed them. */
  readonly read: TokenTable;
  /** Calls by index, the latest ones. */
  readonly sources: Map<number, SourceFacts>;
  readonly untrusted: SourceFacts[];
  /** Class of sensitive data to the call that first showed it. */
  readonly sensitive: Map<string, SourceFacts>;
}

/** 8 and 32 KiB. */
const maxAsked = 768;
const maxRead = 3072;
const maxSources = 64;
const maxUntrusted = 16;
const maxSensitive = 16;

export function newSessionMemory(): SessionMemory {
  return {
    asked: newTokenTable(maxAsked),
    read: newTokenTable(maxRead),
    sources: new Map(),
    untrusted: [],
    sensitive: new Map(),
  };
}

/** Keeps what the event shows of what was asked. */
export function rememberIntent(memory: SessionMemory, event: CustodyEvent): void {
  if (event.intent === undefined) return;
  for (const token of decodeTokens(event.intent.tokens)) addToken(memory.asked, token, 0);
}

/** Keeps what a call returned; called after the event was judged, so that a call is no source of its own arguments. */
export function rememberResult(memory: SessionMemory, event: CustodyEvent, call: CallFacts): void {
  const { result } = event;
  if (result === undefined) return;
  const source = sourceOf(memory, call, (result.shapes?.['instruction'] ?? 0) > 0);
  if (result.tokens !== undefined)
    for (const token of decodeTokens(result.tokens)) addToken(memory.read, token, call.index);
  if (source.untrusted && memory.untrusted.length < maxUntrusted && !memory.untrusted.includes(source))
    memory.untrusted.push(source);
  for (const dataClass of Object.keys(result.findings ?? {}))
    if (!memory.sensitive.has(dataClass) && memory.sensitive.size < maxSensitive)
      memory.sensitive.set(dataClass, source);
}

function sourceOf(memory: SessionMemory, call: CallFacts, instructs: boolean): SourceFacts {
  const known = memory.sources.get(call.index);
  if (known !== undefined) return known;
  const source: SourceFacts = {
    index: call.index,
    eventId: call.eventId,
    toolKey: call.toolKey,
    server: call.server,
    zone: call.zone,
    untrusted: call.traits.untrustedOutput,
    instructs,
  };
  memory.sources.set(call.index, source);
  if (memory.sources.size > maxSources) {
    const oldest = memory.sources.keys().next().value;
    if (oldest !== undefined) memory.sources.delete(oldest);
  }
  return source;
}
