import { type AnchorAct, anchorOrigin } from '../../evidence/anchor-log/entry.ts';
import type { ExternalHead } from '../../evidence/anchor-log/external-heads.ts';
import { growRange } from '../../evidence/merkle/compact-range.ts';
import { formatVerifierKey, type SigningKey } from '../../evidence/note/key.ts';
import { parseNote } from '../../evidence/note/note.ts';
import { composeCycle } from '../../notary/compose.ts';
import { findUnsigned } from '../../notary/discover.ts';
import { readBack } from '../../notary/read-back.ts';
import { emptyState, type NotaryState } from '../../notary/state.ts';
import { readRows } from '../../sinks/store/clickhouse-store.ts';
import type { Store } from '../../sinks/store/store.ts';

/** The steps of the notary over a real store, its memory in a variable. */
export interface TestNotary {
  readonly key: SigningKey;
  readonly state: NotaryState;
  /** Reads back what is new, signs it with these acts, and publishes. */
  sign(store: Store, timeMs: number, acts?: readonly AnchorAct[]): Promise<void>;
  /** What an anchor holds that took the newest checkpoint. */
  head(): ExternalHead;
}

/** A notary that has signed nothing, or one that goes on. */
export function testNotary(deployment: string, key: SigningKey, from?: NotaryState): TestNotary {
  let state = from ?? emptyState(anchorOrigin(deployment), formatVerifierKey(key));
  return {
    key,
    get state() {
      return state;
    },
    async sign(store, timeMs, acts = []) {
      const unsigned = await findUnsigned(store.raw, deployment, state, true);
      const { advances, findings } = await readBack(store.raw, state, unsigned);
      if (findings.length > 0) throw new Error(`refuses to sign: ${findings[0]?.cause}`);
      const base = { deployment, timeMs, advances, acts, key, nextKey: undefined, signedUpToMs: new Map() };
      state = composeCycle(state, base).next;
      if (state.publication !== undefined) await store.publish(state.publication);
    },
    head: () => ({
      anchor: 'elsewhere',
      size: state.anchor.end,
      root: growRange(state.anchor).root(),
      note: parseNote(state.note),
    }),
  };
}

/** What retention announces before it removes every entry up to a day, `YYYY-MM-DD`. */
export async function pruneActs(store: Store, day: string): Promise<AnchorAct[]> {
  const logs = new Map<string, { range: ReturnType<typeof growRange>; leaf: string }>();
  const rows = readRows(
    store.raw,
    `SELECT toString(log), leaf FROM custody.entries WHERE day <= '${day}' ORDER BY custody.entries.log, seq`,
    (read) => ({ log: read.string(), leaf: read.hex(32) }),
  );
  for await (const { log, leaf } of rows) {
    const range = logs.get(log)?.range ?? growRange();
    range.append(Buffer.from(leaf, 'hex'));
    logs.set(log, { range, leaf });
  }
  return [...logs].map(([log, { range, leaf }]) => ({
    ...{ type: 'pruned', operator: 'retention', reason: 'too old', log, leaf, day, retention_days: 1 },
    first_seq: String(range.end),
    range: range.hashes.map((hash) => Buffer.from(hash).toString('hex')),
  }));
}
