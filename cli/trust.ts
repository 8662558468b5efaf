import { readFileSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { formatVerifierKey, parseVerifierKey } from '../evidence/note/key.ts';
import { ConfigError, InputError } from '../runtime/errors.ts';
import { TRUST_SCHEMA, type TrustPolicy, trustPolicySchema } from '../schemas/trust-policy.ts';
import { named } from './keys.ts';
import { deploymentOf, publicKeyOf } from './notary.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { receiptKeyOf } from './receipt-key.ts';

interface ExportFlags extends CommonOptions {
  readonly notary?: readonly string[];
  readonly witness?: readonly string[];
  readonly quorum?: string;
  readonly bundleKey?: readonly string[];
  readonly receiptIssuer?: readonly string[];
  readonly receiptKey?: readonly string[];
  readonly tsa?: readonly string[];
  readonly out?: string;
}

/** `custody trust`: the file a verifier pins keys with. */
export function trustCommand(): Command {
  const trust = new Command('trust').description('what a verifier trusts, as a file').addHelpText(
    'afterAll',
    `
Examples:
  custody trust export --out trust.json
  custody trust export --witness "$(cat w1.vkey)" --quorum 1 --bundle-key "$(cat bundle.vkey)" --out trust.json
  custody trust show trust.json

Hand the file on by another way than the evidence: whoever can change both can forge both.`,
  );
  withCommonOptions(trust.command('export'))
    .description('write a trust policy for this deployment')
    .option('--notary <key...>', 'public keys of the notary (default: the one in force here)')
    .option('--witness <key...>', 'public keys of witnesses (default: those of the configured anchors)')
    .option('--quorum <count>', 'so many witnesses must have cosigned (default: all)')
    .option('--bundle-key <key...>', 'public keys that seal bundles')
    .option(
      '--receipt-issuer <issuer=key...>',
      'public keys that sign receipts of others, such as gateways (default: those of ingest.receipt_issuers)',
    )
    .option('--receipt-key <key...>', 'public keys that sign receipts of our own (default: of receipts.key)')
    .option(
      '--tsa <name=file...>',
      'PEM certificates of timestamp authorities (default: of the configured anchors)',
    )
    .option('-o, --out <file>', 'never overwritten (default: standard output)')
    .action((flags: ExportFlags) => {
      const text = `${JSON.stringify(policyOf(flags), null, 2)}\n`;
      if (flags.out === undefined) {
        process.stdout.write(text);
        return;
      }
      try {
        writeFileSync(flags.out, text, { flag: 'wx', mode: 0o644 });
      } catch (cause) {
        const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
        throw new ConfigError(`cannot write ${flags.out}: ${errno}`, { path: '--out', cause });
      }
    });
  trust
    .command('show')
    .description('print what a trust policy says')
    .argument('<file>', 'made by trust export')
    .option('--json', 'print JSON for machines')
    .action((file: string, { json }: CommonOptions) => {
      const policy = readTrustPolicy(file);
      process.stdout.write(json === true ? `${JSON.stringify(policy)}\n` : describe(policy));
    });
  return trust;
}

/** @throws ConfigError with the path of what is wrong in the file. */
export function readTrustPolicy(file: string): TrustPolicy {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    const why =
      cause instanceof SyntaxError ? 'it is not JSON' : ((cause as NodeJS.ErrnoException).code ?? '');
    throw new ConfigError(`cannot read trust policy ${file}: ${why}`, { path: '--trust', cause });
  }
  const parsed = trustPolicySchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join('.') ?? '';
  throw new ConfigError(
    `cannot use trust policy ${file}: ${path === '' ? 'the file' : path}: ${issue?.message ?? ''}`,
    {
      path: '--trust',
    },
  );
}

