import { bodyHash, entryPreimage, leafHash } from '../../evidence/entry.ts';
import type { LogHead, LogSource } from '../../evidence/entry-builder.ts';
import { IntegrityError } from '../../runtime/errors.ts';
import type { Topic } from '../../streams/topic.ts';
import { ofSource, readRows } from './clickhouse-store.ts';
import { type LedgerState, readSourceHeads } from './ledger-heads.ts';
import { isPrunedWhole, readStoredLogs } from './pruned-logs.ts';
import type { Store, StoredLog } from './store.ts';
import { decodeStoredEntry, ENTRY_COLUMNS } from './stored-entry.ts';

/** Where the writer goes on in one topic partition. */
export interface ResumePoint {
  readonly nextOffset: bigint;
  readonly day: number;
  readonly heads: ReadonlyMap<string, LogHead>;
  /** Records up to this offset may be in the store already (a crash came before their heads); -1 = none. */
  readonly storedUpTo: bigint;
}

/** Logs named in one statement. */
const LOGS_PER_STATEMENT = 1000;
/** Offsets at the partition's end whose stored rows are hashed again before anything is written. */
const REHASHED_OFFSETS = 256;

/**
 * Finds where to go on, from the recorded heads and never from the store, and checks first that the store holds what
 * was recorded. Records the store has beyond the heads are then built again and compared, not inserted.
 * A log whose first entries retention announced to remove begins later, or has no rows left.
 * @throws IntegrityError (ROLLBACK, FORK, GAP, BODY_HASH, LEAF_HASH, UNKNOWN_TAIL); nothing was written then.
 */
export async function resumeLedger(
  store: Store,
  state: LedgerState,
  topic: Topic,
  source: LogSource,
): Promise<ResumePoint> {
  const { position, heads } = await readSourceHeads(state, source);
  const { logs: stored, pruned } = await readStoredLogs(store, source, heads);
  const bounds = await topic.bounds(source.partition);
  const nextOffset = position?.nextOffset ?? bounds.start;
  const place = `${source.topic}/${source.partition}`;
  const refuse = (cause: string, reason: string): never => {
    throw new IntegrityError(`cannot resume ledger ${place}: ${cause}: ${reason}`);
  };

  if (bounds.start > nextOffset) {
    refuse(
      'GAP',
      `records ${nextOffset} to ${bounds.start - 1n} are not in the ledger and no longer in the log`,
    );
  }
  if (nextOffset > bounds.end) {
    refuse('ROLLBACK', `the ledger has records up to ${nextOffset - 1n}, the log ends at ${bounds.end}`);
  }
  let storedUpTo = -1n;
  for (const [logId, log] of stored) {
    if (log.maxOffset > storedUpTo) storedUpTo = log.maxOffset;
    checkKnown(logId, log, { head: heads.get(logId), pruned: pruned.get(logId), nextOffset }, refuse);
  }
  if (storedUpTo >= bounds.end) {
    refuse('UNKNOWN_TAIL', `the store holds offset ${storedUpTo}, the log ends at ${bounds.end}`);
  }
  await checkHeads(store, { stored, pruned }, heads, refuse);
  await rehashEnd(store, source, storedUpTo, refuse);
  return { nextOffset, day: position?.day ?? -1, heads, storedUpTo };
}

type Refuse = (cause: string, reason: string) => never;

function checkKnown(
  logId: string,
  log: StoredLog,
  known: {
    readonly head: LogHead | undefined;
    readonly pruned: LogHead | undefined;
    readonly nextOffset: bigint;
  },
  refuse: Refuse,
): void {
  const { head, pruned, nextOffset } = known;
  // Between an announcement and the removal the log may begin anywhere up to the announced cut.
  if (log.firstSeq > (pruned?.seq ?? -1n) + 1n) {
    refuse('GAP', `log ${logId} begins at seq ${log.firstSeq}, its first entries were not announced to go`);
  }
  if (log.entryCount < log.seq - log.firstSeq + 1n) {
    const from = log.firstSeq === 0n ? '' : `from seq ${log.firstSeq} `;
    refuse('GAP', `log ${logId} has ${log.entryCount} entries ${from}up to seq ${log.seq}`);
  }
  if (head === undefined && log.minOffset < nextOffset) {
    refuse('FORK', `log ${logId} is in the store at offset ${log.minOffset}, its head was never recorded`);
  }
}

/** Every recorded head must be in the store at its place. */
async function checkHeads(
  store: Store,
  {
    stored,
    pruned,
  }: { readonly stored: ReadonlyMap<string, StoredLog>; readonly pruned: ReadonlyMap<string, LogHead> },
  heads: ReadonlyMap<string, LogHead>,
  refuse: Refuse,
): Promise<void> {
  const behind: [string, LogHead][] = [];
  for (const [logId, head] of heads) {
    const log = stored.get(logId);
    if (log === undefined && isPrunedWhole(head, pruned.get(logId))) continue;
    if (log === undefined || log.seq < head.seq) {
      refuse(
        'ROLLBACK',
        `log ${logId} was written up to seq ${head.seq}, the store has ${log?.seq ?? 'none of it'}`,
      );
    } else if (log.seq > head.seq) behind.push([logId, head]);
    else if (log.leaf !== head.leaf)
      refuse('FORK', `log ${logId} seq ${head.seq} has leaf ${log.leaf}, recorded was ${head.leaf}`);
  }
  for (let at = 0; at < behind.length; at += LOGS_PER_STATEMENT) {
    const group = new Map(behind.slice(at, at + LOGS_PER_STATEMENT));
    const places = [...group].map(([logId, { seq }]) => `('${logId}',${seq})`).join();
    const rows = readRows(
      store.raw,
      `SELECT log, leaf FROM custody.entries WHERE (log, seq) IN (${places})`,
      (read) => ({ logId: read.string(), leaf: read.hex(32) }),
    );
    const missing = new Map(group);
    for await (const { logId, leaf } of rows) {
      const head = group.get(logId);
      if (leaf !== head?.leaf) {
        refuse(
          'FORK',
          `log ${logId} seq ${head?.seq ?? '?'} has leaf ${leaf}, recorded was ${head?.leaf ?? 'none'}`,
        );
      }
      missing.delete(logId);
    }
    for (const [logId, { seq }] of missing) refuse('GAP', `log ${logId} seq ${seq} is missing`);
  }
}

/** Hashes the last stored rows again from their bytes. */
async function rehashEnd(store: Store, source: LogSource, storedUpTo: bigint, refuse: Refuse): Promise<void> {
  if (storedUpTo < 0n) return;
  const from = storedUpTo - BigInt(REHASHED_OFFSETS) + 1n;
  const rows = readRows(
    store.raw,
    `SELECT ${ENTRY_COLUMNS} FROM custody.entries WHERE ${ofSource(source)} AND koffset >= ${from < 0n ? 0n : from}`,
    (read) => {
      const row = decodeStoredEntry(read);
      const preimage = entryPreimage({ ...row, logId: row.log }, row.prev, row.bodySha);
      return { ...row, bodyOk: bodyHash(row.body) === row.bodySha, leafOk: leafHash(preimage) === row.leaf };
    },
  );
  for await (const row of rows) {
    if (!row.bodyOk) refuse('BODY_HASH', `log ${row.log} seq ${row.seq}`);
    if (!row.leafOk) refuse('LEAF_HASH', `log ${row.log} seq ${row.seq}`);
  }
}
