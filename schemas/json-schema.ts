import { z } from 'zod';
import { alertSchema } from './alert.ts';
import { configSchema } from './config.ts';
import { eventSchema } from './event.ts';
import { malformedSchema } from './malformed.ts';
import { receiptSchema } from './receipt.ts';
import { registryDocument } from './registry.ts';
import { ruleSchema, suppressionSchema } from './rule.ts';
import { trustPolicySchema } from './trust-policy.ts';

const DRAFT = 'draft-2020-12';

/** JSON Schema (draft 2020-12) of everything that crosses an edge, by file name without `.schema.json`. */
export function jsonSchemas(): ReadonlyMap<string, unknown> {
  const records = {
    alert: alertSchema,
    event: eventSchema,
    malformed: malformedSchema,
    receipt: receiptSchema,
    registry: registryDocument,
    'trust-policy': trustPolicySchema,
  };
  return new Map<string, unknown>([
    ...Object.entries(records).map(
      ([name, schema]) => [name, z.toJSONSchema(schema, { target: DRAFT })] as const,
    ),
    // What a person writes: fields with a default may be left out.
    ['config', z.toJSONSchema(configSchema, { target: DRAFT, io: 'input' })],
    ['rule', z.toJSONSchema(ruleSchema, { target: DRAFT, io: 'input' })],
    ['suppression', z.toJSONSchema(suppressionSchema, { target: DRAFT, io: 'input' })],
  ]);
}

/** The text of a schema file. */
export function schemaText(schema: unknown): string {
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}
