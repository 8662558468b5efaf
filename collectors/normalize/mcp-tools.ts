import { createHash } from 'node:crypto';
import { canonicalJson } from '../../evidence/canonical-json.ts';
import { isObject, type JsonObject } from './mcp-meta.ts';

/** What is kept of one tool definition a server listed. */
export interface ListedTool {
  readonly name: string;
  /** SHA-256 over the canonical JSON (RFC 8785) of the definition, lower-case hex. */
  readonly digest: string;
  /** The server's own hints (attacker-controlled): they may raise an action class, never lower it. */
  readonly annotations: JsonObject | undefined;
}

export interface ToolList {
  readonly tools: readonly ListedTool[];
  /** Elements that are no tool definition: no object, or without a name. */
  readonly unusableCount: number;
  /** Definitions RFC 8785 cannot express, such as lone surrogates: their digest is over the JSON as received. */
  readonly nonCanonicalCount: number;
}

/** Reads the result of `tools/list` (attacker-controlled). */
export function readToolList(result: JsonObject): ToolList {
  const listed = Array.isArray(result['tools']) ? (result['tools'] as unknown[]) : [];
  const tools: ListedTool[] = [];
  let nonCanonicalCount = 0;
  for (const definition of listed) {
    if (!isObject(definition) || typeof definition['name'] !== 'string' || definition['name'] === '')
      continue;
    const canonical = canonicalOrUndefined(definition);
    if (canonical === undefined) nonCanonicalCount++;
    tools.push({
      name: definition['name'],
      digest: createHash('sha256')
        .update(canonical ?? JSON.stringify(definition))
        .digest('hex'),
      annotations: isObject(definition['annotations']) ? definition['annotations'] : undefined,
    });
  }
  return { tools, unusableCount: listed.length - tools.length, nonCanonicalCount };
}

function canonicalOrUndefined(value: unknown): string | undefined {
  try {
    return canonicalJson(value);
  } catch {
    return undefined;
  }
}
