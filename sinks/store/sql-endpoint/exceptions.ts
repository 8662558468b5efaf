/** An exception as ClickHouse reports it: numeric code, symbolic name, text. */
export class SqlException extends Error {
  readonly code: number;
  readonly symbol: string;
  constructor(code: number, symbol: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'SqlException';
    this.code = code;
    this.symbol = symbol;
  }
}

const readonlyRefusal = (message: string) => new SqlException(164, 'READONLY', message);

/** What this endpoint refuses itself, with the codes ClickHouse uses for the same thing. */
export const refusals = {
  readonly: readonlyRefusal,
  denied: (message: string) => new SqlException(497, 'ACCESS_DENIED', message),
  badArguments: (message: string) => new SqlException(36, 'BAD_ARGUMENTS', message),
  syntax: (message: string) => new SqlException(62, 'SYNTAX_ERROR', message),
  notImplemented: (message: string) => new SqlException(48, 'NOT_IMPLEMENTED', message),
  tooLarge: (message: string) => new SqlException(229, 'QUERY_IS_TOO_LARGE', message),
  cannotDecompress: (message: string) => new SqlException(271, 'CANNOT_DECOMPRESS', message),
  resultTooLarge: (message: string) => new SqlException(396, 'TOO_MANY_ROWS_OR_BYTES', message),
  cancelled: () => new SqlException(394, 'QUERY_WAS_CANCELLED', 'Query was cancelled.'),
  tooMany: (message: string) => new SqlException(202, 'TOO_MANY_SIMULTANEOUS_QUERIES', message),
  noPassword: () =>
    new SqlException(194, 'REQUIRED_PASSWORD', 'A password, key or bearer token is required.'),
  wrongPassword: () => new SqlException(516, 'AUTHENTICATION_FAILED', 'Authentication failed.'),
  unexpected: (cause: unknown) =>
    new SqlException(1002, 'UNKNOWN_EXCEPTION', 'Internal error; see the log.', cause),
} as const;

/** HTTP status by exception code, as ClickHouse maps them; anything not listed is 500. */
const statusByCode = new Map<number, number>([
  ...[6, 25, 26, 27, 36, 38, 41, 42, 43, 44, 53, 62, 72, 117, 167, 168, 352, 427, 456, 457].map(
    (code) => [code, 400] as const,
  ),
  [194, 401],
  ...[164, 192, 193, 497, 516].map((code) => [code, 403] as const),
  ...[16, 46, 47, 50, 60, 63, 73, 81, 115].map((code) => [code, 404] as const),
  [159, 408],
  [229, 413],
  [271, 400],
  [48, 501],
  [202, 503],
]);

export function httpStatus(code: number): number {
  return statusByCode.get(code) ?? 500;
}

/** The body ClickHouse answers with. */
export function exceptionText(exception: SqlException, version: string): string {
  return `Code: ${exception.code}. DB::Exception: ${exception.message} (${exception.symbol}) (version ${version})\n`;
}

const HEAD = /^(?:Query failed: )?Code: (\d+)\. (?:DB::)?Exception: /;
const TAIL = / \(([A-Z][A-Z0-9_]*)\)(?: \(version [^)]*\))?\.?\s*$/;

/**
 * Reads the engine's exception text. The engine wraps an exception once more on some paths, and names our own wrapping
 * call when parsing fails; both are taken off. `hidden` is text that must not reach the client (a local path).
 */
export function parseEngineException(error: unknown, hidden = ''): SqlException {
  if (error instanceof SqlException) return error;
  let message = error instanceof Error ? error.message : String(error);
  let code: number | undefined;
  let symbol = 'UNKNOWN_EXCEPTION';
  for (let layer = 0; layer < 3; layer++) {
    const head = HEAD.exec(message);
    if (head === null) break;
    code = Number(head[1]);
    message = message.slice(head[0].length);
    const tail = TAIL.exec(message);
    if (tail === null) break;
    symbol = tail[1] ?? symbol;
    message = message.slice(0, tail.index);
  }
  if (code === undefined) return refusals.unexpected(error);
  const scope = message.indexOf(': In scope SELECT formatQuerySingleLine(');
  if (scope >= 0) message = message.slice(0, scope);
  if (hidden !== '') message = message.replaceAll(hidden, 'result');
  return new SqlException(code, symbol, message, error);
}
