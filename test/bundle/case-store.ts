import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anchorOrigin, type AnchorAct } from '../../evidence/anchor-log/entry.ts';
import { createEntryBuilder, type SealedEntry } from '../../evidence/entry-builder.ts';
import { growRange, type RangeBuilder } from '../../evidence/merkle/compact-range.ts';
import { formatVerifierKey, signingKey, signText, type SigningKey } from '../../evidence/note/key.ts';
import { formatSignature, parseNote } from '../../evidence/note/note.ts';
import { composeCycle } from '../../notary/compose.ts';
import { emptyState, type NotaryState } from '../../notary/state.ts';
import { type ChdbStore, openChdbStore } from '../../sinks/store/chdb-store.ts';

export const DEPLOYMENT = 'cases';
export const START_MS = 1_790_000_000_000;
export const SESSION = 'session-7';
export const ALERT_ID = '00000000-0000-5000-8000-0000000000aa';

const newKey = (name: string, use: 'log' | 'witness' = 'log'): SigningKey =>
  signingKey(name, use, generateKeyPairSync('ed25519').privateKey);

const uuid = (number: number) => `00000000-0000-5000-8000-${String(number).padStart(12, '0')}`;
export const eventId = (number: number): string => uuid(number + 1000);

/** A valid event of a tool call; every fifth of the session under test. */
export function caseEvent(number: number, tenant: string): Uint8Array {
  const nano = `${START_MS + number * 10}000000`;
  return Buffer.from(
    JSON.stringify({
      actor: { id: `agent-${number % 3}`, type: 'agent' },
      event_id: eventId(number),
      kind: 'tool_call',
      observed_time_unix_nano: nano,
      phase: 'complete',
      policy: { decision: number % 4 === 0 ? 'deny' : 'allow', rule: 'no-egress', version: '7' },
      result: { category: 'ok', size_bytes: 10 },
      schema: 'custody.event/v1',
      server: { name: 'files', version: '1.0' },
      session: {
        confidence: 'high',
        key: number % 5 === 0 ? SESSION : `other-${number}`,
        source: 'mcp_session',
      },
      source: { collector: 'audit_http', dialect: 'custody', signal: 'audit', vantage: 'gateway' },
      tenant,
      time_unix_nano: nano,
      tool: {
        call_id: `c-${number}`,
        // A line separator and hostile text: lines are split at newlines alone.
        name: number === 10 ? 'read\u2028<script>alert(1)</script>' : 'read',
        definition_digest: 'ab'.repeat(32),
      },
      trace: { span_id: '00f067aa0ba902b7', trace_id: '4bf92f3577b34da6a3ce929d0e0e4736' },
    }),
  );
}

export function caseAlert(tenant: string, evidence: readonly string[]): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      schema: 'custody.alert/v1',
      alert_id: ALERT_ID,
      detector: { id: 'loop', version: 3 },
      time_unix_nano: `${START_MS}000000`,
      tenant,
      title: 'One call again and again',
      severity: 'high',
      score: 0.9,
      reason: 'reason',
      observed: 'observed',
      normal: 'normal',
      distance: 'distance',
      dedup_key: 'k',
      evidence,
      session_key: SESSION,
      references: { owasp: [], atlas: [], attack: [] },
    }),
  );
}

/** A real store with the entries of two tenants, and a notary's hand over them: what it publishes, step by step. */
export interface CaseStore {
  readonly store: ChdbStore;
  readonly notaryKey: SigningKey;
  readonly bundleKey: SigningKey;
  readonly witnessKey: SigningKey;
  readonly origin: string;
  logOf(tenant: string, topicId: string): string;
  /** Appends records of one topic, some milliseconds apart. */
  append(
    topic: string,
    records: readonly { readonly key: string; readonly value: Uint8Array }[],
    atMs: number,
  ): Promise<void>;
  /** Signs everything appended so far; the witness cosigns where it is asked to. */
  sign(options?: { readonly acts?: readonly AnchorAct[]; readonly cosign?: boolean }): Promise<void>;
  close(): Promise<void>;
}

