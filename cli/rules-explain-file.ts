import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { DetectRecord } from '../detectors/engine/contract.ts';
import { schemaProblems } from '../detectors/rules/problem.ts';
import { expandEvents } from '../detectors/rules/short-event.ts';
import { ConfigError, InputError } from '../runtime/errors.ts';
import { eventSchema } from '../schemas/event.ts';
import { isObject, type JsonObject } from '../schemas/json-object.ts';

/**
 * The events of a file, `-` for stdin: canonical ones, or short ones as the tests of rules have them; one, one a line, or a list.
 * @throws ConfigError when the file cannot be read, InputError that names the event, the member and what is wrong with it.
 */
export function eventsOfFile(file: string): DetectRecord[] {
  const refuse = (place: string, reason: string) =>
    new InputError('input_invalid', `cannot use ${place} of ${file}: ${reason}`, { path: '--event' });
  const values = valuesIn(textOf(file));
  if (values.length === 0) throw refuse('events', 'there are none');
  const events = values.map((value, index): JsonObject => {
    if (isObject(value)) return value;
    throw refuse(`event ${index + 1}`, 'it is neither JSON nor a mapping of members');
  });
  if (!events.some(isCanonical)) return shortEvents(events, (reason) => refuse('short events', reason));
  return events.map((value, index) => {
    const parsed = eventSchema.safeParse(value);
    if (parsed.success)
      return { event: parsed.data, appendTimeMs: Number(parsed.data.time_unix_nano.slice(0, -6)) };
    const [first] = schemaProblems(undefined, parsed.error);
    throw refuse(`event ${index + 1}`, `${first?.path ?? ''}: ${first?.message ?? 'not a canonical event'}`);
  });
}

/** Members that every canonical event has and no short one. */
function isCanonical(value: JsonObject): boolean {
  return ['schema', 'event_id', 'time_unix_nano'].some((member) => Object.hasOwn(value, member));
}

function shortEvents(shorts: readonly JsonObject[], refuse: (reason: string) => InputError): DetectRecord[] {
  try {
    return expandEvents(shorts).map(({ event, timeMs }) => ({ event, appendTimeMs: timeMs }));
  } catch (error) {
    if (error instanceof RangeError) throw refuse(error.message);
    throw error;
  }
}

const fileBytesMax = 64 * 1024 * 1024;

function textOf(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file === '-' ? 0 : file);
  } catch (cause) {
    throw new ConfigError(`cannot read events ${file}: unreadable`, { path: '--event', cause });
  }
  if (bytes.length > fileBytesMax)
    throw new ConfigError(`cannot read events ${file}: it is larger than ${fileBytesMax} bytes`, {
      path: '--event',
    });
  return bytes.toString('utf8').trim();
}

/** JSON as a whole, else a JSON a line, else YAML, as cases are written. What cannot be read is `undefined`. */
function valuesIn(text: string): unknown[] {
  const whole = read(() => JSON.parse(text) as unknown);
  if (whole !== undefined) return Array.isArray(whole) ? whole : [whole];
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const values = lines.map((line) => read(() => JSON.parse(line) as unknown));
  // A line of JSON among others means lines: the one that is none is named.
  if (values.some(isObject)) return values;
  const yaml = read(() => parse(text, { maxAliasCount: 100, logLevel: 'silent' }) as unknown);
  return Array.isArray(yaml) ? yaml : lines.length === 0 ? [] : [yaml];
}

function read(make: () => unknown): unknown {
  try {
    return make();
  } catch {
    return undefined;
  }
}
