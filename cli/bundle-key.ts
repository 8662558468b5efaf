import { parseSigningKey, type SigningKey } from '../evidence/note/key.ts';
import { ConfigError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import { named, readSigningKey } from './keys.ts';
import { readSecret } from './secrets.ts';

/** The key that seals bundles and signs acts: `--key`, or `bundle.key` of the configuration. */
export function bundleKeyOf(flag: string | undefined, config: Config): SigningKey {
  const configured = config.bundle.key;
  if (flag === undefined && configured === undefined)
    throw new ConfigError(
      'cannot sign the bundle: there is no key; make one with custody keys new --use log --name <deployment>/bundle, then give --key or set bundle.key',
      { path: '--key' },
    );
  const key =
    flag === undefined
      ? named('bundle.key', () => parseSigningKey(readSecret(configured ?? {}, 'bundle.key', process.env)))
      : readSigningKey(flag, '--key');
  if (key.use !== 'log')
    throw new ConfigError(`cannot sign the bundle: ${key.name} is a key of use ${key.use}, not log`, {
      path: '--key',
    });
  // Who signs checkpoints must not be who exports: two keys, two duties.
  if (key.name.endsWith('/anchor'))
    throw new ConfigError(`cannot sign the bundle: ${key.name} is a notary's key; make another`, {
      path: '--key',
    });
  return key;
}
