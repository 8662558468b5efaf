import { readFileSync, statSync } from 'node:fs';
import { Command } from 'commander';
import { lintRegistry } from '../detectors/registry/lint.ts';
import { parseRegistryText, problemText } from '../pipeline/registry-file.ts';
import { policyDocumentOf } from '../pipeline/policy-source.ts';
import { ConfigError } from '../runtime/errors.ts';
import { pathText } from '../schemas/read-registry.ts';
import type { RegistryDocument } from '../schemas/registry.ts';
import { exitCodes } from './exit-codes.ts';
import type { SetExitCode } from './options.ts';
import { shown } from './registry-options.ts';

/** `custody registry check`: is the file usable, what does it hold, and what in it is probably not meant. */
export function registryCheckCommand(setExitCode: SetExitCode): Command {
  return new Command('check')
    .description('is the file usable, what does it hold, and what in it is probably not meant')
    .argument('<file>', 'registry.yaml, or a list of tools as JSON')
    .option('--json', 'print JSON for machines')
    .addHelpText(
      'after',
      '\nExamples:\n  custody registry check registry.yaml\n  custody registry check registry.yaml --json | jq .warnings',
    )
    .action((file: string, { json }: { json?: boolean }) => {
      const { document, problems = [] } = parseRegistryText(registryText(file));
      if (document === undefined) {
        setExitCode(exitCodes.usage);
        const texts = problems.map(problemText);
        process.stdout.write(
          json === true
            ? `${JSON.stringify({ file, valid: false, problems: problems.map(({ path, reason, line }) => ({ path: pathText(path), reason, line })) })}\n`
            : `${file} cannot be used:\n${texts.map((text) => `  ${shown(text)}\n`).join('')}`,
        );
        return;
      }
      const { digest } = policyDocumentOf('registry', document);
      const counts = countsOf(document);
      const warnings = lintRegistry(document, Date.now()).map(({ path, text }) => ({
        path: pathText(path),
        text,
      }));
      process.stdout.write(
        json === true
          ? `${JSON.stringify({ file, valid: true, digest, complete: document.complete ?? [], counts, warnings })}\n`
          : [
              `${file} is usable: ${Object.entries(counts)
                .filter(([, count]) => count > 0)
                .map(([kind, count]) => `${count} ${kind}`)
                .join(', ')}\n`,
              `digest ${digest}\n`,
              `complete: ${document.complete?.join(', ') ?? 'nothing; what is not registered is no finding'}\n`,
              ...warnings.map(({ path, text }) => `warning: ${path}: ${text}\n`),
            ].join(''),
      );
    });
}

const TEXT_MAX_BYTES = 4 * 1024 * 1024;

/** @throws ConfigError when the file cannot be read. */
export function registryText(file: string): string {
  try {
    if (statSync(file).size > TEXT_MAX_BYTES)
      throw new ConfigError(`cannot read registry ${file}: it is larger than ${TEXT_MAX_BYTES} bytes`);
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw new ConfigError(`cannot read registry ${file}: ${reason}`, { cause });
  }
}

/** How many entries of each kind. */
function countsOf(document: RegistryDocument): Record<string, number> {
  const { zones, servers, tools, clients, agents, flows, destinations, budgets, tickets } = document;
  const ofServers = (servers ?? []).reduce((sum, server) => sum + (server.tools?.length ?? 0), 0);
  return {
    zones: zones?.length ?? 0,
    servers: servers?.length ?? 0,
    tools: ofServers + (tools?.length ?? 0),
    clients: clients?.length ?? 0,
    agents: agents?.length ?? 0,
    flows: flows?.length ?? 0,
    destinations: destinations?.reduce((sum, { hosts }) => sum + hosts.length, 0) ?? 0,
    budgets: budgets?.length ?? 0,
    tickets: tickets?.length ?? 0,
  };
}
