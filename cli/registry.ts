import { Command } from 'commander';
import type { SetExitCode } from './options.ts';
import { registryCheckCommand } from './registry-check.ts';
import { registryDiffCommand } from './registry-diff.ts';
import { registryDriftCommand } from './registry-drift.ts';
import { registryLearnCommand } from './registry-learn.ts';
import { registryShowCommand } from './registry-show.ts';

/** `custody registry`: what people have decided about servers, tools, clients and agents. */
export function registryCommand(setExitCode: SetExitCode): Command {
  return new Command('registry')
    .description('what people have decided about servers, tools, clients and agents')
    .addCommand(registryCheckCommand(setExitCode))
    .addCommand(registryDiffCommand())
    .addCommand(registryShowCommand())
    .addCommand(registryLearnCommand())
    .addCommand(registryDriftCommand())
    .addHelpText(
      'after',
      `
Examples:
  custody registry learn --since 30d --out registry.yaml   propose one from what was seen
  custody registry check registry.yaml                     before it comes into force
  custody registry diff @ registry.yaml                    what it would change
  custody registry show                                    what is in force
  custody registry drift                                   what it does not know

It comes into force by registry.file in the configuration, without a restart.`,
    );
}
