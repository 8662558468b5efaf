import { createHash } from 'node:crypto';
import type { ZodType } from 'zod';
import { type BundleFiles, BundleReadError, splitLines } from './files.ts';
import { BAGIT_TEXT, FILE, FILE_NAME, LIMITS } from './format.ts';
import { type BundleFindings, printable } from './verdict.ts';

/**
 * A bundle whose files are held against its manifests while they are read: each is read once, and what is read and what
 * is hashed are the same bytes.
 */
export interface Bag {
  has(name: string): boolean;
  /** Names under a folder, which ends with a slash. */
  under(folder: string): readonly string[];
  /** A whole file; `undefined` after a finding when it is missing or larger than that. */
  bytes(name: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /** A JSON file of that form; `undefined` after a finding. */
  json<T>(name: string, schema: ZodType<T>): Promise<T | undefined>;
  /** Lines of a file without their ends. */
  lines(name: string): AsyncGenerator<Uint8Array>;
  /** SHA-256 of a manifest, lower-case hex. */
  manifestHash(name: typeof FILE.manifest | typeof FILE.tagManifest): string | undefined;
  /** Reads and holds against the manifests what nobody has read. */
  readRest(): Promise<void>;
}

const SEALS: ReadonlySet<string> = new Set([FILE.seal, FILE.sealTimestamp]);
const REQUIRED = Object.values(FILE).filter(
  (name) => name !== FILE.sealTimestamp && name !== FILE.trustPolicy,
);
const MANIFEST_LINE = /^([0-9a-f]{64}) {2}(\S+)$/;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Checks names and both manifests: every file is listed, and every one that is listed is there. */
export async function openBag(
  files: BundleFiles,
  findings: BundleFindings,
  onBytes: (count: number) => void,
): Promise<Bag> {
  const present = new Set<string>();
  const manifestHashes = new Map<string, string>();
  const expected = new Map<string, string>();
  const seen = new Set<string>();
  checkNames();
  await readManifest(FILE.manifest, (name) => name.startsWith('data/'));
  await readManifest(
    FILE.tagManifest,
    (name) => !name.startsWith('data/') && name !== FILE.tagManifest && !SEALS.has(name),
  );
  checkListed();

  function checkNames(): void {
    const folded = new Set<string>();
    if (files.files.length > LIMITS.files)
      throw new BundleReadError('TOO_LARGE', `more than ${LIMITS.files} files`);
    for (const { name } of files.files) {
      if (!FILE_NAME.test(name))
        throw new BundleReadError('LAYOUT', 'a file has a name that no bundle has', printable(name));
      // Where case is not kept apart, one of the two would take the other's place.
      if (folded.has(name.toLowerCase()))
        throw new BundleReadError('LAYOUT', 'two files have one name', name);
      folded.add(name.toLowerCase());
      present.add(name);
    }
    for (const name of REQUIRED)
      if (!present.has(name)) findings.add('MISSING_FILE', { file: name }, 'a bundle has this file');
  }

  async function readManifest(manifest: string, mayList: (name: string) => boolean): Promise<void> {
    if (!present.has(manifest)) return;
    const bytes = await whole(manifest, LIMITS.jsonBytes);
    if (bytes === undefined) return;
    const text = decode(bytes);
    if (text === undefined || (text !== '' && !text.endsWith('\n'))) {
      findings.add('MANIFEST', { file: manifest }, 'it is not lines of UTF-8');
      return;
    }
    for (const line of text.split('\n').slice(0, -1)) {
      const [, sha256 = '', name = ''] = MANIFEST_LINE.exec(line) ?? [];
      if (!mayList(name) || expected.has(name))
        findings.add(
          'MANIFEST',
          { file: manifest },
          'a line is not a hash and a name that belongs here, or comes twice',
        );
      else expected.set(name, sha256);
    }
  }

  function checkListed(): void {
    for (const name of expected.keys())
      if (!present.has(name))
        findings.add('MISSING_FILE', { file: printable(name) }, 'the manifest lists it');
    for (const name of present)
      if (!expected.has(name) && name !== FILE.tagManifest && !SEALS.has(name))
        findings.add('EXTRA_FILE', { file: name }, 'no manifest lists it');
    const manifestHash = manifestHashes.get(FILE.manifest);
    if (expected.has(FILE.manifest) && manifestHash !== expected.get(FILE.manifest))
      findings.add('MANIFEST', { file: FILE.manifest }, 'it is not the file that the tag manifest lists');
  }

  /** The bytes as they come, hashed; after the last the hash is compared. */
  async function* hashed(name: string): AsyncGenerator<Uint8Array> {
    const sha256 = createHash('sha256');
    seen.add(name);
    for await (const chunk of files.read(name)) {
      sha256.update(chunk);
      onBytes(chunk.length);
      yield chunk;
    }
    const found = sha256.digest('hex');
    manifestHashes.set(name, found);
    const listed = expected.get(name);
    if (listed !== undefined && listed !== found)
      findings.add('MANIFEST', { file: name }, 'its content is not what the manifest lists');
  }

  async function whole(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    if (!present.has(name)) return undefined;
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of hashed(name)) {
      length += chunk.length;
      if (length > maxBytes) {
        findings.add('TOO_LARGE', { file: name }, `it is larger than ${maxBytes} bytes`);
        return undefined;
      }
      parts.push(chunk.slice());
    }
    return Buffer.concat(parts);
  }

  return {
    has: (name) => present.has(name),
    under: (folder) => [...present].filter((name) => name.startsWith(folder)),
    bytes: whole,
    async json(name, schema) {
      const bytes = await whole(name, LIMITS.jsonBytes);
      if (bytes === undefined) return undefined;
      const parsed = schema.safeParse(parseJson(bytes));
      if (parsed.success) return parsed.data;
      findings.add('LAYOUT', { file: name }, `it has another form${placeOf(parsed.error.issues[0]?.path)}`);
      return undefined;
    },
    async *lines(name) {
      for await (const { line, ended } of splitLines(hashed(name), name, LIMITS.lineBytes)) {
        if (!ended) findings.add('LAYOUT', { file: name }, 'its last line does not end');
        yield line;
      }
    },
    manifestHash: (name) => manifestHashes.get(name),
    async readRest() {
      if (!seen.has(FILE.bagit)) {
        const bagit = await whole(FILE.bagit, LIMITS.noteBytes);
        if (bagit !== undefined && decode(bagit) !== BAGIT_TEXT)
          findings.add('LAYOUT', { file: FILE.bagit }, 'it is not that of BagIt 1.0 in UTF-8');
      }
      for (const name of present) {
        if (seen.has(name)) continue;
        // eslint-disable-next-line @typescript-eslint/no-unused-vars -- reading is what hashes
        for await (const _chunk of hashed(name));
      }
    },
  };
}

function placeOf(path: readonly PropertyKey[] | undefined): string {
  return path === undefined || path.length === 0 ? '' : ` at ${printable(path.map(String).join('.'))}`;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(strictUtf8.decode(bytes));
  } catch {
    return undefined;
  }
}
