import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { type AnchorAct, anchorOrigin, keyRotationText } from '../evidence/anchor-log/entry.ts';
import { formatSigningKey, formatVerifierKey, parseVerifierKey, signingKey } from '../evidence/note/key.ts';
import { NEXT_KEY, PUBLIC_KEY } from '../notary/keys.ts';
import { notaryStateDir } from '../pipeline/notary-state-dir.ts';
import { ConfigError, InputError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import { type ActFlags, enterAct, withActOptions } from './acts.ts';
import { named } from './keys.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';

/** `custody notary`: acts on the key that signs checkpoints; each becomes an entry of the anchor log. */
export function notaryCommand(): Command {
  const notary = new Command('notary').description('the key that signs checkpoints').addHelpText(
    'afterAll',
    `
Examples:
  custody notary key                                              the public half, for a trust policy
  custody notary rotate --operator ops@example --reason "yearly"  a new key takes over
  custody notary compromised "$(cat old.vkey)" --since-size 4711 --operator ops@example --reason "stolen laptop"

What these enter into the anchor log, verifiers see: a rotation that the old key has not signed counts for nothing.`,
  );
  withCommonOptions(notary.command('key'))
    .description('print the public half of the key in force')
    .action((flags: CommonOptions) => {
      const key = publicKeyOf(configOf(flags));
      process.stdout.write(flags.json === true ? `${JSON.stringify({ verifier_key: key })}\n` : `${key}\n`);
    });
  withActOptions(notary.command('rotate'))
    .description('make a new key and let it take over')
    .action(async (flags: ActFlags) => {
      const config = configOf(flags);
      const stateDir = notaryStateDir(config);
      const old = publicKeyOf(config);
      const { name: origin } = parseVerifierKey(old);
      const key = signingKey(origin, 'log', generateKeyPairSync('ed25519').privateKey);
      const path = join(stateDir, NEXT_KEY);
      try {
        writeFileSync(path, `${formatSigningKey(key)}\n`, { flag: 'wx', mode: 0o600, flush: true });
      } catch (cause) {
        const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
        throw new ConfigError(
          errno === 'EEXIST'
            ? `cannot rotate: ${path} is there: it waits to take over, or did and is not yet the configured key`
            : `cannot write ${path}: ${errno}`,
          { cause },
        );
      }
      const taker = formatVerifierKey(key);
      const proof = sign(null, Buffer.from(keyRotationText(origin, old, taker)), key.privateKey);
      const { operator, reason } = flags;
      const act: AnchorAct = {
        type: 'key_rotated',
        old,
        new: taker,
        proof: proof.toString('base64'),
        operator,
        reason,
      };
      await enterAct(config, act, flags, {
        verifier_key: taker,
        ...(config.notary.key === undefined
          ? {}
          : { next: `put ${path} in the place of the key that is configured, then take it away` }),
      });
    });
  withActOptions(notary.command('compromised'))
    .description('say since when a key must not be trusted')
    .argument('<key>', 'its public half')
    .requiredOption(
      '--since-size <size>',
      'size of the anchor log from which on somebody else may have signed',
    )
    .action(async (text: string, flags: ActFlags & { readonly sinceSize: string }) => {
      const config = configOf(flags);
      const key = formatVerifierKey(named('<key>', () => parseVerifierKey(text.trim())));
      if (!/^(?:0|[1-9]\d{0,18})$/.test(flags.sinceSize))
        throw new InputError('input_invalid', 'cannot use --since-size: it is not a number of entries');
      const { operator, reason } = flags;
      const act: AnchorAct = { type: 'key_compromised', key, since_size: flags.sinceSize, operator, reason };
      await enterAct(config, act, flags, {
        next: 'say the same in every trust policy: compromised_since_size',
      });
    });
  return notary;
}

/** The key that signs now, as the notary left it beside its state. */
export function publicKeyOf(config: Config): string {
  const path = join(notaryStateDir(config), PUBLIC_KEY);
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new ConfigError(
      `cannot read ${path}: ${(cause as NodeJS.ErrnoException).code ?? 'unknown reason'} (a notary makes it when it starts; notary.state_dir says where)`,
      { path: 'notary.state_dir', cause },
    );
  }
}

/** The deployment that a notary's key speaks for. */
export function deploymentOf(verifierKey: string): string {
  const { name } = parseVerifierKey(verifierKey);
  const deployment = name.slice(0, name.lastIndexOf('/'));
  if (anchorOrigin(deployment) !== name)
    throw new ConfigError(`cannot use key ${name}: it is not the key of an anchor log`);
  return deployment;
}
