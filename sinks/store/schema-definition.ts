import { readRows } from './clickhouse-store.ts';
import { entriesDdl } from './migrations/0001-entries.ts';
import { EVIDENCE_TABLES } from './migrations/0002-evidence.ts';
import type { SchemaVariant } from './migrations/migration.ts';
import { sqlString } from './sql-text.ts';
import type { RawQuery } from './store.ts';

/** Tables that hold evidence, by name in `custody`, with the definition each must have. */
export const DEFINED_TABLES: Readonly<Record<string, (variant: SchemaVariant) => string>> = {
  entries: entriesDdl,
  ...EVIDENCE_TABLES,
};

/** How the definition of a table differs from ours; both in the engine's own rendering. */
export type Definition =
  | { readonly state: 'equal' }
  | { readonly state: 'missing' }
  | {
      readonly state: 'different';
      /** Names of columns and constraints, or `engine` for what follows them; text from the store. */
      readonly where: readonly string[];
    };

/** Compares the table's definition, as the engine has it, with the one of the variant in force. */
export async function readDefinition(
  raw: RawQuery,
  variant: SchemaVariant,
  table = 'entries',
): Promise<Definition> {
  const ours = sqlString((DEFINED_TABLES[table] ?? entriesDdl)(variant));
  const definitions = readRows(
    raw,
    `SELECT create_table_query = formatQuerySingleLine(${ours}), formatQuery(create_table_query), formatQuery(${ours}) FROM system.tables WHERE database = 'custody' AND name = ${sqlString(table)}`,
    (read) => ({ equal: read.uint8(), theirs: read.string(), ours: read.string() }),
  );
  let found: Definition = { state: 'missing' };
  for await (const { equal, theirs, ours: expected } of definitions) {
    found = equal === 1 ? { state: 'equal' } : { state: 'different', where: differences(theirs, expected) };
  }
  return found;
}

/** A rendered definition has one line per column and constraint, indented, and the engine's clauses after them. */
function differences(theirs: string, ours: string): string[] {
  const [left, right] = [parts(theirs), parts(ours)];
  const names = new Set([...right.keys(), ...left.keys()]);
  return [...names].filter((name) => left.get(name) !== right.get(name));
}

function parts(definition: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of definition.split('\n')) {
    const name = /^\s+(?:CONSTRAINT )?`?(\w+)`? /.exec(line)?.[1] ?? 'engine';
    found.set(name, `${found.get(name) ?? ''}${line.replace(/,$/, '')}\n`);
  }
  return found;
}
