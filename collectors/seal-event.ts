import { randomBytes } from 'node:crypto';
import {
  SALT_BYTES,
  sealField,
  type SealingRandomness,
  type SubjectKeyRef,
} from '../evidence/sealed-field.ts';
import { XAES_NONCE_BYTES, xaesKey, type XaesKey } from '../evidence/xaes.ts';
import type { SubjectsConfig } from '../schemas/config.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import {
  CONTENT_PATHS,
  type ContentPath,
  type IdentityPath,
  type SealablePath,
  type SealedField,
} from '../schemas/sealed-field.ts';
import type { KeysInUse } from '../subjects/keys-in-use.ts';
import { NOBODY, pseudonymOf } from '../subjects/pseudonym.ts';
import { finishEvent, type EventDraft } from './normalize/event-draft.ts';

/** Replaces what is personal in an event; the last thing done to it before it is encoded. */
export interface EventSealing {
  /** @throws TransientError when the key store cannot be read. */
  seal(event: CustodyEvent): SealedEvent;
}

export interface SealedEvent {
  readonly event: CustodyEvent;
  /** The event may be stored once these resolved: keys that are not on disk yet. */
  readonly keysDurable: readonly Promise<void>[];
}

type Sealed = Partial<Record<SealablePath, SealedField>>;
type Draft = { -readonly [K in keyof EventDraft]: EventDraft[K] };

/**
 * Seals the configured members. A member that names somebody is sealed for whom it names and leaves the pseudonym in its
 * place; any other is sealed for the event's subject and leaves nothing. The event id stays: it was made from the record.
 */
export function createEventSealing(options: {
  readonly config: Pick<SubjectsConfig, 'fields' | 'subject_from'>;
  readonly keys: KeysInUse;
  readonly digestKey: Uint8Array;
}): EventSealing {
  const { config, keys, digestKey } = options;
  // In key order, so that encoding needs no sorting.
  const paths = [...new Set(config.fields)].sort();
  const random = createRandomness();

  return {
    seal(event) {
      const sealed: Sealed = {};
      const keysDurable = new Set<Promise<void>>();
      const subject = readText(event, config.subject_from) ?? event.actor?.id ?? NOBODY;
      const parties = new Map<string, Party>();
      const partyOf = (identity: string): Party => {
        const known = parties.get(identity);
        if (known !== undefined) return known;
        const name = pseudonymOf(digestKey, event.tenant, identity);
        const { key, keyId, durable } = keys.keyFor(event.tenant, name);
        if (durable !== undefined) keysDurable.add(durable);
        const party = { ref: { subject: name, keyId }, key: xaesKey(key) };
        parties.set(identity, party);
        return party;
      };
      const draft = { ...event } as Draft & CustodyEvent;
      for (const path of paths) {
        const value = read(event, path);
        if (value === undefined) continue;
        const { ref, key } = partyOf(typeof value === 'string' && !isContent(path) ? value : subject);
        const place = { tenant: event.tenant, eventId: event.event_id, path };
        sealed[path] = sealField(key, ref, place, random(), value);
        replace(draft, path, ref.subject);
      }
      if (parties.size > 0) draft.sealed = sealed;
      return { event: finishEvent(draft), keysDurable: [...keysDurable] };
    },
  };
}

/** Somebody an event is about, with the key made ready for this event alone. */
interface Party {
  readonly ref: SubjectKeyRef;
  readonly key: XaesKey;
}

const RANDOM_BYTES = XAES_NONCE_BYTES + SALT_BYTES;
const RANDOMS_AT_ONCE = 128;

/** Nonces and salts, each given out once; asked of the system many at a time, for asking is what costs. */
function createRandomness(): () => SealingRandomness {
  let pool = Buffer.alloc(0);
  let at = 0;
  return () => {
    if (at === pool.length) {
      pool = randomBytes(RANDOM_BYTES * RANDOMS_AT_ONCE);
      at = 0;
    }
    const nonce = pool.subarray(at, at + XAES_NONCE_BYTES);
    const salt = pool.subarray(at + XAES_NONCE_BYTES, at + RANDOM_BYTES);
    at += RANDOM_BYTES;
    return { nonce, salt };
  };
}

const isContent = (path: SealablePath): path is ContentPath =>
  (CONTENT_PATHS as readonly SealablePath[]).includes(path);

function readText(event: CustodyEvent, path: IdentityPath): string | undefined {
  const value = read(event, path);
  return typeof value === 'string' ? value : undefined;
}

function read(event: CustodyEvent, path: SealablePath): unknown {
  switch (path) {
    case 'actor.id':
      return event.actor?.id;
    case 'actor.runtime_id':
      return event.actor?.runtime_id;
    case 'actor.user_id':
      return event.actor?.user_id;
    case 'client.address':
      return event.client?.address;
    case 'policy.approver':
      return event.policy?.approver;
    case 'arguments.summary':
      return event.arguments?.summary;
    case 'attributes':
      return event.attributes;
    case 'policy.reason':
      return event.policy?.reason;
    case 'result.summary':
      return event.result?.summary;
  }
}

/** Puts the name in the place of an identity, and nothing in the place of anything else; absent members are undefined. */
function replace(draft: Draft & CustodyEvent, path: SealablePath, name: string): void {
  switch (path) {
    case 'actor.id':
      draft.actor = { ...draft.actor, id: name };
      return;
    case 'actor.runtime_id':
      draft.actor = { ...draft.actor, runtime_id: name };
      return;
    case 'actor.user_id':
      draft.actor = { ...draft.actor, user_id: name };
      return;
    case 'client.address':
      draft.client = { ...draft.client, address: name };
      return;
    case 'policy.approver':
      draft.policy = { ...draft.policy, approver: name };
      return;
    case 'arguments.summary': {
      const { summary, ...kept } = draft.arguments ?? {};
      if (summary !== undefined) draft.arguments = orNone(kept);
      return;
    }
    case 'attributes':
      draft.attributes = undefined;
      return;
    case 'policy.reason': {
      const { reason, ...kept } = draft.policy ?? {};
      if (reason !== undefined) draft.policy = orNone(kept);
      return;
    }
    case 'result.summary': {
      const { summary, ...kept } = draft.result ?? {};
      if (summary !== undefined) draft.result = orNone(kept);
    }
  }
}

const orNone = <T extends object>(value: T): T | undefined =>
  Object.keys(value).length === 0 ? undefined : value;
