import { BundleReadError } from './files.ts';
import { LIMITS } from './format.ts';

/** Bytes that can be read anywhere: a file, a Blob. */
export interface RandomAccess {
  readonly bytes: number;
  /** Exactly that many, within the bounds. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** One file in a zip, as central directory, local header and data descriptor agree on it. */
export interface ZipEntry {
  readonly name: string;
  readonly method: 'stored' | 'deflated';
  readonly crc32: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  readonly dataOffset: number;
}

interface CentralEntry extends Omit<ZipEntry, 'dataOffset'> {
  readonly flags: number;
  readonly time: number;
  readonly nameBytes: Uint8Array;
  readonly localOffset: number;
  readonly isZip64: boolean;
}

const SIGNATURE = {
  local: 0x04034b50,
  central: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
  descriptor: 0x08074b50,
};
const END_BYTES = 22;
const LOCATOR64_BYTES = 20;
const END64_BYTES = 56;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const DIRECTORY_BYTES_MAX = 64 * 1024 * 1024;
const U16 = 0xffff;
const U32 = 0xffffffff;
const FLAG = { descriptor: 1 << 3, utf8: 1 << 11 };
const METHODS: Readonly<Record<number, ZipEntry['method']>> = { 0: 'stored', 8: 'deflated' };
const MADE_BY_UNIX = 3;
const FILE_TYPE = 0o170000;
const REGULAR_FILE = 0o100000;
const ZIP64_EXTRA = 1;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The files of a zip, in the order they lie in. Reads only what a bundle's writer makes: one segment, no encryption, no links,
 * no comments, nothing before, between or after the files and the directory, and no two opinions about any of them.
 * Throws a BundleReadError for anything else. Reads attacker-controlled bytes.
 */
export async function readZipDirectory(source: RandomAccess): Promise<ZipEntry[]> {
  const { count, offset, end } = await findDirectory(source);
  if (count > LIMITS.files)
    throw new BundleReadError('TOO_LARGE', `the zip has more than ${LIMITS.files} files`);
  if (end - offset > DIRECTORY_BYTES_MAX)
    throw new BundleReadError('TOO_LARGE', 'the directory of the zip is too large');
  const central = parseDirectory(await read(source, offset, end - offset), count);
  central.sort((a, b) => a.localOffset - b.localOffset);
  const entries: ZipEntry[] = [];
  let next = 0;
  for (const [index, entry] of central.entries()) {
    if (entry.localOffset !== next) refuse('its files overlap or something lies between them', entry.name);
    next = central[index + 1]?.localOffset ?? offset;
    entries.push(await locate(source, entry, next));
  }
  if (central.length === 0 && offset !== 0) refuse('something lies before its directory');
  return entries;
}

async function findDirectory(source: RandomAccess): Promise<{ count: number; offset: number; end: number }> {
  if (source.bytes < END_BYTES) refuse('it is no zip');
  const at = source.bytes - END_BYTES;
  const end = viewOf(await read(source, at, END_BYTES));
  if (end.getUint32(0, true) !== SIGNATURE.end) refuse('it is no zip, or something follows its end');
  const disks = end.getUint32(4, true);
  const count = end.getUint16(10, true);
  const bytes = end.getUint32(12, true);
  const offset = end.getUint32(16, true);
  if (disks !== 0 || end.getUint16(8, true) !== count || end.getUint16(20, true) !== 0)
    refuse('it has several parts or a comment');
  if (count !== U16 && bytes !== U32 && offset !== U32) {
    if (offset + bytes !== at) refuse('its directory is not where it says');
    return { count, offset, end: at };
  }
  return findDirectory64(source, at, { count, bytes, offset });
}

async function findDirectory64(
  source: RandomAccess,
  endAt: number,
  short: { count: number; bytes: number; offset: number },
) {
  const at = endAt - LOCATOR64_BYTES - END64_BYTES;
  if (at < 0) refuse('its directory is not where it says');
  const record = viewOf(await read(source, at, END64_BYTES + LOCATOR64_BYTES));
  const locator = END64_BYTES;
  const isWhole =
    record.getUint32(0, true) === SIGNATURE.end64 &&
    uint64(record, 4) === END64_BYTES - 12 &&
    record.getUint32(16, true) === 0 &&
    record.getUint32(20, true) === 0 &&
    uint64(record, 24) === uint64(record, 32) &&
    record.getUint32(locator, true) === SIGNATURE.locator64 &&
    record.getUint32(locator + 4, true) === 0 &&
    uint64(record, locator + 8) === at &&
    record.getUint32(locator + 16, true) === 1;
  const long = { count: uint64(record, 32), bytes: uint64(record, 40), offset: uint64(record, 48) };
  const agrees = (a: number, b: number, unknown: number) => a === unknown || a === b;
  if (
    !isWhole ||
    long.offset + long.bytes !== at ||
    !agrees(short.count, long.count, U16) ||
    !agrees(short.bytes, long.bytes, U32) ||
    !agrees(short.offset, long.offset, U32)
  )
    refuse('its directory is not where it says');
  return { count: long.count, offset: long.offset, end: at };
}

function parseDirectory(bytes: Uint8Array, count: number): CentralEntry[] {
  const view = viewOf(bytes);
  const entries: CentralEntry[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + CENTRAL_BYTES > bytes.length || view.getUint32(at, true) !== SIGNATURE.central)
      refuse('its directory is damaged');
    const nameBytes = view.getUint16(at + 28, true);
    const extraBytes = view.getUint16(at + 30, true);
    const size = CENTRAL_BYTES + nameBytes + extraBytes + view.getUint16(at + 32, true);
    if (at + size > bytes.length) refuse('its directory is damaged');
    entries.push(parseCentral(bytes.subarray(at, at + size), nameBytes, extraBytes));
    at += size;
  }
  if (at !== bytes.length) refuse('its directory has more than its files');
  return entries;
}

