import { z } from 'zod';
import { limits } from './limits.ts';
import { found, hex64, id, name } from './scalars.ts';

/** What a tool does to the world. */
export const actionClass = z.enum(['read', 'write', 'execute', 'egress', 'session', 'unknown']);

/** MCP tool annotations: the server's own word. They raise a class, never lower it. */
const annotations = z.strictObject({
  read_only: z.boolean().optional(),
  destructive: z.boolean().optional(),
  idempotent: z.boolean().optional(),
  open_world: z.boolean().optional(),
});

/** The tool of a call. */
export const tool = z.strictObject({
  /** Without the prefix an aggregating gateway adds. */
  name: name.optional(),
  /** As received, when it differs. */
  raw_name: name.optional(),
  call_id: id.optional(),
  /** SHA-256 over the canonical JSON (RFC 8785) of the tool definition as listed by the server. */
  definition_digest: hex64.optional(),
  action: actionClass.optional(),
  annotations: annotations.optional(),
});

/** A tool as its server lists it: digests of its parts, so that a change can be named, and what a person reads of it. */
export const listedTool = z.strictObject({
  description_digest: hex64.optional(),
  /** Of `inputSchema` and `outputSchema`. */
  schema_digest: hex64.optional(),
  annotations_digest: hex64.optional(),
  annotations: annotations.optional(),
  /** Redacted and cut. Hostile text: escape wherever it is shown. */
  description: z.string().max(limits.descriptionChars).optional(),
  /** Names of the input schema's properties. */
  properties: z.array(z.string().max(limits.valuePathChars)).max(64).optional(),
  /** Forms of attack in the description and the schema, by name. */
  shapes: found.optional(),
});
