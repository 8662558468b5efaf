import { readFileSync } from 'node:fs';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { ConfigError } from '../../runtime/errors.ts';
import type { AnchorConfigOf } from '../../schemas/config/anchors.ts';

/** Where a bucket is and who asks; what an anchor and a target of bundles have in common. */
export type S3Access = Pick<
  AnchorConfigOf<'s3'>,
  'region' | 'path_style' | 'url' | 'credentials' | 'ca_file' | 'timeout_ms'
>;

/** Reads a secret of the configuration; `path` is for messages. */
export type ReadSecret = (
  reference: { readonly file?: string | undefined; readonly env?: string | undefined },
  path: string,
) => string;

const CONNECT_MS = 5_000;

/**
 * How the AWS SDK reaches the bucket that stands at `path` in the configuration.
 * @throws ConfigError for a credential that is missing or a file that is not readable.
 */
export function s3ClientConfig(
  { region, path_style, url, credentials, ca_file, timeout_ms }: S3Access,
  path: string,
  secrets: ReadSecret,
  maxAttempts: number,
): S3ClientConfig {
  const secretOf = (key: 'access_key_id' | 'secret_access_key' | 'session_token') => {
    const reference = credentials?.[key];
    if (reference === undefined) throw new ConfigError(`cannot use ${path}.credentials: ${key} is missing`);
    return secrets(reference, `${path}.credentials.${key}`);
  };
  return {
    region,
    forcePathStyle: path_style,
    followRegionRedirects: false,
    maxAttempts,
    requestHandler: {
      connectionTimeout: Math.min(CONNECT_MS, timeout_ms),
      requestTimeout: timeout_ms,
      throwOnRequestTimeout: true,
      ...(ca_file !== undefined && { httpsAgent: { ca: readCa(`${path}.ca_file`, ca_file) } }),
    },
    ...(url !== undefined && { endpoint: url }),
    ...(credentials !== undefined && {
      credentials: {
        accessKeyId: secretOf('access_key_id'),
        secretAccessKey: secretOf('secret_access_key'),
        ...(credentials.session_token !== undefined && { sessionToken: secretOf('session_token') }),
      },
    }),
  };
}

function readCa(path: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new ConfigError(`cannot read ${path}: ${file} is not readable`, { path, cause });
  }
}
