const DEPTH_MAX = 64;

/** A string or number somewhere in a value. */
export interface Leaf {
  /** Member names joined with dots, `[]` for any element; empty for a value that is no structure. */
  readonly path: string;
  readonly text: string;
}

/** Strings and numbers in plain JSON (attacker-controlled), in order, with their paths, at most `max`. */
export function leavesOf(plain: unknown, max: number): readonly Leaf[] {
  const leaves: Leaf[] = [];
  collect(plain, '', 0, leaves, max);
  return leaves;
}

function collect(value: unknown, path: string, depth: number, into: Leaf[], max: number): void {
  if (into.length >= max) return;
  if (typeof value === 'string') {
    if (value !== '') into.push({ path, text: value });
  } else if (typeof value === 'number') into.push({ path, text: String(value) });
  else if (typeof value === 'object' && value !== null && depth < DEPTH_MAX) {
    if (Array.isArray(value)) {
      for (const item of value) {
        if (into.length >= max) return;
        collect(item, `${path}[]`, depth + 1, into, max);
      }
      return;
    }
    for (const [key, member] of Object.entries(value)) {
      if (into.length >= max) return;
      collect(member, path === '' ? key : `${path}.${key}`, depth + 1, into, max);
    }
  }
}

/** Names that may hold a value themselves: an address used as a key. */
const TELLING_NAME = /[@.:/]/;

/**
 * All text a reader of this plain JSON sees, piece by piece, `maxChars` in all: strings, numbers, and member names that look
 * like addresses. Pictures and sound are left out.
 */
export function textsOf(plain: unknown, maxChars: number): readonly string[] {
  const texts: string[] = [];
  gather(plain, 0, texts, { charsLeft: maxChars });
  return texts;
}

function gather(value: unknown, depth: number, into: string[], room: { charsLeft: number }): void {
  if (room.charsLeft <= 0) return;
  if (typeof value === 'string') {
    const text = value.length > room.charsLeft ? value.slice(0, room.charsLeft) : value;
    room.charsLeft -= text.length + 1;
    into.push(text);
  } else if (typeof value === 'number') {
    const text = String(value);
    room.charsLeft -= text.length + 1;
    into.push(text);
  } else if (typeof value === 'object' && value !== null && depth < DEPTH_MAX) {
    if (Array.isArray(value)) {
      for (const item of value) gather(item, depth + 1, into, room);
      return;
    }
    const isMedia = 'mimeType' in value && 'data' in value;
    for (const [key, member] of Object.entries(value)) {
      if (isMedia && key === 'data') continue;
      if (TELLING_NAME.test(key)) gather(key, depth + 1, into, room);
      gather(member, depth + 1, into, room);
    }
  }
}
