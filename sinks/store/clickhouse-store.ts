import { Readable } from 'node:stream';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import type { LogSource, SealedEntry } from '../../evidence/entry-builder.ts';
import { IntegrityError } from '../../runtime/errors.ts';
import { storeError } from './clickhouse-error.ts';
import { INSERT_SETTINGS, readSettings, withoutSettings } from './pinned-settings.ts';
import { createRowReader, type ColumnReader } from './row-binary.ts';
import type { RawQuery, Store, StoredLog } from './store.ts';
import { placeConditions } from './read-back.ts';
import { insertAnchorEvidence, publishTo, type InsertRows } from './publish.ts';
import { encodeEntries, encodeRows, WRITTEN_COLUMNS } from './tab-separated.ts';

const TABLE = 'custody.entries';

export interface ClickHouseStoreOptions {
  /** Added to every insert: what a cluster needs beyond `INSERT_SETTINGS`. */
  readonly insertSettings?: ClickHouseSettings;
  /** Pinned settings this server has not yet; an unknown one would be refused. */
  readonly unknownSettings?: ReadonlySet<string>;
  /** One insert at a time: a block waits for the quorum of the one before it, and is refused instead of queued. */
  readonly oneInsertAtATime?: boolean;
}

/** Builds the store on a client: over HTTP to a server, or over `createChdbConnection` to the engine in process. */
export function createClickHouseStore(client: ClickHouseClient, options: ClickHouseStoreOptions = {}): Store {
  const insertSettings = Object.fromEntries(
    Object.entries({ ...INSERT_SETTINGS, ...options.insertSettings }).filter(
      ([name]) => options.unknownSettings?.has(name) !== true,
    ),
  );
  const oneAtATime = options.oneInsertAtATime === true ? createTurns() : atOnce;
  const raw: RawQuery = async function* (statement) {
    try {
      const { stream } = await client.exec({ query: withoutSettings(statement, options.unknownSettings) });
      for await (const chunk of stream) yield chunk as Uint8Array;
    } catch (cause) {
      throw storeError('read from the store', cause);
    }
  };

  async function insert(entries: readonly SealedEntry[], deduplicate: boolean): Promise<void> {
    const [first, last] = [entries[0], entries.at(-1)];
    if (first === undefined || last === undefined) return;
    // The token names the content: the engine drops any later block with a token it has seen, whatever it holds.
    const token = `${first.topic}/${first.partition}:${first.offset}-${last.offset}:${last.leaf}`;
    await oneAtATime(() =>
      client.insert({
        table: TABLE,
        columns: [...WRITTEN_COLUMNS],
        format: 'TabSeparated',
        values: Readable.from([encodeEntries(entries)], { objectMode: false }),
        clickhouse_settings: {
          ...insertSettings,
          ...(deduplicate ? { insert_deduplication_token: token } : { insert_deduplicate: 0 }),
        },
      }),
    );
  }

  const insertRows: InsertRows = (table, columns, rows) =>
    oneAtATime(async () => {
      await client.insert({
        table,
        columns: [...columns] as [string, ...string[]],
        format: 'TabSeparated',
        values: Readable.from([encodeRows(rows)], { objectMode: false }),
        // What is there already is known by reading; the engine's memory of blocks would swallow a row put back.
        clickhouse_settings: { ...insertSettings, insert_deduplicate: 0 },
      });
    }).catch((cause: unknown) => {
      throw storeError(`insert into ${table}`, cause);
    });

  /** Number of these entries the store does not hold. @throws IntegrityError when it holds another at a place. */
  async function missingOf(entries: readonly SealedEntry[]): Promise<number> {
    const expected = new Map<string, string>();
    for (const { logId, seq, leaf } of entries) expected.set(`${logId} ${seq}`, leaf);
    const found = new Set<string>();
    for (const where of placeConditions(entries)) {
      const rows = readRows(raw, `SELECT log, seq, leaf FROM ${TABLE} WHERE ${where}`, (read) => ({
        log: read.string(),
        seq: read.uint64(),
        leaf: read.hex(32),
      }));
      for await (const { log, seq, leaf } of rows) {
        const place = `${log} ${seq}`;
        const own = expected.get(place);
        if (own !== leaf) {
          throw new IntegrityError(
            `cannot accept stored entry ${log} seq ${seq}: FORK: the store holds leaf ${leaf}, the log gives ${own ?? 'none'}`,
          );
        }
        found.add(place);
      }
    }
    return expected.size - found.size;
  }

  return {
    raw,
    async append(entries) {
      if (entries.length === 0) return;
      try {
        await insert(entries, true);
      } catch (cause) {
        const failure = storeError(`insert ${entries.length} entries`, cause);
        if (failure instanceof IntegrityError) throw failure;
        // Some may be there: rows of a writer before this one, in another batch, whose insert ended after its answer
        // was given up. All of these go in again then; equal rows are counted and do no harm, a missing one would.
        if ((await missingOf(entries)) > 0) throw failure;
        return;
      }
      const missing = await missingOf(entries);
      if (missing === 0) return;
      if (missing < entries.length) throw gap(missing, entries);
      // The engine notes a token before it adds the rows. Killed between the two, it knows the token and has no rows,
      // and drops every later insert under it; nothing is there, so the rows go in without one.
      await insert(entries, false).catch((cause: unknown) => {
        throw storeError(`insert ${entries.length} entries`, cause);
      });
      if ((await missingOf(entries)) === 0) return;
      throw new IntegrityError(
        `cannot insert ${entries.length} entries: GAP: the engine accepted them and has none`,
      );
    },
    async expectStored(entries) {
      const missing = await missingOf(entries);
      if (missing > 0) throw gap(missing, entries);
    },
    async logs(source) {
      const found = new Map<string, StoredLog>();
      const rows = readRows(
        raw,
        `SELECT log, max(seq), argMax(leaf, seq), min(seq), count(), min(koffset), max(koffset) FROM ${TABLE} WHERE ${ofSource(source)} GROUP BY log`,
        (read) => ({
          log: read.string(),
          seq: read.uint64(),
          leaf: read.hex(32),
          firstSeq: read.uint64(),
          entryCount: read.uint64(),
          minOffset: read.uint64(),
          maxOffset: read.uint64(),
        }),
      );
      for await (const { log, ...stored } of rows) found.set(log, stored);
      return found;
    },
    publish: (publication) => publishTo(raw, insertRows, publication),
    addAnchorEvidence: (origin, evidence) => insertAnchorEvidence(insertRows, origin, evidence),
    close: () => client.close(),
  };
}

