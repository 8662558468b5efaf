import { readFile } from 'node:fs/promises';
import type { SigningKey } from '../evidence/note/key.ts';
import { verifyText } from './verify-text.ts';

/** The verifiers that the build makes, as seen from the built program and from its sources. */
const PLACES = [new URL('../verify/', import.meta.url), new URL('../dist/verify/', import.meta.url)];
const NAMES = ['verify.mjs', 'verify.html'];

/**
 * Tag files of a bundle: VERIFY.md and, from a built program, the verifier itself. They are for whoever has nothing of ours;
 * they could be swapped together with the evidence, which VERIFY.md says.
 */
export async function tagFiles(caseId: string, key: SigningKey): Promise<Map<string, string | Uint8Array>> {
  const files = new Map<string, string | Uint8Array>();
  for (const place of PLACES) {
    const found = await Promise.all(
      NAMES.map((name) => readFile(new URL(name, place)).catch(() => undefined)),
    );
    if (found.includes(undefined)) continue;
    for (const [index, name] of NAMES.entries()) files.set(`verify/${name}`, found[index] ?? '');
    break;
  }
  files.set('VERIFY.md', verifyText(caseId, key, files.size > 0));
  return files;
}
