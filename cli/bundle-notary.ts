import { existsSync } from 'node:fs';
import type { AnchorAct } from '../evidence/anchor-log/entry.ts';
import { awaitAct, requestAct } from '../notary/requests.ts';
import { readRunFile } from '../pipeline/run-file.ts';
import { notaryStateDir } from '../pipeline/notary-state-dir.ts';
import { CustodyError } from '../runtime/errors.ts';
import type { Config } from '../schemas/config.ts';

type BundleAct = Omit<Extract<AnchorAct, { readonly type: 'bundle' }>, 'type'>;

const WAIT_MS = 15_000;

/**
 * Has the notary enter that a bundle was made, opened or handed on, so that it is in the log as well. The bundle is good
 * without it; gives in words what became of it.
 */
export async function enterBundleAct(config: Config, act: BundleAct): Promise<string> {
  const stateDir = notaryStateDir(config);
  if (!existsSync(stateDir))
    return 'not in the anchor log: no notary keeps its state here (run this where the notary runs, or set notary.state_dir)';
  try {
    const { id } = await requestAct(stateDir, { type: 'bundle', ...act });
    const entered = await awaitAct(stateDir, id, readRunFile(config.data_dir) === undefined ? 0 : WAIT_MS);
    return entered === undefined
      ? 'asked for the anchor log: the notary enters it when it runs'
      : `entry ${entered.seq} of the anchor log, signed at size ${entered.size}`;
  } catch (error) {
    if (error instanceof CustodyError) return `not in the anchor log: ${error.message}`;
    const errno = (error as NodeJS.ErrnoException).code;
    if (errno === undefined) throw error;
    return `not in the anchor log: the notary's directory cannot be written (${errno})`;
  }
}
