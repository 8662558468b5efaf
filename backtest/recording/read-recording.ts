import { parseJson } from '../../collectors/json-shape.ts';
import type { NormalizeContext } from '../../collectors/normalize/context.ts';
import { asUnixNano } from '../../collectors/normalize/field-values.ts';
import type { DecodeLimits } from '../../collectors/otlp/limits.ts';
import { InputError } from '../../runtime/errors.ts';
import { SENDER_TENANT_PATTERN } from '../../schemas/control-tenant.ts';
import { eventSchema, type CustodyEvent } from '../../schemas/event.ts';
import { isObject, type JsonObject } from '../../schemas/json-object.ts';
import { formatOf, type LineFormat } from './line-format.ts';
import { recordingLines, TOO_LONG } from './lines.ts';
import { normalisedEvents } from './normalised-record.ts';
import { otlpEvents } from './otlp-line.ts';
import { createMessageReader } from './raw-message.ts';
import { textOf, type ReadEvent, type RecordedEvent } from './recorded-event.ts';
import { createSessionClock, type SessionClock } from './session-clock.ts';
import { sessionEvent, sessionStart } from './session-start.ts';

export interface RecordingOptions {
  /** Key of digests and fingerprints; any, but the same for recordings that are played together. */
  readonly digestKey: Uint8Array;
  readonly limits: DecodeLimits;
  /** Of recordings played before, so that time goes on. */
  readonly clock?: SessionClock;
  /** Told of each line, or record in it, that could not be read. */
  readonly onSkipped?: (line: number, reason: string) => void;
}

const DEPTH_MAX = 64;
const DEFAULT_TENANT = 'default';
const NANO_PER_MS = 1_000_000n;

/**
 * Events of a recording in order: raw MCP messages through the tap's code, normalised records, canonical events or OTLP JSON;
 * each line is told by what is in it. A recording is complete: behind the last record of a session comes its end, so that it
 * is closed. The file is read twice; memory is bounded by its sessions. Everything in it may be hostile.
 * @throws InputError when the file cannot be read at all.
 */
export async function* readRecording(file: string, options: RecordingOptions): AsyncGenerator<RecordedEvent> {
  const lastLines = await lastLineOf(file);
  const clock = options.clock ?? createSessionClock();
  const messages = createMessageReader();
  const ordinals = new Map<string, number>();
  const open = new Map<string, CustodyEvent>();

  function place({ event, seq }: ReadEvent, session: string | undefined): RecordedEvent {
    const appendTimeMs = clock.appendTimeOf(msOf(event.time_unix_nano));
    return { event, seq, session: session ?? event.session?.key, appendTimeMs };
  }

  function eventsOf(record: JsonObject, line: number, bytes: Buffer): ReadEvent[] {
    const skip = (reason: string) => options.onSkipped?.(line, reason);
    const format = formatOf(record);
    if (format === 'canonical') return canonical(record, skip);
    const timeUnixNano = playedTime(record, clock, format);
    const context = contextOf(record, timeUnixNano, options.digestKey);
    if (format === 'otlp_logs' || format === 'otlp_traces')
      return [...otlpEvents(bytes, format, context, options.limits, skip)].map((event) => ({
        event,
        seq: undefined,
      }));
    if (format === 'normalised') {
      const session = sessionKey(record);
      const ordinal = ordinals.get(session) ?? 0;
      ordinals.set(session, ordinal + 1);
      return normalisedEvents({ record, ordinal, timeUnixNano, context });
    }
    if (!isObject(record['msg']))
      return [{ event: sessionStart(record, timeUnixNano, context), seq: undefined }];
    return messages.events({ record, timeUnixNano, context });
  }

  /** What follows the last record of a session. */
  function* endOf(session: string, last: CustodyEvent): Generator<ReadEvent> {
    const key = last.session?.key;
    if (key === undefined) return;
    const context = contextOf({ tenant: last.tenant }, last.time_unix_nano, options.digestKey);
    yield* messages.end(last.tenant, key, last.time_unix_nano);
    const end = sessionEvent('end', { session: key, agent: last.actor?.id }, last.time_unix_nano, context);
    yield {
      event: {
        ...end,
        ...(last.session === undefined ? {} : { session: { ...last.session, transition: 'end' } }),
      },
      seq: undefined,
    };
    ordinals.delete(session);
    clock.forget(session);
  }

  const onTooLong = (line: number) => options.onSkipped?.(line, TOO_LONG);
  for await (const { number, bytes } of recordingLines(file, onTooLong)) {
    const record = parsed(bytes);
    if (record === undefined) {
      options.onSkipped?.(number, 'is not a JSON object');
      continue;
    }
    const named = textOf(record['session']);
    const read = orSkipped(
      () => eventsOf(record, number, bytes),
      (reason) => options.onSkipped?.(number, reason),
    );
    for (const each of read) {
      yield place(each, named);
      const key = lastLines.has(sessionKey(record)) ? sessionKey(record) : openKey(each.event);
      if (each.event.session?.transition === 'end') open.delete(key);
      else if (each.event.session !== undefined) open.set(key, each.event);
    }
    const key = sessionKey(record);
    const last = open.get(key);
    if (lastLines.get(key) !== number || last === undefined) continue;
    open.delete(key);
    for (const end of endOf(key, last)) yield place(end, named);
  }
  for (const [key, last] of open) for (const end of endOf(key, last)) yield place(end, undefined);
}

