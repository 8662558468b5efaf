import { sameHash } from '../../evidence/merkle/tree-hash.ts';
import { formatNote, formatSignature, type SignedNote } from '../../evidence/note/note.ts';
import type { Clock } from '../../runtime/clock.ts';
import {
  ConfigError,
  CustodyError,
  IntegrityError,
  PermanentError,
  TransientError,
} from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { AnchorConfigOf } from '../../schemas/config/anchors.ts';
import type { Anchor, AnchoredCheckpoint } from '../anchor.ts';
import { type Held, isHeld, otherTree, readHeld } from './held.ts';
import { createPace } from './pace.ts';
import { openS3Bucket } from './s3-bucket.ts';
import { s3Error } from './s3-error.ts';
import { s3Key, s3Prefix, sizeOfS3Key } from './s3-key.ts';

const DAY_MS = 86_400_000;
/** Of one key: our own two, and whoever has the same credentials. */
const VERSIONS_MAX = 16;
/** The server may round to seconds. */
const ROUNDING_MS = 60_000;

/**
 * S3 Object Lock in compliance mode: one object for each checkpoint, which nobody, the account's owner included, can
 * change or delete before its time. An object that is there is never replaced, and markers of deletion hide nothing.
 * @throws ConfigError when the bucket has no object lock, is not there or may not be used; when S3 does not answer, that
 * is found out with the first `publish`.
 */
export async function openS3Anchor(
  config: AnchorConfigOf<'s3'>,
  deps: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly secrets: Parameters<typeof openS3Bucket>[1];
  },
): Promise<Anchor> {
  const { id, bucket: name, prefix } = config;
  const bucket = await openS3Bucket(config, deps.secrets);
  const pace = createPace(config.interval_ms, deps.clock);
  const place = `S3 bucket ${name}`;
  const heads = new Map<string, Held>();
  let isChecked = false;
  let isLockSeen = false;

  async function check(): Promise<void> {
    if (isChecked) return;
    const hasLock = await attempt('look at object lock', () => bucket.hasObjectLock());
    if (!hasLock)
      throw new PermanentError(
        'rejected',
        `cannot use ${place}: it has no object lock; make another bucket with it, it cannot be added to this one`,
      );
    isChecked = true;
  }

  async function attempt<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw s3Error(`${action} in ${place}`, cause);
    }
  }

  async function newest(origin: string): Promise<Held | undefined> {
    const keyPrefix = s3Prefix(prefix, origin);
    let found: (Held & { readonly key: string }) | undefined;
    let versionCount = 0;
    await attempt('list checkpoints', async () => {
      for await (const { key, version } of bucket.versions(keyPrefix)) {
        const size = sizeOfS3Key(key, keyPrefix);
        if (size === undefined) continue;
        if (found !== undefined && found.key !== key) return;
        const held = readHeld(origin, await bucket.get(key, version));
        versionCount += 1;
        if (held?.size !== size || versionCount > VERSIONS_MAX)
          throw new IntegrityError(`cannot use ${place}: ${key} is not the checkpoint of its name`);
        if (found !== undefined && !sameHash(found.root, held.root))
          throw new IntegrityError(`cannot use ${place}: it has two trees of size ${size}`);
        found = { ...held, key };
      }
    });
    return found;
  }

  /** What is there under the key of a checkpoint is that checkpoint, with the signatures it has here. */
  async function refuseOther({ origin, size, note }: AnchoredCheckpoint, key: string): Promise<void> {
    const held = readHeld(origin, await attempt('read a checkpoint', () => bucket.get(key)));
    if (held === undefined || !hasAll(held.note, note)) throw otherTree(place, size);
  }

  async function put(checkpoint: AnchoredCheckpoint, key: string): Promise<string> {
    const body = Buffer.from(formatNote(checkpoint.note));
    const retainUntilMs = deps.clock.nowMs() + config.retention_days * DAY_MS;
    const version = await attempt('put a checkpoint', () =>
      bucket.putNew(key, body, new Date(retainUntilMs)),
    );
    if (version === false) {
      await refuseOther(checkpoint, key);
      return `s3://${name}/${key}`;
    }
    if (!isLockSeen) {
      const until = await attempt('look at the lock of an object', () => bucket.lockedUntil(key, version));
      if (until === undefined || until.getTime() < retainUntilMs - ROUNDING_MS)
        throw new PermanentError(
          'rejected',
          `cannot use ${place}: the server did not lock what was put there`,
        );
      isLockSeen = true;
    }
    return `s3://${name}/${key}${version === '' ? '' : `?versionId=${version}`}`;
  }

  try {
    await check();
  } catch (cause) {
    if (!(cause instanceof TransientError)) {
      bucket.close();
      if (!(cause instanceof CustodyError)) throw cause;
      throw new ConfigError(cause.message, { path: `notary.anchors.${id}`, cause });
    }
    deps.logger.warn({ anchor: id, reason: cause.message }, 'an anchor does not answer yet');
  }

  return {
    id,
    type: 's3',
    minIntervalMs: config.interval_ms,
    async publish(checkpoint) {
      if (!pace.isDue()) return undefined;
      await check();
      const { origin, size, root, note } = checkpoint;
      const key = s3Key(prefix, origin, size);
      const head = heads.get(origin) ?? (await newest(origin));
      let at = `s3://${name}/${key}`;
      if (head === undefined || !isHeld(place, head, checkpoint)) at = await put(checkpoint, key);
      else if (!hasAll(head.note, note)) throw otherTree(place, size);
      heads.set(origin, { size, root, note });
      pace.done();
      return { type: 'place', place: at };
    },
    latest: (origin) => newest(origin),
    close() {
      bucket.close();
      return Promise.resolve();
    },
  };
}

function hasAll(there: SignedNote, ours: SignedNote): boolean {
  const lines = new Set(there.signatures.map(formatSignature));
  return there.text === ours.text && ours.signatures.every((each) => lines.has(formatSignature(each)));
}
