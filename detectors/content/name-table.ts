import { differByOne, foldName } from './tool-names.ts';

/** One server's tool that goes by a name. */
export interface Holder {
  readonly server: string;
  readonly tool: string;
  readonly sinceMs: number;
  readonly eventId: string;
  /** Of its definition, where told. */
  digest: string | undefined;
}

interface NameEntry {
  readonly holders: Holder[];
  /** Folded names that differ by one letter. */
  readonly near: string[];
}

/** Tools of a tenant by folded name, longest not seen first; bounded. */
export interface NameTable {
  readonly names: Map<string, NameEntry>;
  /** Folded names by length: only those of nearly the same length are compared. */
  readonly byLength: Map<number, string[]>;
  /** Characters of all names and servers in it. */
  chars: number;
}

const maxNames = 2048;
const maxHolders = 4;
const maxNear = 8;
const maxNameChars = 128;
/** Two thousand tools with names of common lengths; far fewer with names of hundreds of characters. */
const maxChars = 192 * 1024;

export const newNameTable = (): NameTable => ({ names: new Map(), byLength: new Map(), chars: 0 });

/**
 * Notes that the server offers the tool; gives back the folded name. `searchNear`: a name never seen is compared with all of
 * its length, which a caller allows for a bounded number of names at a time.
 */
export function noteName(
  table: NameTable,
  holder: Holder,
  minNearChars: number,
  searchNear: boolean,
): string {
  const folded = foldName(holder.tool.slice(0, maxNameChars));
  let entry = table.names.get(folded);
  if (entry === undefined) {
    entry = {
      holders: [],
      near: searchNear && folded.length >= minNearChars ? nearNames(table, folded, minNearChars) : [],
    };
    for (const other of entry.near) {
      const near = table.names.get(other)?.near;
      if (near !== undefined && near.length < maxNear) near.push(folded);
    }
    index(table, folded);
  }
  table.names.delete(folded);
  table.names.set(folded, entry);
  const known = entry.holders.find(({ server, tool }) => server === holder.server && tool === holder.tool);
  if (known !== undefined) known.digest = holder.digest ?? known.digest;
  else if (entry.holders.length < maxHolders) {
    entry.holders.push(holder);
    table.chars += charsOf(holder);
  }
  while (table.names.size > maxNames || (table.chars > maxChars && table.names.size > 1)) evictOldest(table);
  return folded;
}

const charsOf = ({ server, tool }: Holder) => server.length + tool.length;

/** Tools of other servers with the same name, or nearly the same. */
export function rivalsOf({ names }: NameTable, folded: string, server: string): Holder[] {
  const entry = names.get(folded);
  const rivals: Holder[] = [];
  if (entry === undefined) return rivals;
  for (const holder of entry.holders) if (holder.server !== server) rivals.push(holder);
  for (const name of entry.near)
    for (const holder of names.get(name)?.holders ?? []) if (holder.server !== server) rivals.push(holder);
  return rivals;
}

export function holderOf(
  { names }: NameTable,
  folded: string,
  server: string,
  tool: string,
): Holder | undefined {
  return names.get(folded)?.holders.find((holder) => holder.server === server && holder.tool === tool);
}

function nearNames({ byLength }: NameTable, folded: string, minChars: number): string[] {
  const near: string[] = [];
  for (const length of [folded.length - 1, folded.length, folded.length + 1]) {
    if (length < minChars) continue;
    for (const other of byLength.get(length) ?? []) {
      if (differByOne(folded, other)) near.push(other);
      if (near.length >= maxNear) return near;
    }
  }
  return near;
}

function index(table: NameTable, folded: string): void {
  const { byLength } = table;
  table.chars += 2 * folded.length;
  const same = byLength.get(folded.length);
  if (same === undefined) byLength.set(folded.length, [folded]);
  else same.push(folded);
}

function evictOldest(table: NameTable): void {
  const { names, byLength } = table;
  const oldest = names.keys().next().value;
  if (oldest === undefined) return;
  const entry = names.get(oldest);
  names.delete(oldest);
  table.chars -= 2 * oldest.length;
  for (const holder of entry?.holders ?? []) table.chars -= charsOf(holder);
  for (const other of entry?.near ?? []) {
    const near = names.get(other)?.near;
    if (near?.includes(oldest) === true) near.splice(near.indexOf(oldest), 1);
  }
  const same = byLength.get(oldest.length);
  same?.splice(same.indexOf(oldest), 1);
  if (same?.length === 0) byLength.delete(oldest.length);
}
