import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { jsonSchemas, schemaText } from '../../schemas/json-schema.ts';

const folder = join(import.meta.dirname, '../../schemas/json');

describe('the exported JSON Schemas', () => {
  it('are a file for each schema and no other', () => {
    const expected = [...jsonSchemas().keys()].map((name) => `${name}.schema.json`).sort();
    expect(readdirSync(folder).sort()).toEqual(expected);
  });

  it.each([...jsonSchemas()])(
    'are up to date: %s (else run `npx tsx schemas/write-json-schema.ts`)',
    (name, schema) => {
      expect(readFileSync(join(folder, `${name}.schema.json`), 'utf8')).toBe(schemaText(schema));
    },
  );

  it.each([...jsonSchemas()])('compile under draft 2020-12: %s', (_name, schema) => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    expect(() => ajv.compile(schema as object)).not.toThrow();
  });

  it('tell an event from what is none, as our own schema does', () => {
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(
      jsonSchemas().get('event') as object,
    );
    const event = {
      event_id: '05f3aa13-5f55-856f-a3a8-88163ef9a54b',
      kind: 'tool_call',
      observed_time_unix_nano: '1',
      schema: 'custody.event/v1',
      source: { collector: 'otlp_http', dialect: 'otel-semconv', signal: 'span', vantage: 'client' },
      tenant: 'acme',
      time_unix_nano: '1',
    };
    expect(validate(event)).toBe(true);
    expect(validate({ ...event, tenant: 'ACME' })).toBe(false);
    expect(validate({ ...event, more: 1 })).toBe(false);
  });
});
