import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, TransientError } from './errors.ts';

/**
 * The deployment id of a data directory: made at random at first start, then kept in `deployment.json`. It is part of
 * every log id, so a configured id must agree with the kept one.
 * @throws ConfigError if they differ; TransientError (`disk_full`, `unavailable`) if the directory cannot be written.
 */
export function loadDeployment(dataDir: string, configured: string | undefined): string {
  const path = join(dataDir, 'deployment.json');
  const kept = readKept(path);
  if (kept !== undefined) {
    if (configured !== undefined && configured !== kept) {
      throw new ConfigError(
        `cannot start as deployment ${configured}: data directory ${dataDir} belongs to ${kept}`,
        {
          path: 'deployment',
        },
      );
    }
    return kept;
  }
  const deployment = configured ?? `custody-${randomBytes(6).toString('hex')}`;
  makeDataDirectory(dataDir);
  try {
    writeFileSync(path, `${JSON.stringify({ deployment })}\n`, { flag: 'wx', mode: 0o600, flush: true });
  } catch (cause) {
    throw unwritable(dataDir, cause);
  }
  return deployment;
}

/**
 * Makes the data directory for this user alone, if it is missing.
 * @throws TransientError (`disk_full`, `unavailable`)
 */
export function makeDataDirectory(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw unwritable(dataDir, cause);
  }
}

function unwritable(dataDir: string, cause: unknown): TransientError {
  const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
  const code = errno === 'ENOSPC' ? 'disk_full' : 'unavailable';
  return new TransientError(code, `cannot write data directory ${dataDir}: ${errno}`, { cause });
}

function readKept(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const parsed = JSON.parse(text) as { deployment?: unknown };
  if (typeof parsed.deployment !== 'string')
    throw new ConfigError(`cannot use ${path}: it names no deployment`);
  return parsed.deployment;
}
