import { createHash } from 'node:crypto';
import { canonicalJson } from '../../evidence/canonical-json.ts';
import type { CustodyEvent } from '../../schemas/event.ts';
import { limits } from '../../schemas/event/limits.ts';
import { isObject, type JsonObject } from '../../schemas/json-object.ts';
import { compact } from './compact.ts';
import { text } from './mcp-meta.ts';
import { pathName } from './provenance/describe-values.ts';
import { textsOf } from './provenance/text-leaves.ts';
import { clip, redactText } from './redact.ts';
import { resultShapes } from './shapes/result-shapes.ts';
import { sortedCounts } from './shapes/shape.ts';

/** What is kept of one tool definition a server listed. */
export interface ListedTool {
  readonly name: string;
  /** SHA-256 over the canonical JSON (RFC 8785) of the definition, lower-case hex. */
  readonly digest: string;
  /** The server's own hints (attacker-controlled): they may raise an action class, never lower it. */
  readonly annotations: JsonObject | undefined;
  /** Its parts, as the event keeps them. */
  readonly parts: ListedParts;
}

type ListedParts = NonNullable<CustodyEvent['listed_tools']>[string];
type Annotations = NonNullable<NonNullable<CustodyEvent['tool']>['annotations']>;

/** How much text of one definition is looked at for shapes. */
const TEXT_MAX_CHARS = 32 * 1024;
const PROPERTIES_MAX = 64;
/** Of one event that no tap has split. */
const LISTED_MAX = 64;

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
      parts: partsOf(definition),
    });
  }
  return { tools, unusableCount: listed.length - tools.length, nonCanonicalCount };
}

/** What a person reads of a definition and what tells that it changed (attacker-controlled). */
function partsOf(definition: JsonObject): ListedParts {
  const { description, inputSchema, outputSchema, annotations } = definition;
  const shown =
    typeof description === 'string' && description !== '' ? redactText(description).text : undefined;
  return (
    compact<ListedParts>({
      annotations: isObject(annotations) ? hintsIn(annotations) : undefined,
      annotations_digest: annotations === undefined ? undefined : digestOf(annotations),
      description: shown === undefined ? undefined : clip(shown, limits.descriptionChars),
      description_digest: description === undefined ? undefined : digestOf(description),
      properties: propertiesOf(inputSchema),
      schema_digest:
        inputSchema === undefined && outputSchema === undefined
          ? undefined
          : digestOf([inputSchema ?? null, outputSchema ?? null]),
      shapes: sortedCounts(resultShapes(textsOf(definition, TEXT_MAX_CHARS))),
    }) ?? {}
  );
}

function propertiesOf(schema: unknown): string[] | undefined {
  if (!isObject(schema) || !isObject(schema['properties'])) return undefined;
  const names = Object.keys(schema['properties']).slice(0, PROPERTIES_MAX).map(pathName);
  return names.length === 0 ? undefined : names;
}

function digestOf(value: unknown): string {
  return createHash('sha256')
    .update(canonicalOrUndefined(value) ?? JSON.stringify(value))
    .digest('hex');
}

/** Parts of each definition, by tool name. */
export function listedParts(
  tools: readonly ListedTool[] | undefined,
): Record<string, ListedParts> | undefined {
  return tools && byName(tools, ({ parts }) => parts);
}

/** Digest of each definition, by tool name. */
export function definitionDigests(
  tools: readonly ListedTool[] | undefined,
): Record<string, string> | undefined {
  return tools && byName(tools, ({ digest }) => digest);
}

/** `fromEntries` defines own members, so that a tool named `__proto__` is a name like any other. */
function byName<Value>(
  tools: readonly ListedTool[],
  valueOf: (tool: ListedTool) => Value,
): Record<string, Value> {
  return Object.fromEntries(tools.map((tool) => [text(tool.name) ?? 'unnamed', valueOf(tool)]));
}

/** The hints a server listed with a tool, as an event holds them. */
export function hintsOf(tool: ListedTool | undefined): Annotations | undefined {
  return tool?.annotations === undefined ? undefined : hintsIn(tool.annotations);
}

function hintsIn(notes: JsonObject): Annotations | undefined {
  const flag = (name: string) => (typeof notes[name] === 'boolean' ? notes[name] : undefined);
  return compact<Annotations>({
    destructive: flag('destructiveHint'),
    idempotent: flag('idempotentHint'),
    open_world: flag('openWorldHint'),
    read_only: flag('readOnlyHint'),
  });
}

/** Tools in a result that a record carries, as many as one event may hold; undefined if it holds none. */
export function listedTools(result: JsonObject): readonly ListedTool[] | undefined {
  const { tools } = readToolList(result);
  return tools.length === 0 ? undefined : tools.slice(0, LISTED_MAX);
}

function canonicalOrUndefined(value: unknown): string | undefined {
  try {
    return canonicalJson(value);
  } catch {
    return undefined;
  }
}