function parseCentral(bytes: Uint8Array, nameLength: number, extraLength: number): CentralEntry {
  const view = viewOf(bytes);
  const nameBytes = bytes.subarray(CENTRAL_BYTES, CENTRAL_BYTES + nameLength);
  const name = nameOf(nameBytes);
  const flags = view.getUint16(8, true);
  const method = METHODS[view.getUint16(10, true)];
  const mode = view.getUint32(38, true) >>> 16;
  const isUnix = view.getUint8(5) === MADE_BY_UNIX;
  if (method === undefined || (flags & ~(FLAG.descriptor | FLAG.utf8)) !== 0)
    refuse('it is encrypted or packed in a way no bundle is', name);
  if (view.getUint16(32, true) !== 0 || view.getUint16(34, true) !== 0)
    refuse('it has a comment or lies in another part', name);
  if (isUnix && mode !== 0 && (mode & FILE_TYPE) !== REGULAR_FILE) refuse('it is no plain file', name);
  const extra = bytes.subarray(CENTRAL_BYTES + nameLength, CENTRAL_BYTES + nameLength + extraLength);
  const sizes = {
    bytes: view.getUint32(24, true),
    compressedBytes: view.getUint32(20, true),
    localOffset: view.getUint32(42, true),
  };
  const long = extraLength === 0 ? undefined : parseZip64(extra, sizes, name);
  if (long === undefined && Object.values(sizes).includes(U32)) refuse('its size is not told', name);
  return {
    ...(long ?? sizes),
    name,
    nameBytes,
    method,
    flags,
    time: view.getUint32(12, true),
    crc32: view.getUint32(16, true),
    isZip64: long !== undefined,
  };
}

type Sizes = Pick<CentralEntry, 'bytes' | 'compressedBytes' | 'localOffset'>;

