import { Command } from 'commander';
import type { RefillReport } from '../sinks/store/refill.ts';
import { exitCodes } from './exit-codes.ts';
import { configOf, withCommonOptions, type CommonOptions, type SetExitCode } from './options.ts';
import { createProgress } from './progress.ts';
import { secretsOf } from './secrets.ts';

interface RefillFlags extends CommonOptions {
  readonly dryRun?: boolean;
}

/** `custody refill`: after a restore of an older backup, puts the missing entries back from the log. */
export function refillCommand(setExitCode: SetExitCode): Command {
  return withCommonOptions(new Command('refill'))
    .description('put entries that a restored store lacks at its end back, from the records of the log')
    .option('--dry-run', 'say what would be put back, and write nothing')
    .addHelpText(
      'after',
      `
Stop the ledger writers (embedded: the pipeline) first. Only entries that lead exactly to the recorded heads are
written; a store that was changed, or that lost more than the log still has, is refused. Exit code 4: no heads are
recorded, so nobody knows what is missing.

Examples:
  custody refill --dry-run
  custody refill && custody verify --rebuild`,
    )
    .action(async (flags: RefillFlags) => {
      const config = configOf(flags);
      const [{ openForRepair }, { refillLedger }] = await Promise.all([
        import('../pipeline/open-fleet.ts'),
        import('../sinks/store/refill.ts'),
      ]);
      const opened = await openForRepair({ config, secrets: secretsOf(process.env) });
      const progress = createProgress('refill', 'entries');
      try {
        const reports = await refillLedger({
          ...opened,
          dryRun: flags.dryRun === true,
          onProgress: (done, total) => progress.update(done, total),
        });
        progress.stop();
        if (reports.length === 0) setExitCode(exitCodes.undecidable);
        process.stdout.write(
          flags.json === true ? `${JSON.stringify(reports)}\n` : describe(reports, flags.dryRun === true),
        );
      } finally {
        progress.stop();
        await opened.close();
      }
    });
}

function describe(reports: readonly RefillReport[], dryRun: boolean): string {
  if (reports.length === 0) return 'no heads are recorded: what is missing cannot be known\n';
  const missing = reports.filter(({ entries }) => entries > 0);
  if (missing.length === 0) return 'nothing is missing\n';
  const verb = dryRun ? 'would put back' : 'put back';
  const lines = missing.map(
    ({ topic, partition, from, to, entries }) =>
      `${topic}/${partition}: ${verb} ${entries} entries, records ${from} to ${BigInt(to) - 1n}`,
  );
  return `${lines.join('\n')}\n`;
}
