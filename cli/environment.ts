import { parse } from 'yaml';
import { z } from 'zod';
import { ConfigError } from '../runtime/errors.ts';

type Tree = Record<string, unknown>;

/** Read elsewhere: the tap's token, the file's name, test switches. */
const OTHER_VARIABLES = /^CUSTODY_(CONFIG|TOKEN|TEST_.*)$/;

/**
 * Lays `CUSTODY_*` variables over a configuration tree. The variable of a key is its path in capitals joined by `_`:
 * `CUSTODY_INGEST_HTTP_PORT` is `ingest.http.port`. Lists (`CUSTODY_SINKS`) are YAML or JSON text.
 * @throws ConfigError for a `CUSTODY_*` variable that names no key.
 */
export function applyEnvironment(tree: Tree, env: NodeJS.ProcessEnv, schema: z.ZodType): Tree {
  const leaves = new Map(
    leavesOf(schema, []).map((path) => [`CUSTODY_${path.join('_').toUpperCase()}`, path]),
  );
  const result = structuredClone(tree);
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('CUSTODY_') || OTHER_VARIABLES.test(variable) || value === undefined) continue;
    const path = leaves.get(variable);
    if (path === undefined) {
      throw new ConfigError(`cannot use environment variable ${variable}: it names no configuration key`, {
        path: variable,
      });
    }
    place(result, path, scalar(value));
  }
  return result;
}

function leavesOf(schema: z.ZodType, path: readonly string[]): (readonly string[])[] {
  const inner = unwrap(schema);
  // Which keys a variant has is checked with the whole tree; here every variant's have a variable.
  if (inner instanceof z.ZodDiscriminatedUnion) {
    return inner.options.flatMap((option) => leavesOf(option as z.ZodType, path));
  }
  if (!(inner instanceof z.ZodObject)) return [path];
  return Object.entries(inner.shape as Record<string, z.ZodType>).flatMap(([key, child]) =>
    leavesOf(child, [...path, key]),
  );
}

function unwrap(schema: z.ZodType): z.ZodType {
  let current = schema;
  while (
    current instanceof z.ZodDefault ||
    current instanceof z.ZodPrefault ||
    current instanceof z.ZodOptional
  ) {
    current = current.unwrap() as z.ZodType;
  }
  return current;
}

function scalar(value: string): unknown {
  try {
    return parse(value) as unknown;
  } catch {
    return value;
  }
}

function place(tree: Tree, path: readonly string[], value: unknown): void {
  let node = tree;
  for (const key of path.slice(0, -1)) {
    const next = node[key];
    const child: Tree =
      typeof next === 'object' && next !== null && !Array.isArray(next) ? (next as Tree) : {};
    node[key] = child;
    node = child;
  }
  const last = path.at(-1);
  if (last !== undefined) node[last] = value;
}
