import { Command } from 'commander';
import { driftOf, type Drift } from '../detectors/registry/drift.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { fromFile } from './registry-diff.ts';
import { registryFromLedger } from './registry-in-force.ts';
import { shown, sinceMs, tenantOption } from './registry-options.ts';
import { readTraffic } from './registry-traffic.ts';
import { openSqlAccess } from './sql-access.ts';

interface DriftOptions extends CommonOptions {
  readonly since: string;
  readonly tenant?: string;
  readonly file?: string;
  readonly limit: string;
}

const HEADINGS: Readonly<Record<Drift['state'], string>> = {
  unregistered: 'seen, not registered',
  disabled: 'seen though disabled',
  definition: 'seen with a definition nobody has reviewed',
  version: 'seen in a version that is not listed',
  unseen: 'registered, not seen',
};

/** `custody registry drift`: where what is seen and what is registered part. */
export function registryDriftCommand(): Command {
  return withCommonOptions(new Command('drift'))
    .description('what was seen and is not registered, and what is registered and was not seen')
    .option('--since <time>', 'what was seen from then on: 30d, 12h, a day, or an RFC 3339 time', '30d')
    .option('--tenant <id>', 'only this tenant')
    .option('-f, --file <file>', 'hold it against this file instead of what is in force')
    .option('-n, --limit <count>', 'lines of each kind to print', '50')
    .addHelpText(
      'after',
      '\nExamples:\n  custody registry drift\n  custody registry drift --since 24h --tenant acme\n  custody registry drift --file registry.yaml --json | jq \'.drift[] | select(.state == "unregistered")\'',
    )
    .action(async (options: DriftOptions) => {
      const scope = { sinceMs: sinceMs(options.since, Date.now()), tenant: tenantOption(options.tenant) };
      const sql = await openSqlAccess(configOf(options));
      try {
        const document =
          options.file === undefined ? (await registryFromLedger(sql)).document : fromFile(options.file);
        const traffic = await readTraffic(sql, scope);
        const drift = driftOf(document, traffic);
        process.stdout.write(
          options.json === true
            ? `${JSON.stringify({ drift, cut: traffic.cut })}\n`
            : describe(drift, Number(options.limit) || 50),
        );
      } finally {
        await sql.close();
      }
    });
}

function describe(drift: readonly Drift[], limit: number): string {
  if (drift.length === 0) return 'what was seen and what is registered agree\n';
  return (Object.keys(HEADINGS) as Drift['state'][])
    .map((state) => {
      const lines = drift.filter((item) => item.state === state);
      if (lines.length === 0) return '';
      const more = lines.length > limit ? `  and ${lines.length - limit} more\n` : '';
      return `${HEADINGS[state]}:\n${lines.slice(0, limit).map(line).join('')}${more}`;
    })
    .join('');
}

function line({ kind, name, tenant, observations }: Drift): string {
  const often = observations === 1 ? 'once' : `${observations} times`;
  const seen = tenant === undefined ? '' : `  ${often}, tenant ${tenant}`;
  return `  ${kind.padEnd(11)} ${shown(name)}${seen}\n`;
}
