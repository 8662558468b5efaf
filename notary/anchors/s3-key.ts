const SIZE_MAX = (1n << 63n) - 1n;
const DIGITS = SIZE_MAX.toString().length;
const NAME = /^(\d{19})\.(0|[1-9]\d{0,18})\.note$/;

/** What all keys of a log begin with. Characters that URLs and tools treat in their own ways are escaped. */
export const s3Prefix = (prefix: string, origin: string): string =>
  `${prefix}/${origin.split('/').map(encodeURIComponent).join('/')}/`;

/**
 * Key of a checkpoint: `<prefix>/<origin>/<2^63-1-size, 19 digits>.<size>.note`. S3 lists keys in ascending order only, so
 * the complement comes first: whatever has piled up, the newest checkpoint is the first key of the list.
 */
export function s3Key(prefix: string, origin: string, size: bigint): string {
  return `${s3Prefix(prefix, origin)}${(SIZE_MAX - size).toString().padStart(DIGITS, '0')}.${size}.note`;
}

/** Size of the checkpoint that a key is for; `undefined` for a key that is for none. */
export function sizeOfS3Key(key: string, keyPrefix: string): bigint | undefined {
  const [, complement = '', size = ''] = NAME.exec(key.slice(keyPrefix.length)) ?? [];
  if (!key.startsWith(keyPrefix) || size === '') return undefined;
  return BigInt(complement) + BigInt(size) === SIZE_MAX ? BigInt(size) : undefined;
}
