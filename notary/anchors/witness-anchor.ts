import { parseSize } from '../../evidence/note/checkpoint.ts';
import { parseVerifierKey, verifiedBy, type VerifierKey } from '../../evidence/note/key.ts';
import {
  formatNote,
  formatSignature,
  NoteFormatError,
  type NoteSignature,
  parseSignatures,
  strictText,
} from '../../evidence/note/note.ts';
import { formatAddCheckpoint } from '../../evidence/witness.ts';
import type { Clock } from '../../runtime/clock.ts';
import { ConfigError, IntegrityError, PermanentError, TransientError } from '../../runtime/errors.ts';
import type { AnchorConfigOf } from '../../schemas/config/anchors.ts';
import type { Anchor, AnchoredCheckpoint } from '../anchor.ts';
import { otherTree } from './held.ts';
import { type Answer, createCaller, failureOf, readAnchorFile } from './post.ts';

/** It answers with its size once; more often only when somebody else asks it at the same time. */
const ATTEMPTS = 4;
const ADVICE: Readonly<Record<number, string>> = {
  403: 'it does not know the key of this log: give it custody notary’s verifier key',
  404: 'it does not know this log: give it custody notary’s verifier key',
};

/**
 * A witness (C2SP tlog-witness) that cosigns checkpoints: it signs only what leads on from what it signed before. Its last
 * size is learned from its own answers. There is no `latest`: a witness tells the size of a log only to who shows a signed
 * checkpoint of it, and without a signature; that the log has gone back shows in the next `publish`.
 * @throws ConfigError
 */
export function openWitnessAnchor(
  config: AnchorConfigOf<'witness'>,
  { clock }: { readonly clock: Clock },
): Anchor {
  const { id, ca_file } = config;
  const key = readKey(config);
  const caller = createCaller({
    url: new URL(`${config.url.replace(/\/$/, '')}/add-checkpoint`),
    ca: ca_file === undefined ? undefined : readAnchorFile(id, 'ca_file', ca_file),
    timeoutMs: config.timeout_ms,
    clock,
  });
  const action = `have witness ${caller.host} sign`;
  /** Size it signed last; 0 while that is not known, which it then tells. */
  let lastSize = 0n;

  /** The cosignature, or the size that the proof must lead from. */
  async function ask(checkpoint: AnchoredCheckpoint, oldSize: bigint): Promise<NoteSignature | bigint> {
    const body = formatAddCheckpoint(
      oldSize,
      await proofFrom(checkpoint, oldSize),
      formatNote(checkpoint.note),
    );
    const answer = await caller.post(Buffer.from(body), 'text/plain; charset=utf-8');
    switch (answer.status) {
      case 200:
        return cosignatureIn(answer, checkpoint.note.text);
      case 409:
        return sizeIn(answer);
      case 422:
        throw new IntegrityError(
          `cannot anchor checkpoint of size ${checkpoint.size}: for witness ${caller.host} it does not lead on from size ${oldSize}`,
        );
      default:
        throw failureOf(action, answer, ADVICE);
    }
  }

  async function proofFrom({ size, proofFrom }: AnchoredCheckpoint, oldSize: bigint) {
    if (oldSize === 0n || oldSize === size) return [];
    try {
      return await proofFrom(oldSize);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new IntegrityError(
        `cannot anchor checkpoint of size ${size}: witness ${caller.host} has signed size ${oldSize}, which this log never had`,
        { cause },
      );
    }
  }

  function cosignatureIn({ body }: Answer, text: string): NoteSignature {
    let signatures: readonly NoteSignature[] = [];
    try {
      signatures = parseSignatures(strictText(body));
    } catch (error) {
      if (!(error instanceof NoteFormatError)) throw error;
    }
    // One by one: a forged line must not hide a good one.
    const good = signatures.find((each) => verifiedBy({ text, signatures: [each] }, [key]).by.length === 1);
    if (good === undefined)
      throw new PermanentError('rejected', `cannot ${action}: its answer has no signature of ${key.name}`);
    return good;
  }

  function sizeIn({ body }: Answer): bigint {
    const size = parseSize(body.toString('latin1').replace(/\n$/, ''));
    if (size === undefined)
      throw new TransientError('unavailable', `cannot ${action}: it told no size with its 409`);
    return size;
  }

  return {
    id,
    type: 'witness',
    async publish(checkpoint) {
      const { size } = checkpoint;
      let oldSize = lastSize > size ? 0n : lastSize;
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        const answer = await ask(checkpoint, oldSize);
        if (typeof answer !== 'bigint') {
          lastSize = size;
          return { type: 'cosignature', line: formatSignature(answer) };
        }
        if (answer > size) {
          throw new IntegrityError(
            `cannot anchor checkpoint of size ${size}: witness ${caller.host} has signed size ${answer}, so this log has gone back`,
          );
        }
        if (answer === oldSize && answer === size) throw otherTree(`witness ${caller.host}`, size);
        oldSize = answer;
      }
      throw new TransientError('unavailable', `cannot ${action}: it tells another size each time`);
    },
    close() {
      caller.close();
      return Promise.resolve();
    },
  };
}

function readKey({ id, verifier_key }: AnchorConfigOf<'witness'>): VerifierKey {
  const path = `notary.anchors.${id}.verifier_key`;
  try {
    const key = parseVerifierKey(verifier_key);
    if (key.use !== 'witness') throw new RangeError('it is the key of a log, not of a witness');
    return key;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new ConfigError(`cannot use ${path}: ${cause.message}`, { path, cause });
  }
}
