import type { Command } from 'commander';
import type { AnchorAct } from '../evidence/anchor-log/entry.ts';
import { awaitAct, requestAct } from '../notary/requests.ts';
import { notaryStateDir } from '../pipeline/notary-state-dir.ts';
import { InputError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';
import { withCommonOptions, type CommonOptions } from './options.ts';

/** Options of a command that has something entered into the anchor log. */
export interface ActFlags extends CommonOptions {
  readonly operator: string;
  readonly reason: string;
  readonly wait: string;
}

export function withActOptions(command: Command): Command {
  return withCommonOptions(command)
    .requiredOption('--operator <who>', 'who decides this; goes into the anchor log')
    .requiredOption('--reason <text>', 'why; goes into the anchor log')
    .option('--wait <seconds>', 'how long to wait for the notary', '30');
}

/** Asks the notary to enter an act, waits for it, and prints what became of it with `about`. */
export async function enterAct(
  config: Config,
  act: AnchorAct,
  { json, wait }: ActFlags,
  about: Readonly<Record<string, string>>,
): Promise<void> {
  const seconds = Number(wait);
  if (!(seconds >= 0 && seconds <= 3600))
    throw new InputError('input_invalid', 'cannot use --wait: it is not a number of seconds up to 3600');
  const stateDir = notaryStateDir(config);
  const { id } = await requestAct(stateDir, act);
  const entered = await awaitAct(stateDir, id, seconds * 1000);
  if (json === true) {
    const place =
      entered === undefined
        ? { state: 'requested' }
        : { state: 'entered', seq: String(entered.seq), size: String(entered.size) };
    process.stdout.write(`${JSON.stringify({ ...about, ...place })}\n`);
    return;
  }
  const sentence =
    entered === undefined
      ? 'asked; no notary answered in time, the next one that runs on this state enters it'
      : `entry ${entered.seq} of the anchor log, signed at size ${entered.size}`;
  const lines = Object.entries(about).map(([name, value]) => `${name}: ${value}\n`);
  process.stdout.write(`${sentence}\n${lines.join('')}`);
}
