import { mkdir, open as openFile, stat, truncate } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { IntegrityError, PermanentError, TransientError } from '../../runtime/errors.ts';
import { syncDirectory } from '../../runtime/sync-directory.ts';
import { FREE_MIN_BYTES, freeBytes, storageError } from './storage-error.ts';

/** Ordered bytes to bytes. Values that are read are copies and stay valid. */
export type Table = Database<Buffer, Buffer>;

export interface Change {
  readonly table: Table;
  readonly key: Buffer;
  /** `undefined` removes the key. */
  readonly value: Buffer | undefined;
  /** The key sorts after every key of the table: pages are filled instead of split in half. */
  readonly last?: boolean;
}

export interface Environment {
  readonly directory: string;
  /** Opens or creates a table. Only while the log is being opened: it commits on its own. */
  table(name: string): Table;
  /** Applies the changes as one transaction and resolves when it is on disk; a rejection leaves none of them. */
  transact(changes: readonly Change[]): Promise<void>;
  /** Drops the cached read snapshot: the next read sees the last commit. */
  refresh(): void;
  /** Bytes of the pages that hold data; pages freed by deletion do not count. */
  usedBytes(): number;
  /** Number of the last committed transaction. */
  lastTransaction(): number;
  /** Whether the engine still accepts writes; after a failed header write it never does again. */
  writable(): boolean;
  close(): Promise<void>;
}

const FILE_NAME = 'log.mdb';
const TABLES_MAX = 256;
const PAGE_HEADERS = 2;
const PAGE_BYTES = new Set([4096, 8192, 16_384, 32_768, 65_536]);
const MAGIC = 0xbeefc0de;
const MAGIC_AT = 24;
const PAGE_SIZE_AT = 48;

interface Stats {
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
  readonly lastPageNumber: number;
  readonly lastTxnId: number;
}

/** The engine gives the statistics as an untyped object; the fields named here are stable in lmdb.h. */
const statsOf = (database: RootDatabase<Buffer, Buffer> | Table) => database.getStats() as Stats;

export interface EnvironmentOptions {
  readonly mapBytes: number;
  /** Beside the process that writes: nothing is created, changed or extended. */
  readonly readOnly: boolean;
}

/** Opens the storage engine so that a commit that resolves is on disk. Throws CustodyError. */
export async function openEnvironment(directory: string, options: EnvironmentOptions): Promise<Environment> {
  const path = join(directory, FILE_NAME);
  const free = await freeBytes(directory);
  // The engine maps its lock file before it writes it: without space the process would be killed by a bus error.
  if (free < FREE_MIN_BYTES) {
    throw new TransientError('disk_full', `cannot open ${path}: only ${free} bytes free on the device`);
  }
  const created = (await stat(path).catch(() => undefined)) === undefined;
  if (created && options.readOnly)
    throw new PermanentError('rejected', `cannot open ${path}: there is no log`);
  if (!created) await refuseForeignFile(path);
  const root = openRoot(path, options);
  const tables: Table[] = [];
  try {
    if (!options.readOnly) await extendToLastPage(path, root);
    if (created) for (const path of [directory, dirname(directory)]) await syncDirectory(path);
  } catch (error) {
    await root.close();
    throw error;
  }
  return {
    directory,
    table(name) {
      try {
        const table = root.openDB<Buffer, Buffer>({ name, keyEncoding: 'binary', encoding: 'binary' });
        tables.push(table);
        return table;
      } catch (cause) {
        throw storageError(`open table ${name} of ${path}`, cause);
      }
    },
    transact: async (changes) => {
      await root.batch(() => {
        for (const change of changes) apply(change);
      });
    },
    refresh: () => root.resetReadTxn(),
    usedBytes() {
      const pages = tables.reduce((sum, table) => {
        const { treeBranchPageCount, treeLeafPageCount, overflowPages } = statsOf(table);
        return sum + treeBranchPageCount + treeLeafPageCount + overflowPages;
      }, PAGE_HEADERS);
      return pages * statsOf(root).pageSize;
    },
    lastTransaction: () => statsOf(root).lastTxnId,
    writable() {
      try {
        root.transactionSync(() => undefined);
        return true;
      } catch {
        return false;
      }
    },
    close: async () => {
      await root.close();
    },
  };
}

function openRoot(path: string, { mapBytes, readOnly }: EnvironmentOptions): RootDatabase<Buffer, Buffer> {
  try {
    return open<Buffer, Buffer>({
      path,
      readOnly,
      noSubdir: true,
      keyEncoding: 'binary',
      encoding: 'binary',
      mapSize: mapBytes,
      maxDbs: TABLES_MAX,
      // With the default (true) the header is switched before the pages it points to are flushed, and recovery
      // then depends on whether the machine was restarted. With false, nothing points at an unflushed page.
      overlappingSync: false,
      // With the default (true) the engine keeps a promise of its own whose rejection nobody can handle.
      eventTurnBatching: false,
    });
  } catch (cause) {
    const code = (cause as { code?: unknown }).code;
    if (typeof code === 'number' && code < 0) {
      throw new IntegrityError(`cannot open ${path}: it is not a readable log file (code ${code})`, {
        cause,
      });
    }
    throw storageError(`open ${path}`, cause);
  }
}

/**
 * The engine crashes the process on a file that is not its own: checks the two header pages first. Each holds, after
 * 24 bytes of page header, the magic number (4), and page 0 tells the page size 24 bytes further on.
 */
async function refuseForeignFile(path: string): Promise<void> {
  const handle = await openFile(path, 'r');
  try {
    const { size } = await handle.stat();
    // What a kill during creation may leave; the engine makes a new log of it.
    if (size === 0) return;
    const readUInt32 = async (at: number) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, at);
      return bytesRead === 4 ? buffer.readUInt32LE() : 0;
    };
    const pageBytes = await readUInt32(PAGE_SIZE_AT);
    const known =
      PAGE_BYTES.has(pageBytes) &&
      size >= PAGE_HEADERS * pageBytes &&
      (await readUInt32(MAGIC_AT)) === MAGIC &&
      (await readUInt32(pageBytes + MAGIC_AT)) === MAGIC;
    if (!known) throw new IntegrityError(`cannot open ${path}: it is not a readable log file`);
  } finally {
    await handle.close();
  }
}

/**
 * Reading a mapped page past the end of the file would kill the process. The engine may leave its last pages
 * unwritten when they are free, so a short file is no proof of damage: the missing pages are made to read as zeros,
 * and where one of them held data the engine's page check or the record checksum says so.
 */
async function extendToLastPage(path: string, root: RootDatabase<Buffer, Buffer>): Promise<void> {
  const { lastPageNumber, pageSize } = statsOf(root);
  const neededBytes = (lastPageNumber + 1) * pageSize;
  if ((await stat(path)).size < neededBytes) await truncate(path, neededBytes);
}

/** Nothing in here may throw: the engine would commit the changes made so far. */
function apply({ table, key, value, last }: Change): void {
  if (value === undefined) void table.remove(key);
  else if (last === true) putLast(table, key, value);
  else void table.put(key, value);
}

function putLast(table: Table, key: Buffer, value: Buffer): void {
  const put = table.put.bind(table) as (key: Buffer, value: Buffer, options: object) => Promise<boolean>;
  // The transaction's own promise reports a failure; this one would be an unhandled rejection.
  put(key, value, { append: true }).catch(() => undefined);
}

export async function makeDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
}
