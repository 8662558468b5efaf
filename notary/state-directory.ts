import { hash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lockDirectory } from '../runtime/directory-lock.ts';
import { IntegrityError, TransientError } from '../runtime/errors.ts';
import { replaceFile } from '../runtime/replace-file.ts';
import { emptyState, formatState, type NotaryState, parseState } from './state.ts';
import { openTreeNodes, type TreeNodes } from './tree-nodes.ts';

/** A notary's memory on disk, held by this process alone. */
export interface StateDirectory {
  readonly path: string;
  readonly state: NotaryState;
  readonly nodes: TreeNodes;
  /**
   * Makes `next` the state: the leaves it adds to the anchor log first, then the state itself, in one step. Compares
   * before it swaps: rejects with IntegrityError when somebody else has changed the state meanwhile, with TransientError
   * when the disk does not take it; the state on disk is then the old one or `next`, and `state` is still the old one.
   */
  commit(next: NotaryState, leaves: readonly Uint8Array[]): Promise<void>;
  close(): Promise<void>;
}

/** Name of the state in its directory. */
export const STATE_FILE = 'state.json';

/**
 * Opens the state, or makes that of a notary that has signed nothing: what the store has been told decides whether that can
 * be true.
 * @throws PermanentError (`locked`), IntegrityError (damage), TransientError.
 */
export async function openStateDirectory(
  path: string,
  { origin, verifierKey }: { readonly origin: string; readonly verifierKey: string },
): Promise<StateDirectory> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const lock = await lockDirectory(path);
  const file = join(path, STATE_FILE);
  let nodes: TreeNodes | undefined;
  try {
    let digest = await digestOf(file);
    let state =
      digest === undefined ? emptyState(origin, verifierKey) : parseState(await readFile(file, 'utf8'), file);
    if (state.origin !== origin)
      throw new IntegrityError(`cannot use ${file}: it is of ${state.origin}, not of ${origin}`);
    nodes = await openTreeNodes(join(path, 'nodes'), state.anchor.end);
    const held = nodes;
    return {
      path,
      nodes,
      get state() {
        return state;
      },
      async commit(next, leaves) {
        if ((await digestOf(file)) !== digest)
          throw new IntegrityError(`cannot sign: somebody else has changed ${file}`);
        await held.append(state.anchor.end, leaves);
        const text = formatState(next);
        try {
          await replaceFile(file, text);
        } catch (error) {
          // It may be there all the same; the next comparison is with what is there.
          const found = await digestOf(file);
          if (found === digestOfText(text)) {
            digest = found;
            state = next;
          }
          throw error;
        }
        digest = digestOfText(text);
        state = next;
      },
      async close() {
        await held.close();
        await lock.release();
      },
    };
  } catch (error) {
    await nodes?.close();
    await lock.release();
    throw error;
  }
}

const digestOfText = (text: string) => hash('sha256', text, 'hex');

/** `undefined` when there is no file. */
async function digestOf(file: string): Promise<string | undefined> {
  try {
    return digestOfText(await readFile(file, 'utf8'));
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code;
    if (errno === 'ENOENT') return undefined;
    throw new TransientError('unavailable', `cannot read ${file}: ${errno ?? 'unknown error'}`, { cause });
  }
}
