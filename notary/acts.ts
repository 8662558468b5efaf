import { verify } from 'node:crypto';
import { type AnchorAct, keyRotationText } from '../evidence/anchor-log/entry.ts';
import { fromBase64 } from '../evidence/note/base64.ts';
import { formatVerifierKey, type SigningKey } from '../evidence/note/key.ts';
import { InputError } from '../runtime/errors.ts';
import type { NotaryKeys } from './keys.ts';
import { answerRequest, type EnteredAct, pendingRequests } from './requests.ts';

/** An act on its way into the anchor log, and whoever waits for it. */
export interface WaitingAct {
  readonly act: AnchorAct;
  entered(place: EnteredAct): Promise<void> | void;
  refused(reason: string): Promise<void> | void;
}

export interface ActQueue {
  /** Resolves when the act is entered and under a signed checkpoint. Rejects with InputError when it is refused. */
  enter(act: AnchorAct): Promise<EnteredAct>;
  /** What waits now, from this process and from the state directory. */
  waiting(): Promise<readonly WaitingAct[]>;
  /** The act is not to be handed out again. */
  done(act: WaitingAct): void;
}

/** Acts asked for in this process (`enter`) and through files in the state directory (`custody` commands). */
export function createActQueue(stateDir: string, wake: () => void): ActQueue {
  const own: WaitingAct[] = [];
  return {
    enter: (act) =>
      new Promise((resolve, reject) => {
        own.push({
          act,
          entered: resolve,
          refused: (reason) => reject(new InputError('input_invalid', `cannot enter the act: ${reason}`)),
        });
        wake();
      }),
    async waiting() {
      const asked = await pendingRequests(stateDir);
      const fromFiles: WaitingAct[] = [];
      for (const { id, act } of asked) {
        if (act === undefined) {
          await answerRequest(stateDir, id, { refused: 'it is not an act in the known form' });
          continue;
        }
        fromFiles.push({
          act,
          entered: (place) => answerRequest(stateDir, id, place),
          refused: (reason) => answerRequest(stateDir, id, { refused: reason }),
        });
      }
      return [...own, ...fromFiles];
    },
    done(act) {
      const at = own.indexOf(act);
      if (at >= 0) own.splice(at, 1);
    },
  };
}

/** Acts that may be entered in one cycle; a rotation comes alone, with the key that takes over. */
export interface AcceptedActs {
  readonly acts: readonly WaitingAct[];
  readonly nextKey: SigningKey | undefined;
}

/** Refuses what must not be entered: a rotation whose keys are not these, or that the new key has not signed. */
export async function acceptActs(
  queue: ActQueue,
  context: { readonly origin: string; readonly key: SigningKey; readonly next: NotaryKeys['next'] },
): Promise<AcceptedActs> {
  const acts: WaitingAct[] = [];
  const nextKey = await context.next();
  for (const waiting of await queue.waiting()) {
    if (waiting.act.type !== 'key_rotated') {
      acts.push(waiting);
      continue;
    }
    const reason = rotationFault(waiting.act, context, nextKey);
    if (reason === undefined) return { acts: [waiting], nextKey };
    queue.done(waiting);
    await waiting.refused(reason);
  }
  return { acts, nextKey: undefined };
}

function rotationFault(
  { old, new: taker, proof }: Extract<AnchorAct, { type: 'key_rotated' }>,
  { origin, key }: { readonly origin: string; readonly key: SigningKey },
  nextKey: SigningKey | undefined,
): string | undefined {
  if (old !== formatVerifierKey(key)) return 'the old key is not the one in force';
  if (nextKey === undefined || taker !== formatVerifierKey(nextKey))
    return 'the new key is not in the state directory as next.key';
  const signature = fromBase64(proof);
  const text = Buffer.from(keyRotationText(origin, old, taker));
  if (signature === undefined || !verify(null, text, nextKey.publicKey, signature))
    return 'the new key has not signed the rotation';
  return undefined;
}
