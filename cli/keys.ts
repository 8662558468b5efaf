import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import {
  formatSigningKey,
  formatVerifierKey,
  type KeyUse,
  parseSigningKey,
  type SigningKey,
  signingKey,
  type VerifierKey,
} from '../evidence/note/key.ts';
import { ConfigError } from '../runtime/errors.ts';

/** `custody keys`: keys that sign checkpoints, in the text form of C2SP tools. */
export function keysCommand(): Command {
  const keys = new Command('keys').description('keys that sign checkpoints').addHelpText(
    'afterAll',
    `
Examples:
  custody keys new --name audit.example/log --use log --out log.key
  custody keys new --name witness.example/w1 --use witness --out witness.key
  custody keys show witness.key                the public half, for those who verify

A name is best a URL without scheme that is yours. The file is the secret: it stays where it signs.`,
  );
  keys
    .command('new')
    .description('make a key; prints the public half')
    .requiredOption('-n, --name <name>', 'who signs; for a log, its origin')
    .addOption(
      new Option('-u, --use <use>', 'what it signs').choices(['log', 'witness']).makeOptionMandatory(),
    )
    .requiredOption('-o, --out <file>', 'where the secret goes; never overwritten')
    .option('--json', 'print JSON for machines')
    .action(({ name, use, out, json }: { name: string; use: KeyUse; out: string; json?: boolean }) => {
      const { privateKey } = generateKeyPairSync('ed25519');
      const key = named(name, () => signingKey(name, use, privateKey));
      try {
        writeFileSync(out, `${formatSigningKey(key)}\n`, { flag: 'wx', mode: 0o600, flush: true });
      } catch (cause) {
        throw new ConfigError(`cannot write key ${out}: ${errnoOf(cause)}`, { path: '--out', cause });
      }
      process.stdout.write(publicHalf(key, json));
    });
  keys
    .command('show')
    .description('print the public half of a key')
    .argument('<file>', 'made by keys new')
    .option('--json', 'print JSON for machines')
    .action((file: string, { json }: { json?: boolean }) => {
      process.stdout.write(publicHalf(readSigningKey(file, '<file>'), json));
    });
  return keys;
}

function publicHalf(key: VerifierKey, json = false): string {
  const { name, keyId, use } = key;
  const verifier_key = formatVerifierKey(key);
  return `${json ? JSON.stringify({ name, use, key_id: keyId, verifier_key }) : verifier_key}\n`;
}

/** @throws ConfigError that names the option and never the key. */
export function readSigningKey(file: string, option: string): SigningKey {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new ConfigError(`cannot read key ${file}: ${errnoOf(cause)}`, { path: option, cause });
  }
  return named(file, () => parseSigningKey(text));
}

/** Turns what the key formats say into an error of configuration. */
export function named<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new ConfigError(`cannot use ${what}: ${cause.message}`, { cause });
  }
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
}
