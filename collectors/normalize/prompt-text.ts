import type { AttributeValue } from '../otlp/model.ts';
import { isObject } from '../../schemas/json-object.ts';
import { plainValue } from './plain-value.ts';
import { textsOf } from './provenance/text-leaves.ts';

const DEPTH_MAX = 8;
const MESSAGES_MAX = 256;
/** Whose words are the task: what tools and the model itself said is not. */
const ASKING_ROLES = new Set(['user', 'human', 'system', 'developer', 'humanmessage', 'systemmessage']);
/** Members under which frameworks put what was asked. */
const ASKING_MEMBERS = [
  'messages',
  'prompt',
  'prompts',
  'input',
  'inputs',
  'question',
  'query',
  'task',
  'intent',
  'text',
];
/** A transcript in one text, in which a tool may have the word. */
const TRANSCRIPT = /\b(?:observation|tool[ _](?:result|output|response)|function_results)\s{0,4}[:>]/i;

/**
 * What an agent was asked, from a prompt in any of its usual forms (attacker-controlled): the text of its user and system
 * messages, or text without roles where `isTask` says that it can hold nothing but the task. Never to be kept.
 */
export function promptText(value: AttributeValue | undefined, isTask: boolean, maxChars: number): string {
  if (value === undefined || value === null) return '';
  const plain = typeof value === 'string' ? parsed(value) : plainValue(value);
  const texts: string[] = [];
  collect(plain, isTask, 0, texts);
  return texts.join('\n').slice(0, maxChars);
}

function collect(value: unknown, isTask: boolean, depth: number, into: string[]): void {
  if (depth > DEPTH_MAX || into.length >= MESSAGES_MAX) return;
  if (typeof value === 'string') {
    if (isTask || !TRANSCRIPT.test(value)) into.push(value);
  } else if (Array.isArray(value)) {
    for (const item of value.slice(-MESSAGES_MAX)) collect(item, isTask, depth + 1, into);
  } else if (isObject(value)) {
    const role = roleOf(value);
    if (role !== undefined) {
      if (ASKING_ROLES.has(role)) into.push(...contentOf(value));
      return;
    }
    for (const name of ASKING_MEMBERS) if (name in value) collect(value[name], isTask, depth + 1, into);
  }
}

/** Role of a message; frameworks call it `role` or `type`, or name it after a class. */
function roleOf(message: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof message['role'] === 'string') return message['role'].toLowerCase();
  if (typeof message['type'] === 'string' && ('content' in message || 'data' in message))
    return message['type'].toLowerCase();
  const id = message['id'];
  const name: unknown = Array.isArray(id) ? id.at(-1) : undefined;
  return typeof name === 'string' && 'kwargs' in message ? name.toLowerCase() : undefined;
}

function contentOf(message: Readonly<Record<string, unknown>>): readonly string[] {
  const inner = message['content'] ?? message['parts'] ?? message['data'] ?? message['kwargs'];
  if (Array.isArray(inner)) {
    // A user's message may carry what a tool returned.
    return inner.flatMap((part: unknown) =>
      isObject(part) && /tool|function/i.test(String(part['type']))
        ? []
        : textsOf(isObject(part) ? (part['content'] ?? part['text'] ?? part) : part, PART_CHARS),
    );
  }
  return textsOf(isObject(inner) ? (inner['content'] ?? inner) : inner, PART_CHARS);
}

const PART_CHARS = 256 * 1024;

function parsed(text: string): unknown {
  if (!/^\s*[{["]/.test(text)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const FLAT =
  /^(?:gen_ai\.prompt|llm\.input_messages|gen_ai\.input\.messages)\.(\d{1,4})\.(?:message\.)?(\w{1,32})/;

/** Whether an attribute is a piece of a prompt, one of many attributes for one message. */
export function isPromptPiece(key: string): boolean {
  return (key.startsWith('gen_ai.') || key.startsWith('llm.input_messages.')) && FLAT.test(key);
}

/** Messages from such attributes, in their order. */
export function messagesOf(
  pieces: readonly (readonly [string, AttributeValue])[],
): AttributeValue | undefined {
  if (pieces.length === 0) return undefined;
  const messages = new Map<string, Map<string, AttributeValue>>();
  for (const [key, value] of pieces) {
    const [, index = '', member = ''] = FLAT.exec(key) ?? [];
    if (member !== 'role' && member !== 'content') continue;
    let message = messages.get(index);
    if (message === undefined) messages.set(index, (message = new Map<string, AttributeValue>()));
    message.set(member, value);
  }
  return [...messages.values()];
}
