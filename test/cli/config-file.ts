import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../cli/load-config.ts';
import { ConfigError } from '../../runtime/errors.ts';
import type { Config } from '../../schemas/config.ts';

type Variables = Readonly<Record<string, string>>;

/** The configuration of a file with this text. */
export function configFrom(yaml: string, env: Variables = {}): Config {
  const folder = mkdtempSync(join(tmpdir(), 'custody-config-'));
  try {
    const file = join(folder, 'custody.yaml');
    writeFileSync(file, yaml);
    return loadConfig({ file, env });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Why a file with this text is refused. */
export function configError(yaml: string, env: Variables = {}): ConfigError {
  try {
    configFrom(yaml, env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}