export async function openCaseStore(): Promise<CaseStore> {
  const directory = mkdtempSync(join(tmpdir(), 'custody-case-'));
  const store = await openChdbStore({ path: join(directory, 'store') });
  const origin = anchorOrigin(DEPLOYMENT);
  const notaryKey = newKey(origin);
  const witnessKey = newKey('witness.example/w1', 'witness');
  let state: NotaryState = emptyState(origin, formatVerifierKey(notaryKey));
  const builders = new Map<string, ReturnType<typeof createEntryBuilder>>();
  const offsets = new Map<string, bigint>();
  const trees = new Map<string, { range: RangeBuilder; last: SealedEntry }>();
  const unsigned = new Set<string>();
  let timeMs = START_MS + 1_000_000;

  return {
    ...{ store, notaryKey, witnessKey, origin, bundleKey: newKey(`${DEPLOYMENT}/bundle`) },
    logOf: (tenant, topicId) => `${DEPLOYMENT}/${tenant}/${topicId}-0/0`,
    async append(topic, records, atMs) {
      const topicId = topic.replace('custody.', 't-');
      const source = { deployment: DEPLOYMENT, topic, topicId, partition: 0 };
      const builder = builders.get(topic) ?? createEntryBuilder(source, { day: -1, heads: [] });
      builders.set(topic, builder);
      const entries = records.flatMap(({ key, value }, index) => {
        const offset = offsets.get(topic) ?? 0n;
        offsets.set(topic, offset + 1n);
        return builder.add({ key, value, offset, appendTimeMs: atMs + index * 10 });
      });
      for (const entry of entries) {
        const tree = trees.get(entry.logId) ?? { range: growRange(), last: entry };
        tree.range.append(Buffer.from(entry.leaf, 'hex'));
        trees.set(entry.logId, { range: tree.range, last: entry });
        unsigned.add(entry.logId);
      }
      await store.append(entries);
    },
    async sign({ acts = [], cosign = false } = {}) {
      timeMs += 1000;
      const advances = [...unsigned].sort().flatMap((log) => {
        const tree = trees.get(log);
        if (tree === undefined) return [];
        const { range, last } = tree;
        return [
          {
            log,
            signed: {
              ...{ topic: last.topic, leaf: last.leaf, offset: last.offset, appendTimeMs: last.appendTimeMs },
              range: { begin: 0n, end: range.end, hashes: range.hashes },
            },
            subtrees: [],
          },
        ];
      });
      unsigned.clear();
      const cycle = composeCycle(state, {
        ...{ deployment: DEPLOYMENT, timeMs, advances, acts, key: notaryKey, nextKey: undefined },
        signedUpToMs: new Map(),
      });
      state = cycle.next;
      if (state.publication !== undefined) await store.publish(state.publication);
      if (!cosign) return;
      const { text } = parseNote(state.note);
      const line = formatSignature(signText(witnessKey, text, BigInt(timeMs) / 1000n));
      await store.addAnchorEvidence(origin, [
        { size: state.anchor.end, anchor: 'w1', type: 'cosignature', evidence: line, timeMs },
        { size: state.anchor.end, anchor: 'copy', type: 'place', evidence: '/mnt/copy', timeMs },
      ]);
    },
    async close() {
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** 60 calls of acme and 20 of globex, one alert, two dead letters; signed in two steps, the second cosigned. */
export async function fillCaseStore(cases: CaseStore): Promise<void> {
  const calls = (tenant: string, from: number, count: number) =>
    Array.from({ length: count }, (_, index) => ({ key: tenant, value: caseEvent(from + index, tenant) }));
  await cases.append('custody.events', calls('acme', 0, 40), START_MS);
  await cases.append(
    'custody.deadletter',
    [{ key: 'acme', value: Buffer.from([0xff, 0xfe, 0x00]) }],
    START_MS + 100,
  );
  await cases.append('custody.events', calls('globex', 500, 20), START_MS + 100);
  await cases.sign();
  await cases.append('custody.events', calls('acme', 40, 20), START_MS + 400);
  const alert = caseAlert('acme', [eventId(10), eventId(15)]);
  await cases.append('custody.alerts', [{ key: 'acme', value: alert }], START_MS + 450);
  await cases.sign({ cosign: true });
  await cases.append('custody.events', calls('acme', 60, 5), START_MS + 90_000);
  await cases.sign();
}
