import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { proposeRegistry } from '../detectors/registry/propose-registry.ts';
import type { Traffic } from '../detectors/registry/traffic.ts';
import { parseRegistryText, problemText } from '../pipeline/registry-file.ts';
import { ConfigError, PermanentError } from '../runtime/errors.ts';
import { configOf, withCommonOptions, type CommonOptions } from './options.ts';
import { createProgress } from './progress.ts';
import { sinceMs, tenantOption } from './registry-options.ts';
import { readTraffic } from './registry-traffic.ts';
import { registryYaml } from './registry-yaml.ts';
import { openSqlAccess } from './sql-access.ts';

interface LearnOptions extends CommonOptions {
  readonly since?: string;
  readonly tenant?: string;
  readonly out?: string;
}

/** `custody registry learn`: a registry that allows what was seen, to be read by a person before it counts. */
export function registryLearnCommand(): Command {
  return withCommonOptions(new Command('learn'))
    .description('propose a registry.yaml from what the ledger has seen; what is guessed says so')
    .option('--since <time>', 'only from then on: 30d, 12h, a day, or an RFC 3339 time')
    .option('--tenant <id>', 'only this tenant')
    .option('-o, --out <file>', 'where to write it; never overwritten (default: stdout)')
    .addHelpText(
      'after',
      '\nExamples:\n  custody registry learn --since 30d --out registry.yaml\n  custody registry learn --tenant acme | less\n  custody registry learn --json | jq .document.servers',
    )
    .action(async (options: LearnOptions) => {
      const scope = { sinceMs: sinceMs(options.since, Date.now()), tenant: tenantOption(options.tenant) };
      const sql = await openSqlAccess(configOf(options));
      const progress = createProgress('reading', 'statements');
      let traffic: Traffic;
      try {
        traffic = await readTraffic(sql, scope, (done, total) => progress.update(done, total));
      } finally {
        progress.stop();
        await sql.close();
      }
      const { document, remarks, unusableNames } = proposeRegistry(traffic);
      const yaml = registryYaml(document, headerOf(options, traffic, unusableNames), remarks);
      const { problems } = parseRegistryText(yaml);
      if (problems !== undefined)
        throw new PermanentError('rejected', `cannot propose a registry: ${problemText(problems[0])}`);
      if (options.out !== undefined) write(options.out, yaml);
      if (options.json === true)
        process.stdout.write(
          `${JSON.stringify({ document, remarks, unusable_names: unusableNames, cut: traffic.cut, ...(options.out === undefined ? {} : { out: options.out }) })}\n`,
        );
      else if (options.out === undefined) process.stdout.write(yaml);
      else
        process.stdout.write(
          `${options.out}: ${document.servers?.length ?? 0} servers, ${document.clients?.length ?? 0} clients, ${document.agents?.length ?? 0} agents; read it before you put it into force\n`,
        );
    });
}

function headerOf({ since, tenant }: LearnOptions, { cut }: Traffic, unusableNames: number): string[] {
  return [
    `Proposed from what was seen${since === undefined ? '' : ` since ${since}`}${tenant === undefined ? '' : `, of tenant ${tenant}`}.`,
    'It allows what was seen, attacks included: read each entry, above all what is marked as guessed.',
    'When it is whole, add for instance  complete: [servers, tools]  and what is missing becomes a finding.',
    ...(unusableNames === 0
      ? []
      : [`${unusableNames} names were left out: they hold wildcards or characters that cannot be seen.`]),
    ...(cut.length === 0 ? [] : [`Not all was read, there is too much: ${cut.join(', ')}.`]),
  ];
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unwritable';
    throw new ConfigError(`cannot write ${file}: ${reason}`, { path: '--out', cause });
  }
}
