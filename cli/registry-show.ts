import { Command } from 'commander';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { inForce, registryFromLedger, registryVersions, type RegistryVersion } from './registry-in-force.ts';
import { registryYaml } from './registry-yaml.ts';
import { openSqlAccess } from './sql-access.ts';

interface ShowOptions extends CommonOptions {
  readonly versions?: boolean;
  readonly digest?: string;
}

/** `custody registry show`: what detectors go by, as the ledger has it. */
export function registryShowCommand(): Command {
  return withCommonOptions(new Command('show'))
    .description('the registry in force, out of the ledger; each partition of the log comes to it by itself')
    .option('--versions', 'list every version that came into force, newest first')
    .option('--digest <start>', 'an earlier version, by the beginning of its digest')
    .addHelpText(
      'after',
      '\nExamples:\n  custody registry show\n  custody registry show --versions\n  custody registry show --digest 3f9a > registry-before.yaml',
    )
    .action(async (options: ShowOptions) => {
      const sql = await openSqlAccess(configOf(options));
      const write = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
      try {
        const versions = await registryVersions(sql);
        if (options.versions === true) {
          if (options.json === true) write({ versions });
          else for (const version of versions) process.stdout.write(`${describe(version)}\n`);
          return;
        }
        const { digest, document } = await registryFromLedger(sql, options.digest);
        const current = inForce(versions);
        if (options.json === true) {
          write({ digest, document, in_force: current });
          return;
        }
        const header = [`digest ${digest}`, ...(options.digest === undefined ? current.map(describe) : [])];
        process.stdout.write(registryYaml(document, header));
      } finally {
        await sql.close();
      }
    });
}

const describe = ({ digest, partition, since, log, seq }: RegistryVersion) =>
  `${since}  ${digest.slice(0, 16)}  partition ${partition}  entry ${seq} of ${log}`;