function policyOf(flags: ExportFlags): TrustPolicy {
  const config = configOf(flags);
  const notaryKeys = (flags.notary ?? [publicKeyOf(config)]).map((text) => checkedKey('--notary', text));
  const witnesses = (
    flags.witness ??
    config.notary.anchors.flatMap((anchor) => (anchor.type === 'witness' ? [anchor.verifier_key] : []))
  ).map((text) => checkedKey('--witness', text));
  const authorities = authoritiesOf(flags, config.notary.anchors);
  const issuers = issuersOf(flags, config);
  const bundleKeys = (flags.bundleKey ?? []).map((text) => checkedKey('--bundle-key', text));
  const quorum = flags.quorum === undefined ? witnesses.length : Number(flags.quorum);
  const policy = trustPolicySchema.safeParse({
    schema: TRUST_SCHEMA,
    deployment: deploymentOf(notaryKeys[0] ?? ''),
    notary: notaryKeys.map((verifier_key) => ({ verifier_key })),
    ...(witnesses.length === 0 ? {} : { witnesses: { quorum, keys: witnesses } }),
    ...(authorities.length === 0 ? {} : { timestamp_authorities: authorities }),
    ...(bundleKeys.length === 0 ? {} : { bundle_keys: bundleKeys }),
    ...(issuers.length === 0 ? {} : { receipt_issuers: issuers }),
  });
  if (policy.success) return policy.data;
  const [issue] = policy.error.issues;
  throw new InputError(
    'input_invalid',
    `cannot make a trust policy: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
  );
}

/** Gateways attest what they decided; we only observed it. */
function issuersOf(
  { receiptIssuer, receiptKey }: ExportFlags,
  config: ReturnType<typeof configOf>,
): NonNullable<TrustPolicy['receipt_issuers']> {
  const gateways =
    receiptIssuer?.map((text) => split('--receipt-issuer', text)) ??
    config.ingest.receipt_issuers.map(({ issuer, verifier_key }): [string, string] => [issuer, verifier_key]);
  const own = receiptKey === undefined ? receiptKeyOf(config) : undefined;
  const ours = receiptKey ?? (own === undefined ? [] : [formatVerifierKey(own)]);
  return [
    ...gateways.map(([issuer, text]) => ({
      issuer,
      verifier_key: checkedKey('--receipt-issuer', text),
      assurance: 'attested' as const,
    })),
    ...ours.map((text) => {
      const verifier_key = checkedKey('--receipt-key', text);
      return { issuer: parseVerifierKey(verifier_key).name, verifier_key, assurance: 'observed' as const };
    }),
  ];
}

function authoritiesOf(
  { tsa }: ExportFlags,
  anchors: ReturnType<typeof configOf>['notary']['anchors'],
): { name: string; certificates_pem: string }[] {
  const files =
    tsa?.map((text) => split('--tsa', text)) ??
    anchors.flatMap((anchor): [string, string][] =>
      anchor.type === 'rfc3161' && anchor.certificates_file !== undefined
        ? [[anchor.id, anchor.certificates_file]]
        : [],
    );
  return files.map(([name, file]) => {
    try {
      return { name, certificates_pem: readFileSync(file, 'utf8') };
    } catch (cause) {
      const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
      throw new ConfigError(`cannot read ${file}: ${errno}`, { path: '--tsa', cause });
    }
  });
}

/** `name=value`; names may hold slashes, values may hold equals signs. */
function split(option: string, text: string): [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new InputError('input_invalid', `cannot use ${option}: expected name=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

const checkedKey = (option: string, text: string): string =>
  formatVerifierKey(named(option, () => parseVerifierKey(text.trim())));

function describe(policy: TrustPolicy): string {
  const lines = [`deployment ${policy.deployment}`];
  for (const { verifier_key, from_size, until_size, compromised_since_size } of policy.notary) {
    const from = from_size === undefined ? '' : ` from size ${from_size}`;
    const until = until_size === undefined ? '' : ` below size ${until_size}`;
    const stolen =
      compromised_since_size === undefined ? '' : `, compromised since size ${compromised_since_size}`;
    lines.push(`notary ${verifier_key}${from}${until}${stolen}`);
  }
  for (const key of policy.witnesses?.keys ?? []) lines.push(`witness ${key}`);
  if (policy.witnesses !== undefined)
    lines.push(`witness quorum ${policy.witnesses.quorum} of ${policy.witnesses.keys.length}`);
  for (const { name } of policy.timestamp_authorities ?? []) lines.push(`timestamp authority ${name}`);
  for (const key of policy.bundle_keys ?? []) lines.push(`bundle key ${key}`);
  for (const { issuer, verifier_key, assurance } of policy.receipt_issuers ?? [])
    lines.push(`receipt issuer ${issuer} ${verifier_key} (${assurance})`);
  return `${lines.join('\n')}\n`;
}
