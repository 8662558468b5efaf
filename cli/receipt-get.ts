import { mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Command } from 'commander';
import { makeReceipts, type MadeReceipt } from '../evidence/receipt/make.ts';
import type { SigningKey } from '../evidence/note/key.ts';
import { ConfigError, InputError, TransientError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import { TENANT_PATTERN } from '../schemas/event.ts';
import type { CallEntry } from '../sinks/store/call-entries.ts';
import type { RawQuery } from '../sinks/store/store.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { receiptKeyOf } from './receipt-key.ts';
import { openSqlAccess } from './sql-access.ts';
import { rawOver } from './verify.ts';

interface GetFlags extends CommonOptions {
  readonly tenant?: string;
  readonly out: string;
  readonly key?: string;
  readonly wait?: boolean;
}

interface WrittenReceipt {
  readonly kind: string;
  readonly assurance: string;
  readonly receipt_id: string;
  readonly log: string;
  readonly seq: string;
  readonly files: readonly string[];
}

const POLL_MS = 500;
/** Waiting ends after so many of the notary's intervals: then it is not at work. */
const INTERVALS_WAITED = 6;

/** `custody receipt get`: the receipts of one call with the proofs that they are in the ledger. */
export function receiptGetCommand(): Command {
  return withCommonOptions(new Command('get'))
    .description('write the receipts of a call, and the proofs that the ledger has it')
    .argument('<id>', 'event id or tool call id')
    .option('-t, --tenant <id>', 'whose call it is, where several tenants have that id')
    .option('-o, --out <dir>', 'where the files go', '.')
    .option('-k, --key <file>', 'signing key of use log for our own receipts (default: receipts.key)')
    .option('-w, --wait', 'wait until a signed checkpoint covers the call')
    .addHelpText(
      'after',
      `
Examples:
  custody keys new --name "$DEPLOYMENT/receipts" --use log --out receipts.key
  custody receipt get call-42 --tenant acme --key receipts.key --out receipts --wait
  custody receipt get 0c9d2a4e-… --json

Writes <receipt id>.receipt.json (DSSE), .tlog-proof (the entry in its log), .anchor.tlog-proof (that log in the anchor
log) and, where there are such, .before.tlog-proof (the log without the entry) and .rotations.json (how the notary's key
changed). A receipt that a gateway signed itself is
written as it came.`,
    )
    .action(async (id: string, flags: GetFlags) => {
      const config = configOf(flags);
      if (flags.tenant !== undefined && !TENANT_PATTERN.test(flags.tenant))
        throw new InputError('input_invalid', 'cannot make a receipt: --tenant is not a tenant id');
      const key = receiptKeyOf(config, flags.key);
      const sql = await openSqlAccess(config);
      try {
        const raw = rawOver(sql);
        const { callEntries } = await import('../sinks/store/call-entries.ts');
        const entries = await callEntries(raw, { id, tenant: flags.tenant });
        const made = makeReceipts(entries, key);
        requireSome(made, key);
        const untilMs =
          flags.wait === true && sql.live ? Date.now() + INTERVALS_WAITED * config.notary.interval_ms : 0;
        const written: WrittenReceipt[] = [];
        for (const receipt of made)
          written.push(await writeReceipt(raw, receipt, flags.out, config, untilMs));
        process.stdout.write(
          flags.json === true ? `${JSON.stringify({ receipts: written })}\n` : describe(written),
        );
      } finally {
        await sql.close();
      }
    });
}

function requireSome(made: readonly MadeReceipt<CallEntry>[], key: SigningKey | undefined): void {
  if (made.length > 0) return;
  if (key === undefined)
    throw new ConfigError(
      'cannot make a receipt: no gateway signed one, and there is no key for ours (custody keys new, then --key or receipts.key)',
      { path: 'receipts.key' },
    );
  throw new InputError(
    'input_invalid',
    'cannot make a receipt: the ledger has neither a decision nor an outcome of that call',
  );
}

async function writeReceipt(
  raw: RawQuery,
  receipt: MadeReceipt<CallEntry>,
  out: string,
  config: Config,
  untilMs: number,
): Promise<WrittenReceipt> {
  const { facts } = receipt.entry;
  const proofs = await prove(raw, receipt.entry, config, untilMs);
  const parts: readonly (readonly [string, string | undefined])[] = [
    ['receipt.json', `${receipt.envelope}\n`],
    ['tlog-proof', proofs.proof],
    ['anchor.tlog-proof', proofs.anchorProof],
    ['before.tlog-proof', proofs.beforeProof],
    ['rotations.json', proofs.rotations],
  ];
  const files: string[] = [];
  for (const [ending, text] of parts) {
    if (text === undefined) continue;
    const file = join(out, `${receipt.receiptId}.${ending}`);
    await write(out, file, text);
    files.push(file);
  }
  const { kind, assurance, receiptId } = receipt;
  return { kind, assurance, receipt_id: receiptId, log: facts.log, seq: String(facts.seq), files };
}

async function prove(raw: RawQuery, entry: CallEntry, config: Config, untilMs: number) {
  const { proveEntry } = await import('../sinks/store/entry-proofs.ts');
  for (;;) {
    const proofs = await proveEntry(raw, entry);
    if (proofs !== undefined) return proofs;
    if (Date.now() >= untilMs) break;
    await wait(POLL_MS);
  }
  const { interval_ms } = config.notary;
  throw new TransientError(
    'unavailable',
    `cannot prove entry ${entry.facts.seq} of ${entry.facts.log}: no signed checkpoint covers it yet; a running notary signs within ${interval_ms / 1000} s (--wait waits)`,
    { retryAfterMs: interval_ms },
  );
}

async function write(directory: string, file: string, text: string): Promise<void> {
  try {
    mkdirSync(directory, { recursive: true });
    await writeFile(file, text, { flush: true });
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new ConfigError(`cannot write ${file}: ${errno}`, { path: '--out', cause });
  }
}

function describe(written: readonly WrittenReceipt[]): string {
  return written
    .map(({ kind, assurance, receipt_id, log, seq, files }) => {
      const what = kind === 'decision' ? 'decision (says nothing of an execution)' : 'outcome';
      return `${what}, ${assurance}: ${receipt_id}\n  entry ${seq} of ${log}\n${files.map((file) => `  ${file}\n`).join('')}`;
    })
    .join('');
}
