import { createReadStream } from 'node:fs';
import { alertSchema } from '../schemas/alert.ts';
import { EVENT_SCHEMA, eventSchema } from '../schemas/event.ts';
import type { EntryKind } from '../evidence/entry.ts';
import type { CaseEntry } from './case-data.ts';

const NEWLINE = 0x0a;
const READ_BYTES = 256 * 1024;

/** An entry with what proves it. */
export interface StagedEntry extends CaseEntry {
  readonly preimage: string;
  /** Absent when the bytes are not UTF-8. */
  readonly body?: string;
}

/** A staged file of entries and the log it is of. */
export interface EntryFile {
  readonly log: string;
  readonly path: string;
}

/**
 * Every entry of the case by append time, then log id, then seq: the staged files merged, a block of each in memory. Gives
 * them in batches, since a promise for each entry would cost more than the entry.
 */
export async function* readEntries(
  files: readonly EntryFile[],
  signal: AbortSignal,
): AsyncGenerator<StagedEntry[]> {
  const sources: Source[] = [];
  for (const file of files) {
    const source: Source = { log: file.log, blocks: readBlocks(file, signal), entries: [], at: 0 };
    if (await refill(source)) sources.push(source);
  }
  while (sources.length > 0) {
    const batch: StagedEntry[] = [];
    let empty: Source | undefined;
    while (empty === undefined) {
      const source = earliest(sources);
      const entry = source.entries[source.at];
      if (entry !== undefined) batch.push(entry);
      source.at += 1;
      if (source.at >= source.entries.length) empty = source;
    }
    yield batch;
    if (!(await refill(empty))) sources.splice(sources.indexOf(empty), 1);
  }
}

interface Source {
  readonly log: string;
  readonly blocks: AsyncGenerator<StagedEntry[]>;
  entries: readonly StagedEntry[];
  at: number;
}

async function refill(source: Source): Promise<boolean> {
  const block = await source.blocks.next();
  source.entries = block.done === true ? [] : block.value;
  source.at = 0;
  return block.done !== true;
}

/** The source whose next entry comes first; files are in the order of their logs, so the first of equals is right. */
function earliest(sources: readonly Source[]): Source {
  let found = sources[0] as Source;
  for (const source of sources) if (nextMs(source) < nextMs(found)) found = source;
  return found;
}

const nextMs = ({ entries, at }: Source): number => entries[at]?.appendTimeMs ?? Infinity;

/** Entries of one file, in blocks that are never empty. */
async function* readBlocks({ path, log }: EntryFile, signal: AbortSignal): AsyncGenerator<StagedEntry[]> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES, signal })) {
    const bytes = Buffer.concat([rest, chunk as Buffer]);
    const end = bytes.lastIndexOf(NEWLINE);
    rest = bytes.subarray(end + 1);
    if (end === -1) continue;
    // Not by a line reader: a body may hold characters that those take for line ends.
    const lines = bytes.toString('utf8', 0, end).split('\n');
    yield lines.map((line) => entryOf(log, line));
  }
}

interface StagedLine {
  readonly seq: string;
  readonly preimage: string;
  readonly body?: string;
}

function entryOf(log: string, line: string): StagedEntry {
  const { seq, preimage, body } = JSON.parse(line) as StagedLine;
  const [, , , , place = '', appendTime = '', kind = '', bodySha = ''] = preimage.split('\n');
  const entry = {
    ...{ log, seq: BigInt(seq), topic: place.slice(0, place.indexOf('/')) },
    ...{ appendTimeMs: Number(appendTime), kind: kind as EntryKind, bodySha, preimage },
  };
  if (body === undefined) return entry;
  return kind === 'event' ? { ...entry, body, ...contentOf(body) } : { ...entry, body };
}

/** Reads attacker-controlled text: only what has the shape of this version's schema is handed on. */
function contentOf(body: string): Pick<CaseEntry, 'event' | 'alert'> {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return {};
  }
  const isEvent = (json as { schema?: unknown } | null)?.schema === EVENT_SCHEMA;
  if (isEvent) {
    const event = eventSchema.safeParse(json);
    return event.success ? { event: event.data } : {};
  }
  const alert = alertSchema.safeParse(json);
  return alert.success ? { alert: alert.data } : {};
}
