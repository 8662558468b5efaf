import type { z } from 'zod';
import { registryOfToolList } from './registry-list.ts';
import { registryDocument, type RegistryDocument } from './registry.ts';

/** What is wrong with a document, and where: `servers[3].tools[0].action`; an empty path is the document itself. */
export interface DocumentProblem {
  readonly path: readonly (string | number)[];
  readonly reason: string;
}

export type ReadRegistry =
  | { readonly document: RegistryDocument; readonly problems?: never }
  | { readonly problems: readonly DocumentProblem[]; readonly document?: never };

/** Reads a registry: the document of registry.yaml, or a list of tools as other systems keep it. Never throws. */
export function readRegistry(value: unknown): ReadRegistry {
  const parsed = registryDocument.safeParse(Array.isArray(value) ? registryOfToolList(value) : (value ?? {}));
  return parsed.success ? { document: parsed.data } : { problems: problemsOf(parsed.error) };
}

const PROBLEMS_MAX = 50;

/** The problems a schema found, in words; at most fifty. */
export function problemsOf(error: z.ZodError): DocumentProblem[] {
  return error.issues.slice(0, PROBLEMS_MAX).map((issue) => {
    const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
    if (issue.code !== 'unrecognized_keys')
      return { path, reason: issue.message.replace(/^Invalid input: /, '') };
    return { path: [...path, issue.keys[0] ?? ''], reason: 'there is no such key' };
  });
}

/** A path as text. */
export function pathText(path: DocumentProblem['path']): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
  return text === '' ? 'the document' : text.replace(/^\./, '');
}
