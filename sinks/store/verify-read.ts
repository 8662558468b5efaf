import type { RawEntry } from '../../evidence/raw-entry.ts';
import type { RawQuery } from './store.ts';
import { checkDerived } from './verify-derived.ts';
import type { FindingLog } from './verify-report.ts';
import { decodePage, planPages, queryPage, type Page } from './verify-rows.ts';

export interface ReadStore {
  readonly raw: RawQuery;
  /** SQL condition on the rows to read. */
  readonly where: string;
  readonly findings: FindingLog;
  readonly push: (row: RawEntry) => void;
  /** Takes a row where it lies, or says 0 (`createRowReader`). */
  readonly follow?: ((buffer: Buffer, at: number) => number) | undefined;
  /** Rows handed over so far, in both ways. */
  readonly count: () => number;
  /** Called before the next row when some rows could not be read. */
  readonly onUnread: () => void;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Streams every row into `push` while the engine recomputes derived columns. Resolves with false if a part was unread. */
export async function readStore(store: ReadStore): Promise<boolean> {
  const { raw, where, findings } = store;
  const { pages, rowCount } = await planPages(raw, where);
  const [entriesWhole, derivedWhole] = await Promise.all([
    readEntries(store, pages, rowCount),
    checkDerived(raw, where, pages, findings),
  ]);
  return entriesWhole && derivedWhole;
}

async function readEntries(store: ReadStore, pages: readonly Page[], rowCount: number): Promise<boolean> {
  const { raw, where, findings, onProgress } = store;
  let whole = true;
  async function* reported(answer: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of answer) {
      yield chunk;
      onProgress?.(store.count(), rowCount);
    }
  }
  const begin = (page: Page | undefined) => page && begun(queryPage(raw, where, page));
  let next = begin(pages[0]);
  for (const [index, page] of pages.entries()) {
    const answer = next ?? queryPage(raw, where, page);
    next = begin(pages[index + 1]);
    try {
      await decodePage(reported(answer), store.push, store.follow);
    } catch (error) {
      whole = false;
      findings.readFailure(page.label, error);
      store.onUnread();
    }
  }
  if (whole && store.count() !== rowCount) {
    const detail = `the engine counts ${rowCount} rows and gives ${store.count()}`;
    findings.add({ cause: 'COUNT_MISMATCH', log: 'custody.entries', seq: null, column: null, detail });
  }
  onProgress?.(store.count(), rowCount);
  return whole;
}

/** Asks for the first chunk at once, so that the engine works on it while something else is decoded. */
function begun<T>(source: AsyncIterable<T>): AsyncIterable<T> {
  const iterator = source[Symbol.asyncIterator]();
  let first: Promise<IteratorResult<T>> | undefined = iterator.next();
  // Whoever iterates gets the failure; until then it is not an unhandled one.
  first.catch(() => undefined);
  return {
    [Symbol.asyncIterator]: () => ({
      next() {
        const answer = first ?? iterator.next();
        first = undefined;
        return answer;
      },
      return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
    }),
  };
}
