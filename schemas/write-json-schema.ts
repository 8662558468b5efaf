/** Writes `schemas/json/*.schema.json`; run after a change of a schema: `npx tsx schemas/write-json-schema.ts`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonSchemas, schemaText } from './json-schema.ts';

const folder = join(import.meta.dirname, 'json');
mkdirSync(folder, { recursive: true });
for (const [name, schema] of jsonSchemas())
  writeFileSync(join(folder, `${name}.schema.json`), schemaText(schema));