function gap(missing: number, { length }: readonly SealedEntry[]): IntegrityError {
  const count = missing === length ? `${length}` : `${missing} of ${length}`;
  return new IntegrityError(`cannot accept stored entries: GAP: ${count} are missing`);
}

/** SQL condition for the rows of one incarnation of one topic partition. Its parts are closed alphabets. */
export function ofSource(source: LogSource): string {
  return `topic = '${source.topic}' AND kpart = ${source.partition} AND startsWith(log, '${source.deployment}/') AND endsWith(log, '/${source.topicId}-${source.partition}/0')`;
}

/** Runs a SELECT with the pinned read settings and decodes each row of its RowBinary answer. */
export async function* readRows<Row>(
  raw: RawQuery,
  select: string,
  decode: (read: ColumnReader) => Row,
): AsyncGenerator<Row> {
  const reader = createRowReader(decode);
  for await (const chunk of raw(`${select} ${readSettings()} FORMAT RowBinary`)) yield* reader.push(chunk);
  reader.end();
}

type Turns = <T>(action: () => Promise<T>) => Promise<T>;

const atOnce: Turns = (action) => action();

/** Each action begins when the one before it has ended, well or not. */
function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (action) => {
    const turn = last.then(action, action);
    last = turn;
    return turn;
  };
}
