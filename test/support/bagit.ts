import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The validator's command. */
export const bagitPath = join(
  process.env['CUSTODY_BAGIT_ROOT'] ?? '/opt/custody-test/bagit',
  'bin',
  'bagit.py',
);

/**
 * Why no BagIt validator can run here (also said on stderr), or `undefined`. With CUSTODY_TEST_INSTALL=1, and on CI, it is
 * installed when it is missing.
 */
export function bagitMissing(): string | undefined {
  let reason = 'bagit not installed: run test/support/install-bagit.sh as root';
  if (
    !existsSync(bagitPath) &&
    (process.env['CUSTODY_TEST_INSTALL'] === '1' || process.env['CI'] !== undefined)
  ) {
    try {
      execFileSync('sh', [join(import.meta.dirname, 'install-bagit.sh')], {
        stdio: 'inherit',
        timeout: 120_000,
      });
    } catch {
      reason = 'bagit could not be installed by test/support/install-bagit.sh';
    }
  }
  if (existsSync(bagitPath)) return undefined;
  // Reporters hide skipped tests of a file that passes; this line they show.
  process.stderr.write(`SKIPPED ${reason}\n`);
  return reason;
}
