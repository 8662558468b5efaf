import { existsSync, readFileSync, statSync } from 'node:fs';
import { Command, Option } from 'commander';
import { NO_RECEIPT_TRUST, receiptTrust, type ReceiptTrust } from '../evidence/receipt/trust.ts';
import { verifyReceipt, type ExpectedCall, type Purpose } from '../evidence/receipt/verify.ts';
import type { ReceiptVerdict } from '../evidence/receipt/verdict.ts';
import { ConfigError, InputError } from '../runtime/errors.ts';
import { exitCodes } from './exit-codes.ts';
import { named } from './keys.ts';
import type { SetExitCode } from './options.ts';
import { readTrustPolicy } from './trust.ts';
import { openUsedReceipts, type UsedReceipts } from './used-receipts.ts';

interface VerifyFlags {
  readonly trust?: string;
  readonly proof?: string;
  readonly anchorProof?: string;
  readonly beforeProof?: string;
  readonly rotations?: string;
  readonly purpose: 'archival' | 'live';
  readonly maxAge: string;
  readonly seen?: string;
  readonly expect?: readonly string[];
  readonly json?: boolean;
}

/** No honest receipt or proof is larger. */
const FILE_MAX_BYTES = 4 * 1024 * 1024;
const ENDING = '.receipt.json';
const FACTS = [
  'kind',
  'tenant',
  'session_id',
  'server',
  'tool',
  'call_id',
  'request_id',
  'trace_id',
] as const;

/** `custody receipt verify`: one receipt with nothing but pinned keys, no store and no network. */
export function receiptVerifyCommand(setExitCode: SetExitCode): Command {
  return new Command('verify')
    .description('verify a receipt offline against pinned keys')
    .argument('<file>', `made by receipt get: <id>${ENDING}, its proofs beside it`)
    .option('-t, --trust <file>', 'trust policy with the keys that count; without it nothing is ever valid')
    .option('--proof <file>', 'default: <id>.tlog-proof')
    .option('--anchor-proof <file>', 'default: <id>.anchor.tlog-proof')
    .option('--before-proof <file>', 'default: <id>.before.tlog-proof, if there')
    .option('--rotations <file>', 'changes of the key of the notary; default: <id>.rotations.json, if there')
    .addOption(
      new Option(
        '-p, --purpose <purpose>',
        'archival: what was; live: something is to be done because of it now',
      )
        .choices(['archival', 'live'])
        .default('archival'),
    )
    .option('--max-age <seconds>', 'live: older ones are stale', '300')
    .option('--seen <dir>', 'live: remembers receipts that were used, to refuse them the next time')
    .option('-e, --expect <fact=value...>', `the call it must be about: ${FACTS.join(', ')}`)
    .option('--json', 'print JSON for machines')
    .addHelpText(
      'after',
      `
Examples:
  custody receipt verify 0c9d….receipt.json --trust trust.json
  custody receipt verify 0c9d….receipt.json --trust trust.json --expect kind=outcome tool=write_file tenant=acme
  custody receipt verify 0c9d….receipt.json --trust trust.json --purpose live --max-age 60 --seen used

Exit codes: 0 valid, 3 invalid, 4 undecidable (docs/spec/receipt.md says what each cause means)`,
    )
    .action(async (file: string, flags: VerifyFlags) => {
      const trust = flags.trust === undefined ? NO_RECEIPT_TRUST : readTrust(flags.trust);
      const used = usedOf(flags);
      const beside = (ending: string) =>
        file.endsWith(ENDING) ? file.slice(0, -ENDING.length) + ending : undefined;
      const presented = {
        envelope: readBounded(file, '<file>'),
        proof: proofText(flags.proof, beside('.tlog-proof'), '--proof'),
        anchorProof: proofText(flags.anchorProof, beside('.anchor.tlog-proof'), '--anchor-proof'),
        beforeProof: proofText(flags.beforeProof, beside('.before.tlog-proof'), '--before-proof'),
        rotations: proofText(flags.rotations, beside('.rotations.json'), '--rotations'),
      };
      const first = verifyReceipt(
        presented,
        trust,
        expectedOf(flags.expect ?? []),
        purposeOf(flags, () => false),
      );
      const verdict = await markUsed(first, used, () =>
        verifyReceipt(
          presented,
          trust,
          expectedOf(flags.expect ?? []),
          purposeOf(flags, () => true),
        ),
      );
      process.stdout.write(flags.json === true ? `${JSON.stringify(verdict)}\n` : describe(verdict));
      if (verdict.verdict === 'invalid') setExitCode(exitCodes.invalid);
      if (verdict.verdict === 'undecidable') setExitCode(exitCodes.undecidable);
    });
}

