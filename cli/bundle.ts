import { Command } from 'commander';
import {
  bundleAttachCommand,
  bundleNoteCommand,
  bundleOpenCommand,
  bundleTransferCommand,
} from './bundle-acts.ts';
import { bundleCreateCommand } from './bundle-create.ts';
import { bundleVerifyCommand } from './bundle-verify.ts';
import type { SetExitCode } from './options.ts';

/** `custody bundle`: evidence of a case in one file that anybody can verify offline. */
export function bundleCommand(setExitCode: SetExitCode): Command {
  return new Command('bundle')
    .description('evidence bundles: export a case, hand it on, verify it offline')
    .addHelpText(
      'after',
      `
Examples:
  custody bundle create --case INC-42 --alert 7d0f… --key bundle.key --out inc-42.zip
  custody bundle verify inc-42.zip --trust trust.json --json
  custody bundle transfer inc-42.zip --actor dana --to "CERT, M. Example" --reason "handed over" --key bundle.key`,
    )
    .addCommand(bundleCreateCommand())
    .addCommand(bundleVerifyCommand(setExitCode))
    .addCommand(bundleOpenCommand())
    .addCommand(bundleTransferCommand())
    .addCommand(bundleNoteCommand())
    .addCommand(bundleAttachCommand());
}
