import { readFileSync } from 'node:fs';
import type { BearerToken } from '../runtime/bearer.ts';
import { ConfigError } from '../runtime/errors.ts';
import type { TokenConfig } from '../schemas/config.ts';

export interface SecretReference {
  readonly file?: string | undefined;
  readonly env?: string | undefined;
}

/**
 * The secret a reference points to, without surrounding whitespace.
 * @throws ConfigError naming the configuration path, never the secret.
 */
export function readSecret(reference: SecretReference, path: string, env: NodeJS.ProcessEnv): string {
  const value =
    reference.file !== undefined
      ? fromFile(reference.file, path)
      : reference.env === undefined
        ? undefined
        : env[reference.env];
  const trimmed = value?.trim();
  if (trimmed === undefined || trimmed === '') {
    const where =
      reference.env === undefined
        ? 'name a file or an env variable'
        : `environment variable ${reference.env} is not set`;
    throw new ConfigError(`cannot read secret ${path}: ${where}`, { path });
  }
  return trimmed;
}

export function readTokens(
  tokens: readonly (TokenConfig & { readonly name?: string | undefined })[],
  path: string,
  env: NodeJS.ProcessEnv,
): BearerToken[] {
  return tokens.map((token, index) => ({
    value: readSecret(token, `${path}.${index}`, env),
    tenant: token.tenant,
    name: token.name ?? `${path}.${index}`,
  }));
}

function fromFile(file: string, path: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(`cannot read secret ${path}: file ${file} is not readable`, { path, cause });
  }
}

/** Reads the secrets that a configuration refers to. */
export const secretsOf =
  (env: NodeJS.ProcessEnv) =>
  (reference: SecretReference, path: string): string =>
    readSecret(reference, path, env);