function usedOf({ purpose, seen }: VerifyFlags): UsedReceipts | undefined {
  if (seen === undefined) return undefined;
  if (purpose === 'live') return openUsedReceipts(seen);
  throw new ConfigError('cannot verify: --seen is for --purpose live', { path: '--seen' });
}

/** A valid receipt is used up by this: of two who come at once, one finds it used. */
async function markUsed(
  verdict: ReceiptVerdict,
  used: UsedReceipts | undefined,
  again: () => ReceiptVerdict,
): Promise<ReceiptVerdict> {
  if (used === undefined || verdict.verdict !== 'valid' || verdict.receipt === null) return verdict;
  const isFirst = await used.use(verdict.receipt.issuer, verdict.receipt.receipt_id);
  return isFirst ? verdict : again();
}

function purposeOf({ purpose, maxAge }: VerifyFlags, isUsed: () => boolean): Purpose {
  if (purpose === 'archival') return { purpose };
  const seconds = Number(maxAge);
  if (!/^\d{1,9}$/.test(maxAge) || seconds === 0)
    throw new ConfigError(`cannot verify: --max-age ${maxAge} is not a number of seconds`, {
      path: '--max-age',
    });
  return { purpose, nowMs: Date.now(), maxAgeMs: seconds * 1000, isUsed };
}

function expectedOf(facts: readonly string[]): ExpectedCall {
  const expected: Record<string, string> = {};
  for (const fact of facts) {
    const at = fact.indexOf('=');
    const name = FACTS.find((known) => known === fact.slice(0, at));
    if (at < 0 || name === undefined)
      throw new ConfigError(`cannot verify: --expect takes <fact>=<value> with one of ${FACTS.join(', ')}`, {
        path: '--expect',
      });
    expected[name] = fact.slice(at + 1);
  }
  return expected;
}

function readTrust(file: string): ReceiptTrust {
  const policy = readTrustPolicy(file);
  return named(`trust policy ${file}`, () => receiptTrust(policy));
}

function proofText(
  named: string | undefined,
  beside: string | undefined,
  option: string,
): string | undefined {
  if (named !== undefined) return readBounded(named, option).toString('utf8');
  return beside !== undefined && existsSync(beside)
    ? readBounded(beside, option).toString('utf8')
    : undefined;
}

function readBounded(file: string, option: string): Buffer {
  try {
    if (statSync(file).size <= FILE_MAX_BYTES) return readFileSync(file);
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new ConfigError(`cannot read ${file}: ${errno}`, { path: option, cause });
  }
  throw new InputError('input_too_large', `cannot read ${file}: it is larger than ${FILE_MAX_BYTES} bytes`);
}

/** Names in a receipt may be an attacker's: control characters must not reach the terminal. */
function describe(found: ReceiptVerdict): string {
  const clean = (text: string) => text.replace(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
  const { not_before_ms, not_after_ms, not_after_by } = found.time_bounds;
  const time = (ms: number | null) => (ms === null ? 'unknown' : new Date(ms).toISOString());
  const lines = [
    `${found.verdict}${found.cause === null ? '' : `: ${found.cause}`}`,
    ...(found.verdict === 'valid' ? [found.claim] : []),
    ...(found.receipt === null
      ? []
      : [`receipt ${found.receipt.receipt_id} of ${found.receipt.issuer}, tenant ${found.receipt.tenant}`]),
    ...found.checks.map(
      ({ check, result, detail }) => `  ${result.padEnd(9)} ${check}${detail === '' ? '' : `: ${detail}`}`,
    ),
    ...(not_after_ms === null
      ? []
      : [
          `in the log between ${time(not_before_ms)} and ${time(not_after_ms)} (by the clock of ${not_after_by ?? 'nobody'})`,
        ]),
    ...found.not_proven.map((words) => `not proven: ${words}`),
  ];
  return `${lines.map(clean).join('\n')}\n`;
}
