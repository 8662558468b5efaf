import type { SchemaVariant } from './migrations/migration.ts';
import { readSettings } from './pinned-settings.ts';
import { createRowReader } from './row-binary.ts';
import { DEFINED_TABLES, readDefinition } from './schema-definition.ts';
import type { RawQuery } from './store.ts';
import type { FindingLog } from './verify-report.ts';

const TABLE = 'custody.entries';

/** Compares the definitions of the tables that hold evidence, as the engine has them, with ours in its own rendering. */
export async function checkSchema(
  raw: RawQuery,
  variant: SchemaVariant,
  findings: FindingLog,
): Promise<void> {
  for (const table of Object.keys(DEFINED_TABLES)) {
    const definition = await readDefinition(raw, variant, table);
    if (definition.state === 'equal') continue;
    const detail =
      definition.state === 'missing'
        ? 'the table is missing'
        : `the definition is not the one this version makes: ${definition.where.join(', ')}`;
    findings.add({ cause: 'SCHEMA_FINGERPRINT', log: `custody.${table}`, seq: null, column: null, detail });
  }
}

/** Rows that are in the parts and that a plain read does not give. */
export async function checkHiddenRows(raw: RawQuery, where: string, findings: FindingLog): Promise<void> {
  const visible = await countRows(raw, where, '1');
  const all = await countRows(raw, where, '0');
  if (visible === all) return;
  const detail = `${all - visible} rows were deleted by a mask and are still in the parts`;
  findings.add({ cause: 'HIDDEN_ROWS', log: TABLE, seq: null, column: null, detail });
}

async function countRows(raw: RawQuery, where: string, mask: '0' | '1'): Promise<bigint> {
  const reader = createRowReader((read) => read.uint64());
  let count = 0n;
  const settings = readSettings({ apply_deleted_mask: mask });
  for await (const chunk of raw(`SELECT count() FROM ${TABLE} WHERE ${where} ${settings} FORMAT RowBinary`)) {
    for (const value of reader.push(chunk)) count = value;
  }
  reader.end();
  return count;
}
