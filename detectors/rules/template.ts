import type { DetectEvent } from '../detector.ts';
import { cutText, shown } from '../wording.ts';
import { type Condition, ConditionError, type FactSource, type Vocabulary } from './condition.ts';

/** What a correlation knows when it fires, as words of templates. */
export interface MatchWords {
  readonly count: number;
  readonly window: string;
  readonly limit: number;
  /** Values of `group_by`, joined. */
  readonly group: string;
}

export type Template = (detected: DetectEvent, facts: FactSource, words: MatchWords) => string;

type Word = (detected: DetectEvent, words: MatchWords) => string | number | undefined;

const ownWords: Readonly<Record<string, Word | undefined>> = {
  tool: ({ event, call }) => call?.toolKey ?? event.tool?.name,
  server: ({ event, call }) => event.server?.name ?? call?.server,
  actor: ({ actorKey }) => actorKey,
  user: ({ event }) => event.actor?.user_id,
  client: ({ event }) => event.client?.name,
  destinations: ({ event, call }) => (call?.destinations ?? event.destinations ?? []).join(', '),
  decision: ({ decision }) => decision,
  count: (_, { count }) => count,
  window: (_, { window }) => window,
  limit: (_, { limit }) => limit,
  group: (_, { group }) => group,
};

const inBraces = /\{\{(.*?)\}\}/s;

/** Where in a template `{{` stands without `}}`, counted from 0. */
export function unclosedAt(text: string): number | undefined {
  // What is closed is blanked, so that places stay.
  const rest = text.replace(new RegExp(inBraces, 'gs'), (closed) => ' '.repeat(closed.length));
  const at = rest.indexOf('{{');
  return at < 0 ? undefined : at;
}

/** `{{tool}}` and the other words, else any CEL expression between the braces; what is absent is shown as `?`. */
export function compileTemplate(text: string, vocabulary: Vocabulary): Template {
  const parts = text.split(inBraces);
  const pieces = parts.map((part, index) => {
    if (index % 2 === 0) return part;
    const name = part.trim();
    const word = Object.hasOwn(ownWords, name) ? ownWords[name] : undefined;
    return word ?? compiled(name, vocabulary);
  });
  return (detected, facts, words) =>
    pieces
      .map((piece) => {
        if (typeof piece === 'string') return piece;
        const value = typeof piece === 'function' ? piece(detected, words) : piece.value(facts);
        return value === undefined ? '?' : shown(valueText(value), 160);
      })
      .join('');
}

function compiled(expression: string, vocabulary: Vocabulary): Condition {
  try {
    return vocabulary.compile(expression, 'any');
  } catch (error) {
    if (error instanceof ConditionError) throw new ConditionError(`{{${expression}}}: ${error.message}`);
    throw error;
  }
}

/** A value of CEL in words, bounded; parts of events are hostile text. */
export function valueText(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'bigint':
    case 'number':
    case 'boolean':
      return String(value);
    default:
      break;
  }
  if (Array.isArray(value)) return `[${cutText(value.slice(0, 16).map(valueText).join(', '), 512)}]`;
  if (value instanceof Map) return `{${cutText([...value.keys()].slice(0, 16).map(String).join(', '), 512)}}`;
  return value === null ? 'null' : '{…}';
}
