import { parseSigningKey, type SigningKey } from '../evidence/note/key.ts';
import { ConfigError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import { named, readSigningKey } from './keys.ts';
import { readSecret } from './secrets.ts';

/**
 * The key that signs our own receipts: of the file, else of `receipts.key`; `undefined` where neither is named.
 * @throws ConfigError for a key that is none, or of another use.
 */
export function receiptKeyOf({ receipts }: Config, file?: string): SigningKey | undefined {
  const path = file === undefined ? 'receipts.key' : '--key';
  const reference = receipts.key;
  const key =
    file === undefined
      ? reference && named(path, () => parseSigningKey(readSecret(reference, path, process.env)))
      : readSigningKey(file, path);
  if (key === undefined || key.use === 'log') return key;
  throw new ConfigError(`cannot sign receipts: ${key.name} is a key of use ${key.use}, not log`, { path });
}
