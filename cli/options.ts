import type { Command } from 'commander';
import type { Config } from '../schemas/config.ts';
import { loadConfig } from './load-config.ts';

/** Told by a command that ends normally but not with 0. */
export type SetExitCode = (code: number) => void;

export interface CommonOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
}

/** Options every command has. */
export function withCommonOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration file (default: custody.yaml if present; or CUSTODY_CONFIG)')
    .option('-d, --data-dir <dir>', 'data directory (default: ./data; or CUSTODY_DATA_DIR)')
    .option('--json', 'print JSON for machines');
}

/** The effective configuration of a command: file, environment, then its flags. */
export function configOf(options: CommonOptions): Config {
  const config = loadConfig({ file: options.config, env: process.env });
  return options.dataDir === undefined ? config : { ...config, data_dir: options.dataDir };
}
