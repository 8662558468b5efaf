import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { readRunFile } from '../pipeline/run-file.ts';
import { InputError } from '../runtime/errors.ts';
import { loadDeployment } from '../runtime/deployment.ts';
import type { Config } from '../schemas/config.ts';
import { TENANT_PATTERN } from '../schemas/event.ts';
import { exitCodes } from './exit-codes.ts';
import { configOf, withCommonOptions, type CommonOptions, type SetExitCode } from './options.ts';
import { readTokens, secretsOf } from './secrets.ts';
import { openSqlAccess, type SqlAccess } from './sql-access.ts';
import type { CheckedKey } from './subject-check.ts';
import type { EraseFlags } from './subject-erase.ts';
import type { Revealed } from './subject-reveal.ts';

interface RevealFlags extends CommonOptions {
  readonly operator: string;
  readonly reason: string;
  readonly field?: string;
}

const EXAMPLES = `
Examples:
  custody subject pseudonym acme ann@example.com     under which name somebody is in the ledger
  custody subject list --tenant acme --json          who has a key, and who was erased
  custody subject reveal custody-1a2b/acme/…-0/0 42 --operator olga --reason "case 7"
  custody subject erase acme ann@example.com --dry-run --operator olga --reason "request 4711"
  custody subject erase acme ann@example.com --operator olga --reason "request 4711"
  custody subject check acme subj-…                  is nothing of somebody readable any more

<who> is a pseudonym (subj-…), an identity as the sender spelled it, or "-" to read one from stdin. Needs the key store
(subjects.directory) of the collector that sealed the records.`;

/** `custody subject`: the keys that personal fields are encrypted with, and their destruction. */
export function subjectCommand(setExitCode: SetExitCode): Command {
  const subject = new Command('subject')
    .description('encrypted personal data: list, reveal, erase, check')
    .addHelpText('afterAll', EXAMPLES);
  withCommonOptions(subject.command('pseudonym'))
    .description('the name somebody has in the ledger')
    .argument('<tenant>')
    .argument('<who>')
    .action(async (tenant: string, who: string, flags: CommonOptions) => {
      const named = await nameOf(configOf(flags), tenant, who);
      print(flags, { tenant: named.tenant, subject: named.subject }, `${named.subject}\n`);
    });
  withCommonOptions(subject.command('list'))
    .description('every key and every erasure of this key store')
    .option('-t, --tenant <id>', 'only of this tenant')
    .action(async (flags: CommonOptions & { readonly tenant?: string }) => {
      const store = await openKeys(configOf(flags));
      await listSubjects(store, flags);
    });
  withCommonOptions(subject.command('reveal'))
    .description('decrypt the sealed fields of one entry, with the proof of each; is itself recorded')
    .argument('<log>', 'id of the log')
    .argument('<seq>', 'position of the entry')
    .requiredOption('--operator <who>', 'who reads it; goes on record')
    .requiredOption('--reason <text>', 'why; goes on record')
    .option('--field <path>', 'only this field, such as actor.user_id')
    .action((log: string, seq: string, flags: RevealFlags) => reveal(log, seq, flags, setExitCode));
  withCommonOptions(subject.command('erase'))
    .description('destroy the key of a subject: what was sealed with it can never be read again')
    .argument('<tenant>')
    .argument('<who>')
    .requiredOption('--operator <who>', 'who decides this; goes into the anchor log')
    .requiredOption('--reason <text>', 'why; goes into the anchor log')
    .option('--ticket <id>', 'where it was decided; goes into the anchor log')
    .option('--dry-run', 'only say what would be destroyed')
    .option('--wait <seconds>', 'how long to wait for the notary', '30')
    .action(async (tenant: string, who: string, flags: EraseFlags) => {
      const config = configOf(flags);
      const { subject: name, identity } = await nameOf(config, tenant, who);
      const { runErase } = await import('./subject-erase.ts');
      const store = await openKeys(config);
      await withSql(config, async (sql) => {
        const deployment = deploymentOf(config);
        const done = await runErase(
          { config, deployment, store, sql, tenant, subject: name, identity },
          flags,
        );
        print(flags, done, erasedText(done));
      });
    });
  withCommonOptions(subject.command('check'))
    .description('every key the ledger has fields of a subject under, and what became of it')
    .argument('<tenant>')
    .argument('<who>')
    .action(async (tenant: string, who: string, flags: CommonOptions) => {
      const config = configOf(flags);
      const { subject: name } = await nameOf(config, tenant, who);
      const { checkSubject } = await import('./subject-check.ts');
      const store = await openKeys(config);
      await withSql(config, async (sql) => {
        const keys = await checkSubject(sql, store, {
          deployment: deploymentOf(config),
          tenant,
          subject: name,
        });
        const erased = keys.every(({ state }) => state === 'erased');
        print(flags, { tenant, subject: name, erased, keys }, checkedText(keys));
        if (!erased) setExitCode(exitCodes.failed);
      });
    });
  return subject;
}

