import type { DetectConfig } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import { keptEntry, pushBounded } from './counters/kept-entry.ts';
import { isConsequential, type CallFacts, type DetectEvent, type Detector, type Raise } from './detector.ts';
import { describeDuplicate } from './duplicate-mutation-words.ts';
import { itemHash } from './learning/item-hash.ts';

/** One changing call of the session. */
interface Mutation {
  readonly index: number;
  readonly toolHash: number;
  readonly argumentsDigest: string | undefined;
  readonly timeMs: number;
  readonly eventId: string;
  /** Hash of tool and idempotency key; undefined where there is no key. */
  key: number | undefined;
  retryCount: number;
  /** `unclear`: whoever called cannot know whether it was done. */
  outcome: 'done' | 'failed' | 'unclear' | undefined;
  isJudged: boolean;
}

/** A call that was done under an idempotency key. */
interface Done {
  /** Session and call, as the events of one call share them. */
  readonly session: number;
  readonly index: number;
  readonly eventId: string;
  readonly timeMs: number;
  readonly observer: number;
  /** Hash of it. */
  readonly result: number | undefined;
}

type DoneByKey = Map<number, Done>;

const maxKeys = 2048;
const maxMutations = 16;
/** Two vantage points tell one call this close together, where nothing else joins them. */
const sameCallMs = 5_000;

/** A change that was made twice: one idempotency key done by two calls, or a change tried again without a key. */
export function duplicateMutation(
  config: DetectConfig['duplicate_mutation'],
): Detector<DoneByKey, Mutation[]> {
  return {
    id: 'duplicate-mutation',
    version: 1,
    kinds: ['tool_call'],
    newTenantState: () => new Map(),
    newSessionState: () => [],

    step(detected, { tenant, session }, raise) {
      const { call } = detected;
      if (call === undefined || call.continuation || detected.decision === 'deny') return;
      if (!isConsequential(call.action) && !call.traits.changesState) return;
      const mutation = mutationOf(session, detected, call);
      if (mutation === undefined || mutation.isJudged || mutation.outcome === undefined) return;
      mutation.isJudged = true;
      if (mutation.key !== undefined) {
        if (mutation.outcome === 'done') judgeKey(config, tenant, detected, call, mutation.key, raise);
      } else judgeRetry(config, session, call, mutation, raise);
    },
  };
}

function mutationOf(session: Mutation[], detected: DetectEvent, call: CallFacts): Mutation | undefined {
  const { event } = detected;
  let mutation = session.find(({ index }) => index === call.index);
  if (mutation === undefined) {
    // A late word on a call that was dropped from the list says nothing new.
    if (!detected.fresh.call) return undefined;
    mutation = {
      index: call.index,
      toolHash: call.toolHash,
      argumentsDigest: call.argumentsDigest,
      timeMs: detected.timeMs,
      eventId: call.eventId,
      key: undefined,
      retryCount: 0,
      outcome: undefined,
      isJudged: false,
    };
    pushBounded(session, mutation, maxMutations);
  }
  if (event.idempotency_key !== undefined)
    mutation.key ??= itemHash(`${call.toolKey}\n${event.idempotency_key}`);
  mutation.retryCount = Math.max(mutation.retryCount, event.retry_count ?? 0);
  mutation.outcome ??= outcomeOf(call);
  return mutation;
}

function outcomeOf({ category }: CallFacts): Mutation['outcome'] {
  switch (category) {
    case 'ok':
      return 'done';
    case 'error':
    case 'timeout':
    case 'cancelled':
      return 'unclear';
    case undefined:
    case 'unknown':
    case 'input_required':
      return undefined;
    default:
      return 'failed';
  }
}

/** The key stands for one change: another call that was done under it made the change again. */
function judgeKey(
  config: DetectConfig['duplicate_mutation'],
  tenant: DoneByKey,
  detected: DetectEvent,
  call: CallFacts,
  key: number,
  raise: Raise,
): void {
  const { timeMs, event } = detected;
  const done: Done = {
    session: itemHash(detected.session.key),
    index: call.index,
    eventId: event.event_id,
    timeMs,
    observer: observerOf(event),
    result: call.resultDigest === undefined ? undefined : parseInt(call.resultDigest.slice(0, 13), 16),
  };
  const first = keptEntry(tenant, key, maxKeys, () => done);
  if (first === done) return;
  if (timeMs - first.timeMs > config.key_valid_ms) {
    tenant.set(key, done);
    return;
  }
  const isSameCall = first.session === done.session && first.index === done.index;
  const isOtherView = first.observer !== done.observer && Math.abs(timeMs - first.timeMs) <= sameCallMs;
  if (isSameCall || isOtherView) return;
  const isReplayed = done.result !== undefined && done.result === first.result;
  raise(
    describeDuplicate(
      isReplayed ? 'key-same-result' : 'key',
      call.toolKey,
      event.idempotency_key,
      timeMs - first.timeMs,
      [first.eventId, call.eventId],
    ),
  );
}

function observerOf({ source }: CustodyEvent): number {
  return itemHash(`${source.collector} ${source.signal} ${source.vantage} ${source.dialect}`);
}

/** Without a key nobody can tell the second attempt from a second change. */
function judgeRetry(
  config: DetectConfig['duplicate_mutation'],
  session: readonly Mutation[],
  call: CallFacts,
  mutation: Mutation,
  raise: Raise,
): void {
  const earlier = session.findLast(
    (other) =>
      other.index < mutation.index &&
      other.outcome === 'unclear' &&
      other.key === undefined &&
      other.toolHash === mutation.toolHash &&
      other.argumentsDigest !== undefined &&
      other.argumentsDigest === mutation.argumentsDigest &&
      Math.abs(mutation.timeMs - other.timeMs) <= config.retry_within_ms,
  );
  if (earlier === undefined && mutation.retryCount === 0) return;
  const kind = mutation.outcome === 'done' ? 'retry-done' : 'retry';
  const evidence = earlier === undefined ? [call.eventId] : [earlier.eventId, call.eventId];
  const sinceMs = earlier === undefined ? undefined : mutation.timeMs - earlier.timeMs;
  raise(describeDuplicate(kind, call.toolKey, undefined, sinceMs, evidence, mutation.retryCount));
}
