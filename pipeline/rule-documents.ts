import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, isMap, LineCounter, parseAllDocuments } from 'yaml';
import { ConfigError } from '../runtime/errors.ts';

const fileBytesMax = 1024 * 1024;
const filesMax = 1000;

/** Files of a directory and those in it, by name; a file is itself. @throws ConfigError when it cannot be read. */
export function filesOf(dir: string): string[] {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(dir).isDirectory();
  } catch (cause) {
    throw new ConfigError(`cannot read rules ${dir}: ${errnoOf(cause)}`, { cause });
  }
  if (!isDirectory) return [dir];
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(dir, name));
  if (files.length > filesMax) throw new ConfigError(`cannot read rules ${dir}: more than ${filesMax} files`);
  return files;
}

/** A YAML document that should be a mapping; `problem` says why it is none. */
export interface FoundDocument {
  readonly source: unknown;
  readonly line: number | undefined;
  readonly lineOf: (path: string) => number | undefined;
  readonly problem: string | undefined;
}

/** Documents of one YAML file; each is a rule. Empty ones are passed over. */
export function documentsOf(file: string): FoundDocument[] {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(readText(file), { lineCounter: lines });
  const documents: readonly Document.Parsed[] = Array.isArray(parsed) ? parsed : [];
  return documents.flatMap((document): FoundDocument[] => {
    const lineOf = (path: string) => lineAt(document, lines, path.split('.'));
    const [error] = document.errors;
    if (error !== undefined)
      return [
        {
          source: undefined,
          line: lines.linePos(error.pos[0]).line,
          lineOf,
          problem: `not valid YAML: ${error.code}`,
        },
      ];
    if (document.contents === null) return [];
    const line = lines.linePos(document.contents.range[0]).line;
    if (!isMap(document.contents))
      return [{ source: undefined, line, lineOf, problem: 'a rule is a mapping of keys' }];
    try {
      return [{ source: document.toJS({ maxAliasCount: 100 }) as unknown, line, lineOf, problem: undefined }];
    } catch {
      return [{ source: undefined, line, lineOf, problem: 'too many aliases' }];
    }
  });
}

/** Line of the value at a path, or of the nearest above it that is there. */
export function lineAt(
  document: Document,
  lines: LineCounter,
  path: readonly (string | number)[],
): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const keys = path.slice(0, length).map((key) => (/^\d+$/.test(String(key)) ? Number(key) : key));
    const node: unknown = document.getIn(keys, true);
    if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range))
      return lines.linePos(Number(node.range[0])).line;
  }
  return undefined;
}

/** @throws ConfigError that names the file. */
export function readText(file: string): string {
  try {
    if (statSync(file).size > fileBytesMax)
      throw new ConfigError(`cannot read ${file}: it is larger than 1 MiB`, { path: file });
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(`cannot read ${file}: ${errnoOf(cause)}`, { path: file, cause });
  }
}

function errnoOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
}
