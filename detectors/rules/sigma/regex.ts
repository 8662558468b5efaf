import { SigmaError } from './sigma-error.ts';

/**
 * The regular expression of a Sigma rule (PCRE) as conditions know it, which have no flags. What both know means the same; what
 * only PCRE knows is refused, for it would be read as something else without a word: `\A` as the letter A.
 * @throws SigmaError that names it.
 */
export function regexOf(text: string, ignoreCase: boolean, path: string): string {
  const inline = text.startsWith('(?i)');
  const reader: Reader = { pattern: inline ? text.slice(4) : text, ignoreCase: inline || ignoreCase, path };
  let regex = '';
  for (let at = 0; at < reader.pattern.length;) {
    const part = reader.pattern.charAt(at) === '[' ? classAt(reader, at) : foldedAt(reader, at);
    regex += part.text;
    at = part.next;
  }
  return regex;
}

interface Reader {
  readonly pattern: string;
  readonly ignoreCase: boolean;
  readonly path: string;
}

interface Part {
  readonly text: string;
  readonly next: number;
}

interface Atom extends Part {
  /** Of the one character it is; none for a set such as `\d`. */
  readonly code: number | undefined;
}

function foldedAt(reader: Reader, at: number): Part {
  const { text, code, next } = atomAt(reader, at);
  const other = reader.ignoreCase && code !== undefined ? otherCase(code, code) : '';
  return { text: other === '' ? text : `[${text}${other}]`, next };
}

/** Escapes that mean the same in both languages, besides those of characters that are neither letter nor digit. */
const sharedEscapes = 'dDwWsSbBnrtfv';

function atomAt({ pattern, path }: Reader, at: number): Atom {
  const char = pattern.charAt(at);
  if (char !== '\\') return { text: char, code: char.charCodeAt(0), next: at + 1 };
  const escape = /^\\(?:x\{([0-9a-f]{1,6})\}|x([0-9a-f]{2})|u([0-9a-f]{4}))/i.exec(
    pattern.slice(at, at + 12),
  );
  if (escape !== null) {
    const code = Number.parseInt(escape[1] ?? escape[2] ?? escape[3] ?? '', 16);
    if (code > 0xffff) throw new SigmaError(path, `${escape[0]} is beyond what a condition can look for`);
    const text = `\\u${code.toString(16).padStart(4, '0')}`;
    return { text, code, next: at + escape[0].length };
  }
  const next = pattern.charAt(at + 1);
  // A number refers back to a group; the check of every condition refuses it with its reason.
  if (/[a-z]/i.test(next) && !sharedEscapes.includes(next))
    throw new SigmaError(path, `\\${next} is not known in regular expressions here`);
  const code = /[a-z0-9]/i.test(next) ? undefined : next.charCodeAt(0);
  return { text: `\\${next}`, code, next: at + 2 };
}

function classAt(reader: Reader, start: number): Part {
  const { pattern, path } = reader;
  const isNegated = pattern.charAt(start + 1) === '^';
  let at = start + (isNegated ? 2 : 1);
  let text = isNegated ? '[^' : '[';
  // PCRE takes a bracket in first place for itself.
  if (pattern.charAt(at) === ']') {
    text += '\\]';
    at += 1;
  }
  while (at < pattern.length && pattern.charAt(at) !== ']') {
    if (/^\[[:.=]/.test(pattern.slice(at, at + 2)))
      throw new SigmaError(path, 'classes such as [:alpha:] are not known in regular expressions here');
    const from = atomAt(reader, at);
    at = from.next;
    text += from.text;
    let to = from;
    if (pattern.charAt(at) === '-' && pattern.charAt(at + 1) !== ']' && at + 1 < pattern.length) {
      to = atomAt(reader, at + 1);
      text += `-${to.text}`;
      at = to.next;
    }
    if (reader.ignoreCase && from.code !== undefined && to.code !== undefined)
      text += otherCase(from.code, to.code);
  }
  return { text: text + pattern.charAt(at), next: at + 1 };
}

/** Ranges of the other case of the ASCII letters between two characters. */
function otherCase(from: number, to: number): string {
  const range = (first: number, shift: number) => {
    const low = Math.max(from, first);
    const high = Math.min(to, first + 25);
    if (low > high) return '';
    const own = String.fromCharCode(low + shift);
    return low === high ? own : `${own}-${String.fromCharCode(high + shift)}`;
  };
  return range(0x41, 32) + range(0x61, -32);
}
