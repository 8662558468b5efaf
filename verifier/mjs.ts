import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { describeVerdict } from '../evidence/bundle/words.ts';
import { readTrustPolicy } from './trust-file.ts';
import { verifyBundleAt } from './verify-path.ts';

/**
 * The verifier as one file that needs nothing but Node: `node verify.mjs <bundle.zip | directory> --trust <trust.json>`.
 * Its exit codes are those of `custody bundle verify`.
 */
const USAGE = `usage: node verify.mjs <bundle.zip | directory> --trust <trust.json> [--json]

The trust policy comes from elsewhere, never from the bundle: keys inside prove nothing.
Exit codes: 0 valid, 3 invalid, 4 undecidable, 2 wrong usage, 6 a file cannot be read
`;
const EXIT = { valid: 0, invalid: 3, undecidable: 4 } as const;

process.exitCode = await run();

async function run(): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse();
  } catch {
    return fail(USAGE, 2);
  }
  const { values, positionals } = parsed;
  const [path, more] = positionals;
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (path === undefined || more !== undefined) return fail(USAGE, 2);
  try {
    const trust =
      values.trust === undefined ? undefined : readTrustPolicy(await readFile(values.trust, 'utf8'));
    if (trust !== undefined && 'reason' in trust)
      return fail(`cannot use the trust policy: ${trust.reason}\n`, 2);
    const verdict = await verifyBundleAt(path, { trust });
    process.stdout.write(values.json === true ? `${JSON.stringify(verdict)}\n` : describeVerdict(verdict));
    return EXIT[verdict.verdict];
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return fail(`cannot verify: ${error.message}\n`, 6);
    throw error;
  }
}

function parse() {
  return parseArgs({
    options: { trust: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
}

function fail(text: string, code: number): number {
  process.stderr.write(text);
  return code;
}