/** Number of the last line of each session that lines name. */
async function lastLineOf(file: string): Promise<ReadonlyMap<string, number>> {
  const lines = new Map<string, number>();
  for await (const { number, bytes } of recordingLines(file, () => undefined)) {
    const record = parsed(bytes);
    const key = record === undefined ? '' : sessionKey(record);
    if (key !== '') lines.set(key, number);
  }
  return lines;
}

function parsed(bytes: Buffer): JsonObject | undefined {
  try {
    const value = parseJson(bytes, { depthMax: DEPTH_MAX });
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** A record that cannot become an event is left out, and told. */
function orSkipped(read: () => ReadEvent[], skip: (reason: string) => void): ReadEvent[] {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    skip(error.message);
    return [];
  }
}

function canonical(record: JsonObject, skip: (reason: string) => void): ReadEvent[] {
  const event = eventSchema.safeParse(record);
  if (event.success) return [{ event: event.data, seq: undefined }];
  skip(`is no event: ${event.error.issues[0]?.path.join('.') ?? ''}`);
  return [];
}

const openKey = (event: CustodyEvent) => `${event.tenant}\n${event.session?.key ?? ''}`;

/** The session a line names, under its tenant; empty when it names none. */
function sessionKey(record: JsonObject): string {
  const session = isObject(record['session'])
    ? record['session']['key']
    : (record['session'] ?? record['session_id']);
  const tenant = textOf(record['tenant']) ?? '';
  return typeof session === 'string' && session !== '' ? `${tenant}\n${session}` : '';
}

function contextOf(record: JsonObject, timeUnixNano: string, digestKey: Uint8Array): NormalizeContext {
  const tenant = textOf(record['tenant'])?.toLowerCase();
  return {
    collector: 'mcp_stdio_tap',
    tenant: tenant !== undefined && SENDER_TENANT_PATTERN.test(tenant) ? tenant : DEFAULT_TENANT,
    tenantPinned: true,
    observedTimeUnixNano: timeUnixNano,
    digestKey,
  };
}

const TIMES = ['ts', 'time', 'timestamp', '@timestamp', 'time_unix_nano', 'event_time'] as const;

/**
 * The record's time as it is played; one that states none happened with the one before.
 * @throws InputError for a message with a time nobody can read: it would be played at a time that is not its own.
 */
function playedTime(record: JsonObject, clock: SessionClock, format: LineFormat): string {
  const stated = TIMES.map((name) => record[name]).find((value) => value !== undefined && value !== null);
  const nano = typeof stated === 'string' || typeof stated === 'number' ? asUnixNano(stated) : undefined;
  if (nano === undefined && stated !== undefined && format === 'mcp')
    throw new InputError('input_invalid', 'has a time that is neither ISO 8601 nor a Unix time');
  if (nano === undefined) return String(BigInt(Math.trunc(clock.nowMs())) * NANO_PER_MS);
  const statedMs = msOf(nano);
  const shiftMs = clock.timeOf(sessionKey(record), statedMs) - statedMs;
  return String(BigInt(nano) + BigInt(Math.trunc(shiftMs)) * NANO_PER_MS);
}

const msOf = (unixNano: string): number => Number(BigInt(unixNano) / NANO_PER_MS);
