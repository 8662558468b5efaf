import type { SqlRequest } from './request.ts';

/** The first query of clickhouse-go over HTTP, whatever its spacing. */
const HELLO = 'SELECT displayName(), version(), revision(), timezone()';
/** From this protocol revision on, every column of a Native block says whether its serialization is a custom one. */
const CUSTOM_SERIALIZATION_REVISION = 54_454;

export function isHello(request: SqlRequest): boolean {
  return (
    request.clientProtocolRevision > 0 &&
    request.query.defaultFormat === 'Native' &&
    request.query.text.trim().replaceAll(/\s+/g, ' ') === HELLO
  );
}

/**
 * Answers that query by hand. A client that names a protocol revision reads Native blocks of that revision, which the
 * embedded engine cannot write (it writes revision 0: no block info, no serialization flag). clickhouse-go takes the
 * revision for everything that follows from this answer, so this answer, in the client's revision, says 0.
 */
export function helloBlock(request: SqlRequest, version: string, timezone: string): Buffer {
  const flag = request.clientProtocolRevision >= CUSTOM_SERIALIZATION_REVISION ? [0] : [];
  const column = (name: string, type: string, value: Buffer) =>
    Buffer.concat([text(name), text(type), Buffer.from(flag), value]);
  return Buffer.concat([
    // Block info: field 1 is_overflows = 0, field 2 bucket_num = -1, end; then 4 columns, 1 row.
    Buffer.from([1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 4, 1]),
    column('displayName()', 'String', text(DISPLAY_NAME)),
    column('version()', 'String', text(version)),
    column('revision()', 'UInt32', Buffer.alloc(4)),
    column('timezone()', 'String', text(timezone)),
  ]);
}

/** Told instead of the host name. */
export const DISPLAY_NAME = 'custody';

/** A string with its length in front; all of these are shorter than 128 bytes. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value.slice(0, 127), 'utf8').subarray(0, 127);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
