import { readFile, stat } from 'node:fs/promises';
import { LineCounter, parseDocument, type Document, type YAMLParseError } from 'yaml';
import { InputError } from '../runtime/errors.ts';
import { pathText, readRegistry, type DocumentProblem } from '../schemas/read-registry.ts';
import type { RegistryDocument } from '../schemas/registry.ts';
import type { PolicySource } from './policy-source.ts';

/** More than any document that fits a record, with its comments. */
const FILE_MAX_BYTES = 4 * 1024 * 1024;

/** The registry in a file as a source of what comes into force. */
export function registrySource(file: string): PolicySource {
  return {
    type: 'registry',
    place: file,
    stamp: () => stampOf(file),
    read: () => readRegistryFile(file),
  };
}

/** @throws InputError naming the first wrong key and its line. */
export async function readRegistryFile(file: string): Promise<RegistryDocument> {
  const { document, problems } = parseRegistryText(await textOf(file));
  const [first] = problems ?? [];
  if (document !== undefined) return document;
  throw new InputError('input_invalid', `cannot use registry ${file}: ${problemText(first)}`, {
    path: pathText(first?.path ?? []),
  });
}

export interface PlacedProblem extends DocumentProblem {
  /** From 1. */
  readonly line?: number;
}

/** A problem as one sentence. */
export function problemText(problem: PlacedProblem | undefined): string {
  if (problem === undefined) return 'it is invalid';
  const line = problem.line === undefined ? '' : `line ${problem.line}: `;
  return `${line}${pathText(problem.path)}: ${problem.reason}`;
}

/** Reads YAML or JSON text; never throws. */
export function parseRegistryText(
  text: string,
):
  | { readonly document: RegistryDocument; readonly problems?: never }
  | { readonly problems: readonly PlacedProblem[]; readonly document?: never } {
  const lines = new LineCounter();
  const tree = parseDocument(text, { lineCounter: lines, logLevel: 'silent' });
  const broken = tree.errors[0];
  if (broken !== undefined)
    return {
      problems: [{ path: [], reason: yamlReason(broken, text), line: lines.linePos(broken.pos[0]).line }],
    };
  let value: unknown;
  try {
    // Repeated anchors of a hostile file are refused here.
    value = tree.toJS({ maxAliasCount: 100 }) as unknown;
  } catch {
    return { problems: [{ path: [], reason: 'its YAML aliases cannot be resolved' }] };
  }
  const read = readRegistry(value);
  if (read.document !== undefined) return read;
  return { problems: read.problems.map((problem) => placed(problem, tree, lines)) };
}

/** A key that stands twice in one mapping, by its name: what came first would be gone without a word. */
function yamlReason({ code, pos: [from] }: Pick<YAMLParseError, 'code' | 'pos'>, text: string): string {
  if (code !== 'DUPLICATE_KEY') return 'not valid YAML';
  const key = /^(["']?)([^\n:"']{1,64})\1/.exec(text.slice(from, from + 128))?.[2]?.trim();
  return `not valid YAML: ${key === undefined ? 'a key' : `the key ${key}`} is twice in one mapping`;
}

/** The line of the deepest part of the path that the text has. */
function placed(problem: DocumentProblem, tree: Document, lines: LineCounter): PlacedProblem {
  for (let depth = problem.path.length; depth > 0; depth -= 1) {
    const node: unknown = tree.getIn(problem.path.slice(0, depth), true);
    const range = (node as { readonly range?: readonly number[] | null } | undefined)?.range;
    if (range?.[0] !== undefined) return { ...problem, line: lines.linePos(range[0]).line };
  }
  return problem;
}

async function textOf(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > FILE_MAX_BYTES)
      throw new InputError(
        'input_too_large',
        `cannot use registry ${file}: it is larger than ${FILE_MAX_BYTES} bytes`,
      );
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw cause instanceof InputError ? cause : unreadable(file, cause);
  }
}

async function stampOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

function unreadable(file: string, cause: unknown): InputError {
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
  return new InputError('input_invalid', `cannot read registry ${file}: ${reason}`, { cause });
}
