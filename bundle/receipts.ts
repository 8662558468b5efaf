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
import { eventSchema, type CustodyEvent } from '../schemas/event.ts';
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

/** What is held of an entry until all are known: texts, whose size is known; the event is parsed again. */
type HeldEntry = Pick<Required<StagedEntry>, 'preimage' | 'body'>;

/** Each is a few files and a proof of its own; every call is among the entries in any case. */
const CALLS_MAX = 1000;
const ENTRIES_OF_CALL_MAX = 64;
/** Texts held: a sender decides how long a body is, and how often a call is told of. */
const HELD_MAX_CHARS = 16 * 1024 * 1024;

/**
 * Receipts of the calls of a case: those that gateways signed, and ours where there is a key. Each with the proof that its
 * entry is in the log, under the same checkpoints as the rest of the bundle. What is held is bounded, however long the case.
 */
export function createReceiptSource(raw: RawQuery, key: SigningKey | undefined): ReceiptSource {
  const calls = new Map<string, HeldEntry[]>();
  let heldChars = 0;
  let more = 0;
  return {
    push({ event, preimage, body }) {
      if (event === undefined || body === undefined) return;
      if (event.kind !== 'tool_call' && event.kind !== 'policy') return;
      const name = JSON.stringify([event.session?.key, event.tool?.call_id ?? event.event_id]);
      const entries = calls.get(name);
      const chars = preimage.length + body.length;
      if (heldChars + chars > HELD_MAX_CHARS || (entries === undefined && calls.size >= CALLS_MAX)) {
        more += 1;
        return;
      }
      if (entries !== undefined && entries.length >= ENTRIES_OF_CALL_MAX) return;
      heldChars += chars;
      if (entries === undefined) calls.set(name, [{ preimage, body }]);
      else entries.push({ preimage, body });
    },
    async write(staging, coverage, anchorNote) {
      let count = 0;
      for (const [log, receipts] of receiptsByLog(calls.values(), key)) {
        // One tree at a time: each holds blocks of leaves.
        const tree = dataLogTree(raw, log, coverage.checkpoint.origin);
        for (const receipt of receipts) await writeReceipt(staging, coverage, anchorNote, tree, receipt);
        count += receipts.length;
      }
      return { count, leftOut: leftOutOf(more, key, count) };
    },
  };
}

/** The receipts of all calls, each id once, by the log of the entry that proves it. */
function receiptsByLog(
  calls: Iterable<readonly HeldEntry[]>,
  key: SigningKey | undefined,
): Map<string, MadeReceipt<CallEntry>[]> {
  const written = new Set<string>();
  const byLog = new Map<string, MadeReceipt<CallEntry>[]>();
  for (const held of calls) {
    for (const receipt of makeReceipts(held.flatMap(callEntry), key)) {
      if (written.has(receipt.receiptId)) continue;
      written.add(receipt.receiptId);
      const { log } = receipt.entry.facts;
      const ofLog = byLog.get(log) ?? [];
      ofLog.push(receipt);
      byLog.set(log, ofLog);
    }
  }
  return byLog;
}

function callEntry({ preimage, body }: HeldEntry): CallEntry[] {
  const facts = parsePreimage(preimage);
  // It was read by the same schema when it was pushed.
  return facts === undefined
    ? []
    : [{ preimage, body: Buffer.from(body, 'utf8'), facts, event: eventSchema.parse(JSON.parse(body)) }];
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
  if (more > 0)
    words.push(
      `no receipts of ${more} entries beyond the first ${CALLS_MAX} calls or ${HELD_MAX_CHARS / 2 ** 20} MiB of them`,
    );
  if (key === undefined)
    words.push(
      'no receipts of our own: no receipts.key is configured; receipts that gateways signed are here',
    );
  else if (count === 0) words.push('no receipts: no entry tells a decision or an outcome of a tool call');
  return words;
}
