import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { BundleVerdict } from '../evidence/bundle/verdict.ts';
import { describeVerdict } from '../evidence/bundle/words.ts';
import { ConfigError } from '../runtime/errors.ts';
import type { TrustPolicy } from '../schemas/trust-policy.ts';
import { readTrustPolicy } from '../verifier/trust-file.ts';
import { verifyBundleAt } from '../verifier/verify-path.ts';
import { checkLaterActs, describeLaterActs } from './bundle-later-acts.ts';
import { exitCodes } from './exit-codes.ts';
import type { SetExitCode } from './options.ts';
import { createProgress } from './progress.ts';

const CODES: Readonly<Record<BundleVerdict['verdict'], number>> = {
  valid: exitCodes.ok,
  invalid: exitCodes.invalid,
  undecidable: exitCodes.undecidable,
};

/** `custody bundle verify`: recomputes an evidence bundle from its bytes, with no network and no store. */
export function bundleVerifyCommand(setExitCode: SetExitCode): Command {
  return new Command('verify')
    .description('verify an evidence bundle offline, against keys pinned in a trust policy')
    .argument('<bundle>', 'the zip, or the directory it was unpacked into')
    .option('--trust <file>', 'trust policy from elsewhere than the bundle; without it nothing is ever valid')
    .option('--json', 'print JSON for machines')
    .addHelpText(
      'after',
      `
Examples:
  custody bundle verify evidence-CASE-1.zip --trust trust.json
  custody bundle verify ./unpacked --trust trust.json --json | jq .findings

Also checks the acts after sealing in <bundle>.custody.jsonl, if that file is beside the bundle.
Exit codes: 0 valid, 3 invalid, 4 undecidable (docs/spec/bundle.md says what each finding means)`,
    )
    .action(async (path: string, { trust, json }: { trust?: string; json?: boolean }) => {
      const policy = trust === undefined ? undefined : readPolicy(trust);
      const progress = createProgress('verify', 'bytes');
      let verdict: BundleVerdict;
      try {
        verdict = await verifyBundleAt(path, {
          trust: policy,
          onProgress: (done, total) => progress.update(done, total),
        });
      } catch (error) {
        throw unreadable(path, '<bundle>', error);
      } finally {
        progress.stop();
      }
      const later = await checkLaterActs(path, verdict, policy);
      process.stdout.write(
        json === true
          ? `${JSON.stringify({ ...verdict, ...(later && { later_acts: later }) })}\n`
          : `${describeVerdict(verdict)}${later === undefined ? '' : describeLaterActs(later)}`,
      );
      setExitCode(CODES[verdict.verdict]);
      if (later?.verdict === 'invalid') setExitCode(exitCodes.invalid);
    });
}

function readPolicy(file: string): TrustPolicy {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, '--trust', error);
  }
  const policy = readTrustPolicy(text);
  if ('reason' in policy)
    throw new ConfigError(`cannot use trust policy ${file}: ${policy.reason}`, { path: '--trust' });
  return policy;
}

/** What the disk says of a file that was named; anything else is a bug. */
function unreadable(file: string, option: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || !('syscall' in cause) || !('code' in cause)) return cause;
  return new ConfigError(`cannot read ${file}: ${String(cause.code)}`, { path: option, cause });
}
