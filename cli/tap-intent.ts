import { readFileSync, statSync } from 'node:fs';
import type { ProvenanceSettings } from '../collectors/normalize/provenance/settings.ts';
import { ConfigError } from '../runtime/errors.ts';

/** More than any task in words; it crosses into the recorder's thread. */
const INTENT_MAX_BYTES = 1024 * 1024;

/**
 * What the agent was asked, from the command line or a file; undefined where nobody tells.
 * @throws ConfigError for a file that cannot be read or is too large.
 */
export function intentOf(options: {
  readonly intent?: string;
  readonly intentFile?: string;
}): string | undefined {
  const { intent, intentFile } = options;
  return intentFile === undefined ? intent : readIntent(intentFile);
}

function readIntent(file: string): string {
  try {
    const { size } = statSync(file);
    if (size > INTENT_MAX_BYTES)
      throw new ConfigError(`cannot use intent ${file}: larger than ${INTENT_MAX_BYTES} bytes`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const errno = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new ConfigError(`cannot read intent ${file}: ${errno}`, { cause: error });
  }
}

/** What of provenance a configuration asks for; loaded only then, since the tapped server waits for it. */
export async function provenanceIn(file: string): Promise<ProvenanceSettings> {
  const { loadConfig } = await import('./load-config.ts');
  const { provenanceSettings } = await import('../collectors/normalize/provenance/settings.ts');
  return provenanceSettings(loadConfig({ file, env: process.env }).ingest.provenance);
}
