import { bodyHash, entryPreimage, leafHash, type EntryKind } from './entry.ts';
import { genesisBody } from './entry-builder.ts';
import type { FindingCause } from './finding.ts';
import { parseLogId, type LogName } from './log-id.ts';
import type { RawEntry } from './raw-entry.ts';

/** Says what is wrong at a row; `column` names the one that shows it. */
export type ReportRow = (
  cause: FindingCause,
  log: string,
  seq: bigint | null,
  detail: string,
  column?: string,
) => void;

const KINDS: ReadonlySet<string> = new Set<EntryKind>(['event', 'malformed', 'control']);
/** What a row says of itself: its hashes, its place, its columns. Independent of its neighbours. */
export function createRowRules(report: ReportRow): (row: RawEntry) => void {
  /** Rows come log by log, so the last name parsed is nearly always the next one wanted. */
  let named: { readonly log: string; readonly name: LogName | undefined } = { log: '', name: undefined };

  function nameOf(log: string): LogName | undefined {
    if (log !== named.log) named = { log, name: parseLogId(log) };
    return named.name;
  }

  function checkRow(row: RawEntry): void {
    const name = nameOf(row.log);
    if (name === undefined) {
      report('LOG_ID', row.log, row.seq, 'the log id is not in the known form', 'log');
      return;
    }
    if (name.tenant !== row.tenant)
      report('DERIVED_MISMATCH', row.log, row.seq, 'differs from the log id', 'tenant');
    if (!KINDS.has(row.kind)) report('FIELD', row.log, row.seq, 'not a kind of entry', 'kind');
    if (bodyHash(row.body) !== row.bodySha) {
      report('BODY_HASH', row.log, row.seq, 'the body does not have the recorded hash', 'body');
    }
    const place = {
      logId: row.log,
      seq: row.seq,
      topic: row.topic,
      partition: row.partition,
      offset: row.offset,
      appendTimeMs: row.appendTimeMs,
      kind: row.kind,
    };
    if (leafHash(entryPreimage(place, row.prev, row.bodySha)) !== row.leaf) {
      report('LEAF_HASH', row.log, row.seq, 'the columns do not have the recorded hash');
    } else if (name.partition !== row.partition) {
      report('LOG_ID', row.log, row.seq, `the log id says partition ${name.partition}`, 'kpart');
    }
    if (row.seq === 0n) checkGenesis(row, name);
    else if (row.kind === 'control')
      report('FIELD', row.log, row.seq, 'only entry 0 is a control entry', 'kind');
  }

  function checkGenesis(row: RawEntry, name: LogName): void {
    if (row.kind !== 'control') {
      report('GENESIS', row.log, 0n, 'entry 0 is not a control entry', 'kind');
    } else if (Buffer.compare(row.body, genesisBody(name, row.topic)) !== 0) {
      report('GENESIS', row.log, 0n, 'entry 0 does not bind the log to its place', 'body');
    }
  }
  return checkRow;
}
