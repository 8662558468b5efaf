import { Command } from 'commander';
import { notaryStateDir } from '../pipeline/notary-state-dir.ts';
import type { PreparedRun, RetentionReport } from '../retention/run.ts';
import { systemClock } from '../runtime/clock.ts';
import { loadDeployment } from '../runtime/deployment.ts';
import type { Config } from '../schemas/config.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { describePlan, describeRun, planJson, runJson } from './retention-text.ts';
import { secretsOf } from './secrets.ts';
import { openSqlAccess } from './sql-access.ts';
import { rawOver } from './verify.ts';

interface RunFlags extends CommonOptions {
  readonly operator: string;
  readonly dryRun?: boolean;
}

/** `custody retention`: what is too old and goes, and what stays and why. */
export function retentionCommand(): Command {
  const retention = new Command('retention')
    .description('remove whole days that are too old, announced and signed before')
    .addHelpText(
      'afterAll',
      `
Examples:
  custody retention plan                              what would go now, and why the rest stays
  custody retention plan --json | jq .stays           the same for machines
  custody retention run --operator ops@example        do it now, instead of at retention.cron
  custody retention run --operator ops@example --dry-run   check everything, change nothing

An embedded store belongs to the running pipeline, which removes days by itself: stop it for run, not for plan.`,
    );
  withCommonOptions(retention.command('plan'))
    .description('say what would go now, and what stays and why')
    .action(async (flags: CommonOptions) => {
      const config = configOf(flags);
      const { plan } = await prepare(config);
      print(flags, planJson(plan, config.retention), describePlan(plan, config.retention));
    });
  withCommonOptions(retention.command('run'))
    .description('remove what is too old')
    .requiredOption('--operator <who>', 'who decides this; goes into the anchor log')
    .option('--dry-run', 'check everything that is checked before, and change nothing')
    .action(async (flags: RunFlags) => {
      const config = configOf(flags);
      if (flags.dryRun === true) {
        const { plan, acts } = await prepare(config);
        const would = { ...planJson(plan, config.retention), would_announce: acts.length };
        print(flags, would, `${describePlan(plan, config.retention)}nothing was changed (--dry-run)\n`);
        return;
      }
      const { retainNow } = await import('../pipeline/retain-now.ts');
      const report: RetentionReport = await retainNow(
        { config, secrets: secretsOf(process.env) },
        flags.operator,
      );
      print(flags, runJson(report, config.retention), describeRun(report, config.retention));
    });
  return retention;
}

function print({ json }: CommonOptions, object: unknown, text: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(object)}\n` : text);
}

/** Beside a running pipeline or on a stopped one, through the SQL interface; reads only. */
async function prepare(config: Config): Promise<PreparedRun> {
  const [{ prepareRetention }, { signedHeadsOf }] = await Promise.all([
    import('../retention/run.ts'),
    import('../retention/notary-door.ts'),
  ]);
  const sql = await openSqlAccess(config);
  try {
    const raw = rawOver(sql);
    const deployment = config.deployment ?? loadDeployment(config.data_dir, undefined);
    const { anchors_required: anchorsRequired } = config.notary;
    const notary = signedHeadsOf({ stateDir: notaryStateDir(config), raw, deployment, anchorsRequired });
    const retentionDays = config.retention.days;
    return await prepareRetention({ raw, notary, deployment, retentionDays, clock: systemClock });
  } finally {
    await sql.close();
  }
}