/** The only extra field a bundle may have: sizes that do not fit, in this order, each only where it does not. */
function parseZip64(extra: Uint8Array, short: Sizes, name: string): Sizes {
  const view = viewOf(extra);
  if (
    extra.length < 4 ||
    view.getUint16(0, true) !== ZIP64_EXTRA ||
    view.getUint16(2, true) !== extra.length - 4
  )
    refuse('it has extra fields', name);
  let at = 4;
  const take = (value: number): number => {
    if (value !== U32) return value;
    if (at + 8 > extra.length) refuse('its size is not told', name);
    at += 8;
    return uint64(view, at - 8);
  };
  const bytes = take(short.bytes);
  const compressedBytes = take(short.compressedBytes);
  const localOffset = take(short.localOffset);
  if (at !== extra.length) refuse('it has extra fields', name);
  return { bytes, compressedBytes, localOffset };
}

/** Holds the local header and the descriptor against the directory; `next` is where the file must end. */
async function locate(source: RandomAccess, entry: CentralEntry, next: number): Promise<ZipEntry> {
  const { name, nameBytes, localOffset, flags, crc32, compressedBytes, bytes, method } = entry;
  const dataOffset = localOffset + LOCAL_BYTES + nameBytes.length;
  const descriptorBytes = (flags & FLAG.descriptor) === 0 ? 0 : entry.isZip64 ? 24 : 16;
  // yazl writes the short descriptor where only the offset is long; both are told apart by where the file ends.
  const isShort = descriptorBytes === 24 && dataOffset + compressedBytes + 16 === next;
  const tail = isShort ? 16 : descriptorBytes;
  if (dataOffset + compressedBytes + tail !== next)
    refuse('its files overlap or something lies between them', name);
  if (method === 'stored' && compressedBytes !== bytes) refuse('its size is told in two ways', name);
  const header = await read(source, localOffset, LOCAL_BYTES + nameBytes.length);
  const view = viewOf(header);
  const told = [view.getUint32(14, true), view.getUint32(18, true), view.getUint32(22, true)];
  const expected = tail === 0 ? [crc32, compressedBytes, bytes] : [0, 0, 0];
  const agrees =
    view.getUint32(0, true) === SIGNATURE.local &&
    view.getUint16(6, true) === flags &&
    METHODS[view.getUint16(8, true)] === method &&
    view.getUint32(10, true) === entry.time &&
    view.getUint16(26, true) === nameBytes.length &&
    view.getUint16(28, true) === 0 &&
    Buffer.compare(header.subarray(LOCAL_BYTES), nameBytes) === 0 &&
    told.every((value, index) => value === expected[index]);
  if (!agrees) refuse('its local header says something else than the directory', name);
  if (tail > 0) {
    const descriptor = viewOf(await read(source, next - tail, tail));
    const sizes =
      tail === 16
        ? [descriptor.getUint32(8, true), descriptor.getUint32(12, true)]
        : [uint64(descriptor, 8), uint64(descriptor, 16)];
    if (
      descriptor.getUint32(0, true) !== SIGNATURE.descriptor ||
      descriptor.getUint32(4, true) !== crc32 ||
      sizes[0] !== compressedBytes ||
      sizes[1] !== bytes
    )
      refuse('its descriptor says something else than the directory', name);
  }
  return { name, method, crc32, compressedBytes, bytes, dataOffset };
}

async function read(source: RandomAccess, offset: number, length: number): Promise<Uint8Array> {
  if (offset < 0 || offset + length > source.bytes) refuse('it points outside of itself');
  return source.read(offset, length);
}

function nameOf(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return refuse('a name is not UTF-8');
  }
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** No file is larger than what a number holds exactly. */
function uint64(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) refuse('a size is beyond any file');
  return Number(value);
}

function refuse(reason: string, file: string | null = null): never {
  throw new BundleReadError('LAYOUT', `as a zip: ${reason}`, file);
}