async function reveal(log: string, seq: string, flags: RevealFlags, setExitCode: SetExitCode): Promise<void> {
  const config = configOf(flags);
  const { readSealedEntry, recordReveal, revealFields } = await import('./subject-reveal.ts');
  const store = await openKeys(config);
  await withSql(config, async (sql) => {
    const entry = await readSealedEntry(sql, log, seq);
    const wanted = Object.entries(entry.fields).filter(([path]) => [undefined, path].includes(flags.field));
    if (wanted.length === 0)
      throw new InputError('input_invalid', `cannot reveal: entry ${seq} has no sealed field of that name`);
    const chosen = { ...entry, fields: Object.fromEntries(wanted) };
    const { operator, reason } = flags;
    const paths = wanted.map(([path]) => path);
    const collector = collectorOf(config, entry.tenant);
    const recorded = await recordReveal(collector, {
      operator,
      reason,
      tenant: entry.tenant,
      log,
      seq,
      paths,
    });
    const fields = revealFields(store, chosen);
    if (!recorded)
      process.stderr.write(
        'custody: this is NOT on record: no collector of a running pipeline took the event\n',
      );
    print(flags, { log, seq, leaf: entry.leaf, recorded, fields }, fields.map(revealedText).join(''));
    if (fields.some(({ state }) => state !== 'revealed')) setExitCode(exitCodes.failed);
  });
}

async function listSubjects(
  store: Awaited<ReturnType<typeof openKeys>>,
  flags: CommonOptions & { readonly tenant?: string },
): Promise<void> {
  const [{ listKeys }, { readErasures }] = await Promise.all([
    import('../subjects/key-store.ts'),
    import('../subjects/erasure-journal.ts'),
  ]);
  const tenant = flags.tenant === undefined ? undefined : tenantId(flags.tenant);
  const row = (fields: {
    state: string;
    tenant: string;
    subject: string;
    key_id: string;
    at: number | undefined;
  }) => {
    const { at, ...rest } = fields;
    const time = at === undefined ? '' : new Date(at).toISOString();
    const { state, key_id } = rest;
    print(
      flags,
      { ...rest, ...(at === undefined ? {} : { time }) },
      `${state.padEnd(18)} ${rest.tenant}  ${rest.subject}  ${key_id}  ${time}\n`,
    );
  };
  for await (const { tenant: of, subject, file } of listKeys(store, tenant)) {
    const state = file === undefined ? 'damaged' : 'readable';
    row({ state, tenant: of, subject, key_id: file?.key_id ?? '', at: file?.created_ms });
  }
  const { erasures, unreadableLines } = readErasures(store);
  for (const one of erasures.values()) {
    if (tenant !== undefined && one.tenant !== tenant) continue;
    const state =
      one.destroyedMs === undefined
        ? 'erasure_begun'
        : one.entrySeq === undefined
          ? 'erased_entry_waits'
          : 'erased';
    const { tenant: of, subject, keyId: key_id } = one;
    row({ state, tenant: of, subject, key_id, at: one.destroyedMs ?? one.begunMs });
  }
  if (unreadableLines > 0)
    process.stderr.write(`custody: ${unreadableLines} lines of the journal of erasures cannot be read\n`);
}

