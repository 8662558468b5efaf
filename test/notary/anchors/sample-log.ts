import { checkpointText } from '../../../evidence/note/checkpoint.ts';
import { type SigningKey, signText } from '../../../evidence/note/key.ts';
import type { AnchoredCheckpoint } from '../../../notary/anchor.ts';
import { growingLog, newKey } from '../../witness/growing-log.ts';

export const ORIGIN = 'acme/anchor';
export const NOW_MS = 1_790_000_000_000;

export interface SampleLog {
  readonly key: SigningKey;
  /** The checkpoint of that size, as a notary would hand it to an anchor. */
  at(size: number): AnchoredCheckpoint;
}

/** An anchor log of 64 entries. Logs of one key with different salts are one log's two histories. */
export function sampleLog(key = newKey(ORIGIN, 'log'), salt = ''): SampleLog {
  const log = growingLog(key, salt);
  return {
    key,
    at(size) {
      const root = log.rootOf(0, size);
      const text = checkpointText({ origin: key.name, size: BigInt(size), root });
      return {
        origin: key.name,
        size: BigInt(size),
        root,
        timeMs: NOW_MS + size,
        note: { text, signatures: [signText(key, text, 0n)] },
        proofFrom: (old) => Promise.resolve(log.proofOf(Number(old), size)),
      };
    },
  };
}
