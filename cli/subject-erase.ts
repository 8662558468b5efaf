import { notaryStateDir } from '../pipeline/notary-state-dir.ts';
import { awaitAct, requestAct } from '../notary/requests.ts';
import { systemClock } from '../runtime/clock.ts';
import { InputError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import {
  checkErasure,
  eraseSubject,
  finishErasures,
  type ActEntry,
  type ErasureDeps,
} from '../subjects/erase.ts';
import type { ErasureState } from '../subjects/erasure-journal.ts';
import type { KeyStore } from '../subjects/key-store.ts';
import type { CommonOptions } from './options.ts';
import type { SqlAccess } from './sql-access.ts';
import { holdsOver } from './subject-holds.ts';
import { rawOver } from './verify.ts';

export interface EraseFlags extends CommonOptions {
  readonly operator: string;
  readonly reason: string;
  readonly ticket?: string;
  readonly dryRun?: boolean;
  readonly wait: string;
}

export interface Erasing {
  readonly config: Config;
  readonly deployment: string;
  readonly store: KeyStore;
  readonly sql: SqlAccess;
  readonly tenant: string;
  readonly subject: string;
  /** What the operator typed, if it was not the pseudonym. */
  readonly identity: string | undefined;
}

/** The act's place in the anchor log, through the notary's state directory. */
export function actsThrough(config: Config, waitMs: number): ActEntry {
  const stateDir = notaryStateDir(config);
  return {
    request: async (act) => (await requestAct(stateDir, act)).id,
    await: async (id) => {
      const entered = await awaitAct(stateDir, id, waitMs);
      return entered === undefined ? undefined : String(entered.seq);
    },
  };
}

/** Erases, or says what would be erased; resolves with what there is to print. */
export async function runErase(erasing: Erasing, flags: EraseFlags): Promise<Record<string, unknown>> {
  const { config, deployment, store, sql, tenant, subject } = erasing;
  const reason = flags.ticket === undefined ? flags.reason : `${flags.reason} (${flags.ticket})`;
  refuseIdentity(erasing.identity, reason, flags.operator);
  let holdsVerified = false;
  const deps: ErasureDeps = {
    store,
    acts: actsThrough(config, waitMsOf(flags)),
    clock: systemClock,
    async holdsOver(asked) {
      const { ids, verified } = await holdsOver({ config, deployment, raw: rawOver(sql) }, asked);
      holdsVerified = verified;
      return ids;
    },
  };
  if (flags.dryRun === true) {
    const keyId = await checkErasure(deps, { tenant, subject });
    return { state: 'would_erase', tenant, subject, key_id: keyId, holds_verified: holdsVerified };
  }
  // An erasure that was interrupted may be this one.
  const before = await finishErasures({ ...deps, acts: actsThrough(config, 0) });
  const finished = before.find((one) => one.tenant === tenant && one.subject === subject);
  const done = finished ?? (await eraseSubject(deps, { tenant, subject, operator: flags.operator, reason }));
  return { ...reportOf(done), holds_verified: holdsVerified };
}

export const waitMsOf = ({ wait }: Pick<EraseFlags, 'wait'>): number => {
  const seconds = Number(wait);
  if (!(seconds >= 0 && seconds <= 3600))
    throw new InputError('input_invalid', 'cannot use --wait: it is not a number of seconds up to 3600');
  return seconds * 1000;
};

export function reportOf({ tenant, subject, keyId, destroyedMs, requestId, entrySeq }: ErasureState) {
  return {
    state: entrySeq === undefined ? 'erased_entry_waits' : 'erased',
    tenant,
    subject,
    key_id: keyId,
    ...(destroyedMs === undefined ? {} : { erased_at: new Date(destroyedMs).toISOString() }),
    ...(requestId === undefined ? {} : { request_id: requestId }),
    ...(entrySeq === undefined ? {} : { anchor_entry: entrySeq }),
  };
}

/** The anchor log is for ever: what is being erased must not be written into it. */
function refuseIdentity(identity: string | undefined, ...texts: readonly string[]): void {
  if (identity === undefined || identity === '') return;
  if (!texts.some((text) => text.toLowerCase().includes(identity.toLowerCase()))) return;
  throw new InputError(
    'input_invalid',
    'cannot erase: --reason, --ticket or --operator names the subject, and they are kept for ever; use a ticket number',
  );
}
