import { Command } from 'commander';
import { withCommonOptions, type SetExitCode } from './options.ts';
export function verifyCommand(_setExitCode: SetExitCode): Command {
  return withCommonOptions(new Command('verify'));
}
