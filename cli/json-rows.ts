import type { SqlAccess } from './sql-access.ts';

/** The rows of one statement. */
export async function jsonRows<T>(
  sql: SqlAccess,
  statement: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<T[]> {
  const response = await sql.query(statement, { format: 'JSONEachRow', parameters });
  const text = await response.text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
