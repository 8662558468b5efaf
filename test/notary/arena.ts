import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from 'chdb';
import { anchorOrigin, parseAnchorEntry, type AnchorEntry } from '../../evidence/anchor-log/entry.ts';
import { createEntryBuilder, type EntryBuilder } from '../../evidence/entry-builder.ts';
import { formatVerifierKey } from '../../evidence/note/key.ts';
import type { Finding } from '../../evidence/finding.ts';
import { createActQueue, type ActQueue } from '../../notary/acts.ts';
import { loadNotaryKeys, type NotaryKeys } from '../../notary/keys.ts';
import { openStateDirectory, type StateDirectory } from '../../notary/state-directory.ts';
import { createPublisher, runStep, type StepResult } from '../../notary/step.ts';
import { readAnchorEntries } from '../../sinks/store/checkpoints.ts';
import { openChdbStore, type ChdbStore } from '../../sinks/store/chdb-store.ts';
import type { Store } from '../../sinks/store/store.ts';
import { sampleEvent } from '../support/sample-event.ts';

export const DEPLOYMENT = 'notary-test';
export const ORIGIN = anchorOrigin(DEPLOYMENT);
const SOURCE = { deployment: DEPLOYMENT, topic: 'custody.events', topicId: 'topic', partition: 0 };
export const logOf = (tenant: string) => `${DEPLOYMENT}/${tenant}/topic-0/0`;

/** A real store and a notary's state, driven step by step. */
export interface Arena {
  readonly directory: string;
  readonly store: ChdbStore;
  readonly state: StateDirectory;
  readonly keys: NotaryKeys;
  readonly acts: ActQueue;
  nowMs: number;
  /** Stores events of a tenant as the ledger writer would. */
  write(tenant: string, count: number): Promise<void>;
  /** One step; everything is due. */
  step(options?: {
    readonly store?: Pick<Store, 'publish'>;
    readonly whole?: boolean;
    readonly refused?: ReadonlySet<string>;
    readonly entriesMax?: bigint;
  }): Promise<StepResult>;
  /** Anchor log as the store has it. */
  entries(): Promise<AnchorEntry[]>;
  /** Lets go of the state and opens it again. */
  reopen(): Promise<void>;
  /** Runs statements as somebody with the rights of an administrator. */
  tamper(...statements: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export async function openArena(): Promise<Arena> {
  const directory = mkdtempSync(join(tmpdir(), 'custody-notary-'));
  const storePath = join(directory, 'store');
  const stateDir = join(directory, 'notary');
  let store = await openChdbStore({ path: storePath });
  const keys = await loadNotaryKeys({ directory: stateDir, origin: ORIGIN, configured: undefined });
  const open = () =>
    openStateDirectory(stateDir, { origin: ORIGIN, verifierKey: formatVerifierKey(keys.current) });
  let state = await open();
  let publish = createPublisher({ publish: (publication) => store.publish(publication) });
  const stuck = new Set<string>();
  const acts = createActQueue(stateDir, () => undefined);
  const builder: EntryBuilder = createEntryBuilder(SOURCE, { day: -1, heads: [] });
  let offset = 0n;
  const arena: Arena = {
    directory,
    keys,
    acts,
    nowMs: 1_790_000_000_000,
    get store() {
      return store;
    },
    get state() {
      return state;
    },
    async write(tenant, count) {
      const entries = Array.from({ length: count }, () => {
        const value = sampleEvent(Number(offset), tenant);
        return builder.add({ key: tenant, value, offset: offset++, appendTimeMs: arena.nowMs });
      });
      await store.append(entries.flat());
    },
    step({ store: faulty, whole = true, refused = new Set<string>(), entriesMax = 50_000n } = {}) {
      arena.nowMs += 10_000;
      return runStep(
        {
          deployment: DEPLOYMENT,
          raw: store.raw,
          publish: faulty === undefined ? publish : createPublisher(faulty),
          directory: state,
          keys,
          acts,
          nowMs: () => arena.nowMs,
          refused,
          stuck,
          entriesMax,
          isDue: (unsigned, waiting) => unsigned > 0n || waiting > 0,
        },
        whole,
      );
    },
    async entries() {
      const found: AnchorEntry[] = [];
      for await (const { body } of readAnchorEntries(store.raw, ORIGIN)) {
        const entry = parseAnchorEntry(body);
        if (entry === undefined) throw new Error('not an anchor entry');
        found.push(entry);
      }
      return found;
    },
    async reopen() {
      await state.close();
      state = await open();
      publish = createPublisher({ publish: (publication) => store.publish(publication) });
    },
    async tamper(...statements) {
      await store.close();
      const session = new Session(storePath);
      for (const statement of statements)
        await session.queryAsync(`${statement} SETTINGS mutations_sync = 2`);
      session.close();
      store = await openChdbStore({ path: storePath });
    },
    async close() {
      await state.close();
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return arena;
}

export const causesOf = (result: StepResult): Finding['cause'][] =>
  result.state === 'signed' ? result.findings.map(({ cause }) => cause) : [];
