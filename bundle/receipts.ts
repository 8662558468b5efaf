import { parseNote, type SignedNote } from '../evidence/note/note.ts';
import type { SigningKey } from '../evidence/note/key.ts';
import { formatTlogProof } from '../evidence/note/tlog-proof.ts';
import {
  formatEntryExtra,
  parsePreimage,
  type EntryFacts,
  type ProvenEntry,
} from '../evidence/receipt/entry-proof.ts';
import { makeReceipts, type MadeReceipt } from '../evidence/receipt/make.ts';
import { dataLogTree, type StoredTree } from '../sinks/store/log-tree.ts';
import type { RawQuery } from '../sinks/store/store.ts';
import type { CustodyEvent } from '../schemas/event.ts';
import type { Coverage } from './coverage.ts';
import type { StagedEntry } from './read-entries.ts';
import type { Staging } from './staging.ts';

/** Collects the calls of a case and writes receipts of them. */
export interface ReceiptSource {
  push(entry: StagedEntry): void;
  /** Writes data/receipts; gives their number and what was left out, in words. */
  write(
    staging: Staging,
    coverage: Coverage,
    anchorNote: SignedNote,
  ): Promise<{ readonly count: number; readonly leftOut: readonly string[] }>;
}

interface CallEntry extends ProvenEntry {
  readonly facts: EntryFacts;
  readonly event: CustodyEvent;
}

/** Each is a few files and a proof of its own; every call is among the entries in any case. */
const CALLS_MAX = 1000;
const ENTRIES_OF_CALL_MAX = 64;

/**
 * Receipts of the calls of a case: those that gateways signed, and ours where there is a key. Each with the proof that its
 * entry is in the log, under the same checkpoints as the rest of the bundle.
 */
export function createReceiptSource(raw: RawQuery, key: SigningKey | undefined): ReceiptSource {
  const calls = new Map<string, CallEntry[]>();
  let more = 0;
  return {
    push({ event, preimage, body }) {
      if (event === undefined || body === undefined) return;
      if (event.kind !== 'tool_call' && event.kind !== 'policy') return;
      const name = JSON.stringify([event.session?.key, event.tool?.call_id ?? event.event_id]);
      const entries = calls.get(name) ?? [];
      if (entries.length === 0 && calls.size >= CALLS_MAX) {
        more += 1;
        return;
      }
      const facts = parsePreimage(preimage);
      if (facts === undefined || entries.length >= ENTRIES_OF_CALL_MAX) return;
      calls.set(name, [...entries, { preimage, body: Buffer.from(body, 'utf8'), facts, event }]);
    },
    async write(staging, coverage, anchorNote) {
      const trees = new Map<string, StoredTree>();
      const written = new Set<string>();
      for (const entries of calls.values()) {
        for (const receipt of makeReceipts(entries, key)) {
          if (written.has(receipt.receiptId)) continue;
          written.add(receipt.receiptId);
          const { log } = receipt.entry.facts;
          const tree = trees.get(log) ?? dataLogTree(raw, log, coverage.checkpoint.origin);
          trees.set(log, tree);
          await writeReceipt(staging, coverage, anchorNote, tree, receipt);
        }
      }
      return { count: written.size, leftOut: leftOutOf(more, key, written.size) };
    },
  };
}

async function writeReceipt(
  staging: Staging,
  coverage: Coverage,
  anchorNote: SignedNote,
  tree: StoredTree,
  { receiptId, envelope, entry }: MadeReceipt<CallEntry>,
): Promise<void> {
  const base = `data/receipts/${receiptId}`;
  await staging.write(`${base}.receipt.json`, `${envelope}\n`);
  const { log, seq } = entry.facts;
  const covered = coverage.logs.get(log);
  if (covered?.note === undefined) return;
  const hashes = await tree.inclusionProof(seq, covered.size);
  const extra = formatEntryExtra(entry);
  await staging.write(
    `${base}.tlog-proof`,
    formatTlogProof({ extra, index: seq, hashes, checkpoint: parseNote(covered.note) }),
  );
  await staging.write(
    `${base}.anchor.tlog-proof`,
    formatTlogProof({
      extra: Buffer.from(covered.anchor.entry, 'utf8'),
      ...{ index: covered.anchor.seq, hashes: covered.anchor.hashes, checkpoint: anchorNote },
    }),
  );
}

function leftOutOf(more: number, key: SigningKey | undefined, count: number): string[] {
  const words: string[] = [];
  if (more > 0) words.push(`no receipts of ${more} entries beyond the first ${CALLS_MAX} calls`);
  if (key === undefined)
    words.push(
      'no receipts of our own: no receipts.key is configured; receipts that gateways signed are here',
    );
  else if (count === 0) words.push('no receipts: no entry tells a decision or an outcome of a tool call');
  return words;
}