async function openKeys(config: Config) {
  const { openSubjectKeys } = await import('../pipeline/open-subjects.ts');
  return openSubjectKeys({ config, secrets: secretsOf(process.env) }, false);
}

async function withSql(config: Config, work: (sql: SqlAccess) => Promise<void>): Promise<void> {
  const sql = await openSqlAccess(config);
  try {
    await work(sql);
  } finally {
    await sql.close();
  }
}

const deploymentOf = (config: Config): string =>
  config.deployment ?? loadDeployment(config.data_dir, undefined);

/** The pseudonym of what was typed; `identity` is undefined when that was the pseudonym. */
async function nameOf(
  config: Config,
  tenant: string,
  who: string,
): Promise<{ tenant: string; subject: string; identity: string | undefined }> {
  const [{ isPseudonym, pseudonymOf }, { existingDigestKey }] = await Promise.all([
    import('../subjects/pseudonym.ts'),
    import('../pipeline/open-subjects.ts'),
  ]);
  const identity = who === '-' ? readFileSync(0, 'utf8').replace(/\r?\n$/, '') : who;
  const of = tenantId(tenant);
  if (isPseudonym(identity)) return { tenant: of, subject: identity, identity: undefined };
  const key = existingDigestKey({ config, secrets: secretsOf(process.env) });
  return { tenant: of, subject: pseudonymOf(key, of, identity), identity };
}

function tenantId(text: string): string {
  if (TENANT_PATTERN.test(text)) return text;
  throw new InputError('input_invalid', 'cannot use <tenant>: it is not a tenant id');
}

/** The collector of the running pipeline, and a token that may speak for the tenant. */
function collectorOf(config: Config, tenant: string): { url: string; token: string | undefined } | undefined {
  const http = readRunFile(config.data_dir)?.http;
  if (http === undefined) return undefined;
  const tokens = readTokens(config.ingest.tokens, 'ingest.tokens', process.env);
  const token = tokens.find((one) => one.tenant === tenant) ?? tokens.find((one) => one.tenant === undefined);
  if (tokens.length > 0 && token === undefined) return undefined;
  const host = http.host.includes(':') ? `[${http.host}]` : http.host;
  return { url: `${http.tls ? 'https' : 'http'}://${host}:${http.port}`, token: token?.value };
}

function print({ json }: CommonOptions, value: object, text: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(value)}\n` : text);
}

function erasedText(done: Record<string, unknown>): string {
  const lines = Object.entries(done).map(([name, value]) => `${name.padEnd(16)} ${String(value)}\n`);
  return lines.join('');
}

const checkedText = (keys: readonly CheckedKey[]): string =>
  keys.length === 0
    ? 'the ledger has no field of this subject\n'
    : keys
        .map(
          ({ key_id, state, entries, anchor_entry }) =>
            `${state.padEnd(12)} ${key_id}  ${entries} entries${anchor_entry === undefined ? '' : `  entry ${anchor_entry} of the anchor log`}\n`,
        )
        .join('');

function revealedText(field: Revealed): string {
  if (field.state === 'erased') return `${field.path}: erased at ${field.erased_at} (key ${field.key_id})\n`;
  if (field.state !== 'revealed') return `${field.path}: ${field.state} (key ${field.key_id})\n`;
  return [
    `${field.path}: ${harmless(field.canonical)}`,
    `  commitment ${field.commitment} is in the entry's body`,
    `  = SHA-256 of salt ${field.salt} and the JSON above`,
    '',
  ].join('\n');
}

/** The value is a sender's: nothing in it may steer a terminal. JSON escapes give the same value. */
const harmless = (json: string): string =>
  json.replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
