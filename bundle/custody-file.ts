import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { openPromise } from 'yauzl';
import { FILE } from '../evidence/bundle/format.ts';
import {
  checkCustodyChain,
  type CustodyAct,
  type CustodyFinding,
  type CustodyHead,
  type CustodyStatement,
  signAct,
} from '../evidence/custody-chain.ts';
import type { SigningKey, VerifierKey } from '../evidence/note/key.ts';
import {
  ConfigError,
  InputError,
  IntegrityError,
  PermanentError,
  TransientError,
} from '../runtime/errors.ts';
import { syncDirectory } from '../runtime/sync-directory.ts';

/** The file beside a bundle with the acts after its sealing. */
export const custodyFileOf = (bundleFile: string): string => `${bundleFile}.custody.jsonl`;

/** A bundle file and everything that was done with it, as far as this place knows. */
export interface BundleCustody {
  /** SHA-256 of the zip. */
  readonly digest: string;
  readonly caseId: string;
  /** Acts up to sealing, then those of the side file. */
  readonly acts: readonly CustodyAct[];
  readonly findings: readonly (CustodyFinding & { readonly file: string })[];
  readonly head: CustodyHead;
  /** Text of the side file; empty before the first act. */
  readonly text: string;
}

const CHAIN_MAX_BYTES = 64 * 1024 * 1024;

/**
 * Reads both halves of a chain of custody and checks that they are one. Signatures are held against `keys`; those of others
 * are findings of cause CUSTODY_KEY, which say nothing against the chain.
 */
export async function readCustody(bundleFile: string, keys: readonly VerifierKey[]): Promise<BundleCustody> {
  const digest = await digestOf(bundleFile);
  const inside = checkCustodyChain(await chainInside(bundleFile), { keys });
  const sideFile = custodyFileOf(bundleFile);
  const text = await readFile(sideFile, 'utf8').catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw unreadable(sideFile, cause);
  });
  const beside = checkCustodyChain(text, { keys, after: inside.head, bundleDigest: digest });
  return {
    digest,
    text,
    caseId: inside.acts[0]?.case ?? 'unknown',
    acts: [...inside.acts, ...beside.acts],
    head: beside.head,
    findings: [
      ...inside.findings.map((finding) => ({ ...finding, file: FILE.custody })),
      ...beside.findings.map((finding) => ({ ...finding, file: basename(sideFile) })),
    ],
  };
}

/** What is stated of an act; the chain knows the rest. */
export type ActStatement = Omit<CustodyStatement, 'case' | 'bundle_digest'>;

/**
 * Adds an act to the file beside the bundle; it is on disk when this resolves.
 * @throws IntegrityError when the chain is broken already: what comes after would look as if it were whole.
 */
export async function appendAct(
  bundleFile: string,
  statement: ActStatement,
  key: SigningKey,
): Promise<CustodyAct> {
  const custody = await readCustody(bundleFile, [key]);
  const broken = custody.findings.find(({ cause }) => cause !== 'CUSTODY_KEY');
  if (broken !== undefined)
    throw new IntegrityError(
      `cannot add an act to ${bundleFile}: ${broken.cause} in ${broken.file} line ${broken.line}: ${broken.detail}`,
    );
  const full = { ...statement, case: custody.caseId, bundle_digest: custody.digest };
  const { act, line } = actOrError(() => signAct(full, custody.head, key));
  await replaceAlone(custodyFileOf(bundleFile), `${custody.text}${line}\n`);
  return act;
}

/** Turns what the chain says of a statement into an error of input. */
export function actOrError<T>(sign: () => T): T {
  try {
    return sign();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new InputError('input_invalid', `cannot write an act of custody: ${cause.message}`, { cause });
  }
}

/** Puts new content in place of a file; of two at once one is refused, since each would leave out the other's act. */
async function replaceAlone(file: string, content: string): Promise<void> {
  const next = `${file}.new`;
  const handle = await open(next, 'wx', 0o600).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST')
      throw new PermanentError(
        'locked',
        `cannot write ${file}: another process writes it; if none does, remove ${next}`,
        { cause },
      );
    throw unwritable(file, cause);
  });
  try {
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(next, file);
    await syncDirectory(dirname(file));
  } catch (cause) {
    await rm(next, { force: true });
    throw unwritable(file, cause);
  }
}

/** SHA-256 of a file, streamed. */
export async function digestOf(file: string): Promise<string> {
  const sha256 = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file)) sha256.update(chunk as Buffer);
  } catch (cause) {
    throw unreadable(file, cause);
  }
  return sha256.digest('hex');
}

/** Reads attacker-controlled bytes: the acts in a zip, bounded. */
async function chainInside(bundleFile: string): Promise<string> {
  try {
    const zip = await openPromise(bundleFile);
    try {
      for await (const entry of zip.eachEntry()) {
        if (entry.fileName !== FILE.custody) continue;
        const chunks: Buffer[] = [];
        let bytes = 0;
        for await (const chunk of await zip.openReadStreamPromise(entry)) {
          bytes += (chunk as Buffer).length;
          if (bytes > CHAIN_MAX_BYTES) throw new RangeError('its chain of custody is too large');
          chunks.push(chunk as Buffer);
        }
        return Buffer.concat(chunks).toString('utf8');
      }
    } finally {
      zip.close();
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, 200) : 'unknown reason';
    throw new InputError('input_invalid', `cannot read bundle ${bundleFile}: ${reason}`, { cause });
  }
  throw new InputError('input_invalid', `cannot read bundle ${bundleFile}: it has no ${FILE.custody}`);
}

function unreadable(file: string, cause: unknown): ConfigError {
  const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
  return new ConfigError(`cannot read ${file}: ${errno}`, { path: '<file>', cause });
}

function unwritable(file: string, cause: unknown): TransientError {
  const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
  return new TransientError(
    errno === 'ENOSPC' ? 'disk_full' : 'unavailable',
    `cannot write ${file}: ${errno}`,
    {
      cause,
    },
  );
}
