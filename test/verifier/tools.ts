import { execFileSync } from 'node:child_process';

/** Which of these commands this machine does not have (also said on stderr); `undefined` when it has all. */
export function whyMissing(...tools: readonly string[]): string | undefined {
  const missing = tools.filter((tool) => {
    try {
      execFileSync('sh', ['-c', 'command -v "$0"', tool], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
  if (missing.length === 0) return undefined;
  const reason = `no ${missing.join(', ')} on this machine`;
  process.stderr.write(`SKIPPED ${reason}\n`);
  return reason;
}
