import type { CustodyEvent } from '../schemas/event.ts';
import type { IngestConfig } from '../schemas/config.ts';
import { canonicalJson } from '../evidence/canonical-json.ts';
import type { BearerToken } from '../runtime/bearer.ts';
import type { Clock } from '../runtime/clock.ts';
import { InputError, TransientError } from '../runtime/errors.ts';
import { traced } from '../runtime/tracing.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { Topic, TopicRecord } from '../streams/topic.ts';
import { malformedRecord, type UnusableInput } from './malformed.ts';
import { refuseOwn } from './refuse-own.ts';
import { encodeEvent } from './normalize/encode.ts';
import type { NormalizeContext } from './normalize/context.ts';
import type { EventSealing } from './seal-event.ts';

/** What a receiver needs to turn requests into durable records. */
export interface IngestDeps {
  readonly config: IngestConfig;
  readonly tokens: readonly BearerToken[];
  readonly events: Topic;
  readonly deadletter: Topic;
  /** Key of the digests of arguments, results and unusable input. */
  readonly digestKey: Uint8Array;
  /** Encrypts what is personal; absent where nothing is encrypted. */
  readonly sealing?: EventSealing | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** One record of a request: the event it became as a topic record, or why it could not become one. */
export type IntakeItem =
  (UsableRecord & { readonly fault?: never }) | { readonly fault: ItemFault; readonly record?: never };

export interface UsableRecord {
  readonly record: TopicRecord;
  /** What must have resolved before the record is stored. */
  readonly keysDurable?: readonly Promise<void>[];
}

export interface ItemFault {
  /** Position among the request's records. */
  readonly index: number;
  readonly input: UnusableInput;
}

/** The answer to one request, once everything in it is durable. */
export interface IntakeOutcome {
  readonly acceptedCount: number;
  readonly malformedCount: number;
  /** The first few faults, for the sender. */
  readonly firstFaults: readonly ItemFault[];
}

export type Signal = 'span' | 'log' | 'audit' | 'mcp';

const FAULTS_TOLD = 20;
/** Records handled before other work gets its turn. */
const RECORDS_PER_TURN = 256;

/**
 * Makes a request's records durable: usable ones on the events topic in one append, unusable ones on the dead-letter
 * topic. Resolves only when both are on disk (promise P1); rejects with the topic's TransientError, or with the
 * InputError of items whose iteration finds the whole request unusable (then nothing is appended).
 */
export async function storeRecords(
  deps: IngestDeps,
  context: NormalizeContext,
  signal: Signal,
  items: Iterable<IntakeItem>,
): Promise<IntakeOutcome> {
  const events: TopicRecord[] = [];
  const malformed: TopicRecord[] = [];
  const firstFaults: ItemFault[] = [];
  const keysDurable = new Set<Promise<void>>();
  let handled = 0;
  for (const item of items) {
    if (item.fault === undefined) {
      events.push(item.record);
      for (const durable of item.keysDurable ?? []) keysDurable.add(durable);
    } else {
      malformed.push(malformedTopicRecord(context, item.fault.input));
      if (firstFaults.length < FAULTS_TOLD) firstFaults.push(item.fault);
    }
    if (++handled % RECORDS_PER_TURN === 0) await nextTurn();
  }
  await Promise.all(keysDurable);
  // Dead letters first: should the second append fail, a retry repeats malformed records and not events.
  await appendMalformed(deps, context, malformed);
  if (events.length > 0) {
    const attributes = {
      'custody.collector': context.collector,
      'messaging.batch.message_count': events.length,
    };
    await traced('custody.collector.append', attributes, () => deps.events.append(events));
    deps.metrics.received.inc({ collector: context.collector, signal }, events.length);
  }
  return { acceptedCount: events.length, malformedCount: malformed.length, firstFaults };
}

/** Keeps a whole request that could not be read as one malformed record, `text` being its readable form if it has one. */
export async function storeUnusableRequest(
  deps: IngestDeps,
  context: NormalizeContext,
  body: Uint8Array,
  text: string | undefined,
  error: InputError,
): Promise<void> {
  const input: UnusableInput = {
    code: error.code,
    path: error.path,
    reason: error.message,
    bytes: body,
    text,
  };
  await appendMalformed(deps, context, [malformedTopicRecord(context, input)]);
}

/** Start of a text body, long enough for redaction to see whole secrets. */
export function textStart(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, 128 * 1024)).toString('utf8');
}

/**
 * Runs a normaliser on one record, seals what is to be sealed and encodes the event. Anything but an InputError is a defect of ours: the record is kept as malformed
 * and the defect is reported, since ending the process would let one record stop all others for ever.
 * @throws TransientError when the key store cannot be read.
 */
export function normalizeOrFault(
  { logger, sealing }: Pick<IngestDeps, 'logger' | 'sealing'>,
  normalize: () => CustodyEvent,
): UsableRecord | { readonly error: InputError; readonly code: string } {
  try {
    const event = refuseOwn(normalize());
    if (sealing === undefined) return { record: recordOf(event) };
    const sealed = sealing.seal(event);
    return { record: recordOf(sealed.event), keysDurable: sealed.keysDurable };
  } catch (error) {
    if (error instanceof TransientError) throw error;
    if (error instanceof InputError) return { error, code: error.code };
    // A foreign message may quote the record: name and place only.
    const defect = error instanceof Error ? error : new Error('unknown');
    logger.error(
      { defect: defect.name, at: defect.stack?.split('\n').slice(-8) },
      'cannot normalize a record',
    );
    return {
      error: new InputError('input_invalid', `cannot normalize the record: internal ${defect.name}`),
      code: 'internal_error',
    };
  }
}

const recordOf = (event: CustodyEvent): TopicRecord => ({ key: event.tenant, value: encodeEvent(event) });

async function appendMalformed(
  deps: IngestDeps,
  context: NormalizeContext,
  records: readonly TopicRecord[],
): Promise<void> {
  if (records.length === 0) return;
  await deps.deadletter.append(records);
  deps.metrics.malformed.inc({ collector: context.collector }, records.length);
}

function malformedTopicRecord(context: NormalizeContext, input: UnusableInput): TopicRecord {
  const record = malformedRecord(input, context);
  return { key: record.tenant, value: Buffer.from(canonicalJson(record), 'utf8') };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
