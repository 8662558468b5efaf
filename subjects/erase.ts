import { InputError, PermanentError, IntegrityError } from '../runtime/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { destroyKey } from './destroy-key.ts';
import { noteStep, readErasures, type ErasureState } from './erasure-journal.ts';
import { readKeyFile, type KeyStore } from './key-store.ts';

/** The act an erasure leaves in the anchor log. */
export interface ErasedAct {
  readonly type: 'erased';
  readonly tenant: string;
  readonly subject: string;
  readonly key_id: string;
  readonly operator: string;
  readonly reason: string;
}

/** How an act becomes an entry of the anchor log. */
export interface ActEntry {
  /** Resolves with the request's id once the request is durable. */
  request(act: ErasedAct): Promise<string>;
  /** Position of the entry, or `undefined` when it is not there yet. */
  await(requestId: string): Promise<string | undefined>;
}

export interface ErasureDeps {
  readonly store: KeyStore;
  readonly acts: ActEntry;
  /** Legal holds in force over a tenant, by their ids. */
  readonly holdsOver: (tenant: string) => Promise<readonly string[]>;
  readonly clock: Clock;
}

export interface ErasureOrder {
  readonly tenant: string;
  readonly subject: string;
  readonly operator: string;
  readonly reason: string;
}

/**
 * Checks an erasure and tells the id of the key it would destroy.
 * @throws PermanentError while a legal hold covers the tenant or when the holds are unknown; InputError when the subject has
 * no key here.
 */
export async function checkErasure(
  { store, holdsOver }: Pick<ErasureDeps, 'store' | 'holdsOver'>,
  { tenant, subject }: Pick<ErasureOrder, 'tenant' | 'subject'>,
): Promise<string> {
  const holds = await holdsOver(tenant);
  if (holds.length > 0) {
    throw new PermanentError(
      'rejected',
      `cannot erase ${subject}: legal hold ${holds.join(', ')} covers tenant ${tenant}`,
    );
  }
  const keyId = keyIdOf(store, tenant, subject);
  if (keyId === undefined) {
    throw new InputError(
      'input_invalid',
      `cannot erase ${subject}: tenant ${tenant} has no key for it in ${store.directory}`,
    );
  }
  return keyId;
}

/**
 * Destroys a subject's key for ever. Begins with a line in the journal; from then on the erasure is completed whatever
 * interrupts it, by the next call of `finishErasures`. Resolves when the key is destroyed and the notary is asked to enter
 * the act. Throws as `checkErasure`, and TransientError when the disk fails.
 */
export async function eraseSubject(deps: ErasureDeps, order: ErasureOrder): Promise<ErasureState> {
  const keyId = await checkErasure(deps, order);
  const { tenant, subject, operator, reason } = order;
  await noteStep(deps.store, {
    step: 'begun',
    tenant,
    subject,
    key_id: keyId,
    operator,
    reason,
    time_ms: deps.clock.nowMs(),
  });
  return finish(deps, { tenant, subject, keyId, operator, reason, begunMs: deps.clock.nowMs() });
}

/** Takes the missing steps of every erasure that was begun. */
export async function finishErasures(
  deps: Pick<ErasureDeps, 'store' | 'acts' | 'clock'>,
): Promise<ErasureState[]> {
  const finished: ErasureState[] = [];
  for (const erasure of readErasures(deps.store).erasures.values()) {
    if (erasure.entrySeq === undefined) finished.push(await finish(deps, erasure));
  }
  return finished;
}

/**
 * Destroys what was begun to be destroyed, and again what came back from a copy. Asks no notary: for a process that has none
 * at hand. Resolves with how many keys there were.
 */
export async function destroyBegun(store: KeyStore, clock: Clock): Promise<number> {
  let count = 0;
  for (const { tenant, subject, keyId, destroyedMs } of readErasures(store).erasures.values()) {
    if (destroyedMs !== undefined && keyIdOf(store, tenant, subject) !== keyId) continue;
    await destroy(store, clock, { tenant, subject, keyId });
    count++;
  }
  return count;
}

async function finish(
  { store, acts, clock }: Pick<ErasureDeps, 'store' | 'acts' | 'clock'>,
  erasure: ErasureState,
): Promise<ErasureState> {
  const { tenant, subject, keyId, operator, reason } = erasure;
  const at = { tenant, subject, key_id: keyId };
  const destroyedMs = erasure.destroyedMs ?? (await destroy(store, clock, erasure));
  let { requestId } = erasure;
  if (requestId === undefined) {
    requestId = await acts.request({ type: 'erased', ...at, operator, reason });
    await noteStep(store, { step: 'requested', ...at, request_id: requestId, time_ms: clock.nowMs() });
  }
  const seq = await acts.await(requestId);
  if (seq === undefined) return { ...erasure, destroyedMs, requestId };
  await noteStep(store, { step: 'entered', ...at, seq, time_ms: clock.nowMs() });
  return { ...erasure, destroyedMs, requestId, entrySeq: seq };
}

async function destroy(
  store: KeyStore,
  clock: Clock,
  { tenant, subject, keyId }: Pick<ErasureState, 'tenant' | 'subject' | 'keyId'>,
): Promise<number> {
  await destroyKey(store, tenant, subject, keyId);
  const time_ms = clock.nowMs();
  await noteStep(store, { step: 'destroyed', tenant, subject, key_id: keyId, time_ms });
  return time_ms;
}

/** A damaged file names no key: what is left of it is destroyed under an id made of the subject's. */
function keyIdOf(store: KeyStore, tenant: string, subject: string): string | undefined {
  try {
    return readKeyFile(store, tenant, subject)?.key_id;
  } catch (error) {
    if (error instanceof IntegrityError) return `${store.id}-${subject.slice(5, 21)}`;
    throw error;
  }
}
