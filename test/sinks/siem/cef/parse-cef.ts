/**
 * A CEF reader written from the format's definition, independent of the encoder: seven header fields split at
 * unescaped `|`, then `key=value` pairs where a value runs to the last space before the next unescaped `=`'s key.
 */
export interface ParsedCef {
  readonly header: readonly string[];
  readonly extension: ReadonlyMap<string, string>;
}

export function parseCef(message: string): ParsedCef {
  if (!message.startsWith('CEF:0|')) throw new Error('no CEF header');
  const header: string[] = [];
  let field = '';
  let at = 'CEF:0|'.length;
  for (; at < message.length && header.length < 6; at += 1) {
    const char = message.charAt(at);
    if (char === '\\') {
      at += 1;
      const escaped = message.charAt(at);
      if (escaped !== '\\' && escaped !== '|') throw new Error(`bad header escape \\${escaped}`);
      field += escaped;
    } else if (char === '|') {
      header.push(field);
      field = '';
    } else field += char;
  }
  if (header.length !== 6) throw new Error(`header has ${header.length} fields`);
  return { header, extension: parseExtension(message.slice(at)) };
}

function parseExtension(text: string): Map<string, string> {
  const equals: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    if (text.charAt(at) === '\\') at += 1;
    else if (text.charAt(at) === '=') equals.push(at);
  }
  const fields = new Map<string, string>();
  let keyStart = 0;
  for (const [index, equalsAt] of equals.entries()) {
    const key = text.slice(keyStart, equalsAt);
    if (!/^[A-Za-z0-9_]+$/.test(key)) throw new Error(`bad key ${JSON.stringify(key)}`);
    if (fields.has(key)) throw new Error(`key ${key} twice`);
    const nextEquals = equals[index + 1];
    const end = nextEquals === undefined ? text.length : text.lastIndexOf(' ', nextEquals);
    fields.set(key, unescape(text.slice(equalsAt + 1, end)));
    keyStart = end + 1;
  }
  return fields;
}

function unescape(value: string): string {
  return value.replace(/\\(.?)/gs, (_whole, char: string) => {
    if (char === 'n') return '\n';
    if (char === 'r') return '\r';
    if (char === '\\' || char === '=') return char;
    throw new Error(`bad extension escape \\${char}`);
  });
}

/** The text a reader sees for a value: control characters other than line ends are shown as `\uXXXX`. */
export function shown(text: string, lineEnds: 'kept' | 'shown' = 'kept'): string {
  return (
    Buffer.from(text)
      .toString()
      // eslint-disable-next-line no-control-regex -- control characters are what is shown
      .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (char) =>
        lineEnds === 'kept' && (char === '\n' || char === '\r')
          ? char
          : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )
  );
}
