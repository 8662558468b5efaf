import type { S3Client } from '@aws-sdk/client-s3';
import { PermanentError } from '../../runtime/errors.ts';
import type { AnchorConfigOf } from '../../schemas/config/anchors.ts';
import { s3ClientConfig, type ReadSecret } from './s3-client-config.ts';
import { s3Failure } from './s3-error.ts';

/** The few requests an anchor makes. They reject with what the SDK throws. */
export interface S3Bucket {
  /** Whether objects can be locked. */
  hasObjectLock(): Promise<boolean>;
  /** False when there is an object of this key. Resolves with the version otherwise. */
  putNew(key: string, body: Buffer, retainUntil: Date): Promise<string | false>;
  /** Until when nobody can delete the object; `undefined` when somebody can. */
  lockedUntil(key: string, version: string): Promise<Date | undefined>;
  /** Every version of the keys of the prefix in their order, those with a marker of deletion over them too. */
  versions(prefix: string): AsyncGenerator<{ readonly key: string; readonly version: string }>;
  get(key: string, version?: string): Promise<Buffer>;
  close(): void;
}

const ATTEMPTS = 2;
/** Longer objects are none of ours. */
const OBJECT_MAX_BYTES = 1024 * 1024;
const PAGE_COUNT = 100;
/** Strangers' keys, or markers of deletion, that are passed over in search of the first of ours. */
const PAGES_MAX = 100;

export async function openS3Bucket(config: AnchorConfigOf<'s3'>, secrets: ReadSecret): Promise<S3Bucket> {
  // The SDK takes long to load, and few have this anchor.
  const sdk = await import('@aws-sdk/client-s3');
  const client: S3Client = new sdk.S3Client(
    s3ClientConfig(config, `notary.anchors.${config.id}`, secrets, ATTEMPTS),
  );
  const closing = new AbortController();
  const { bucket: Bucket } = config;
  const options = { abortSignal: closing.signal };

  return {
    async hasObjectLock() {
      try {
        const answer = await client.send(new sdk.GetObjectLockConfigurationCommand({ Bucket }), options);
        return answer.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled';
      } catch (error) {
        if (s3Failure(error).code === 'ObjectLockConfigurationNotFoundError') return false;
        throw error;
      }
    },
    async putNew(key, body, retainUntil) {
      try {
        const answer = await client.send(
          new sdk.PutObjectCommand({
            Bucket,
            Key: key,
            Body: body,
            ContentType: 'text/plain; charset=utf-8',
            IfNoneMatch: '*',
            ObjectLockMode: 'COMPLIANCE',
            ObjectLockRetainUntilDate: retainUntil,
          }),
          options,
        );
        return answer.VersionId ?? '';
      } catch (error) {
        if (s3Failure(error).status === 412) return false;
        throw error;
      }
    },
    async lockedUntil(key, version) {
      const head = await client.send(
        new sdk.HeadObjectCommand({ Bucket, Key: key, ...(version !== '' && { VersionId: version }) }),
        options,
      );
      return head.ObjectLockMode === 'COMPLIANCE' ? head.ObjectLockRetainUntilDate : undefined;
    },
    async *versions(prefix) {
      let marker: { KeyMarker?: string; VersionIdMarker?: string } = {};
      for (let page = 0; page < PAGES_MAX; page += 1) {
        const answer = await client.send(
          new sdk.ListObjectVersionsCommand({ Bucket, Prefix: prefix, MaxKeys: PAGE_COUNT, ...marker }),
          options,
        );
        for (const { Key: key, VersionId: version } of answer.Versions ?? [])
          if (key !== undefined) yield { key, version: version ?? '' };
        if (answer.IsTruncated !== true) return;
        marker = {
          ...(answer.NextKeyMarker !== undefined && { KeyMarker: answer.NextKeyMarker }),
          ...(answer.NextVersionIdMarker !== undefined && { VersionIdMarker: answer.NextVersionIdMarker }),
        };
      }
      throw new PermanentError(
        'rejected',
        `cannot find checkpoints in S3 bucket ${Bucket}: too much else is before them`,
      );
    },
    async get(key, version) {
      const answer = await client.send(
        new sdk.GetObjectCommand({ Bucket, Key: key, ...(version !== undefined && { VersionId: version }) }),
        options,
      );
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      for await (const chunk of (answer.Body ?? []) as AsyncIterable<Uint8Array>) {
        bytes += chunk.length;
        if (bytes > OBJECT_MAX_BYTES) break;
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    },
    close() {
      closing.abort();
      client.destroy();
    },
  };
}
