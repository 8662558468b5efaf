import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildVerifiers } from '../../verifier/build.ts';

/** The verifiers as they are shipped, built anew; gives the directory, which the caller removes. */
export async function builtVerifiers(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'custody-verifiers-'));
  await buildVerifiers(directory);
  return directory;
}
