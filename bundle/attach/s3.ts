import { open, type FileHandle } from 'node:fs/promises';
import * as sdk from '@aws-sdk/client-s3';
import { s3ClientConfig } from '../../notary/anchors/s3-client-config.ts';
import { s3Error, s3Failure } from '../../notary/anchors/s3-error.ts';
import { PermanentError } from '../../runtime/errors.ts';
import type { AttachTargetOf } from '../../schemas/config/bundle.ts';
import type { AttachDeps, Attached, Attachment } from './attach.ts';

type S3Target = AttachTargetOf<'s3'>;

const ATTEMPTS = 3;
const DAY_MS = 86_400_000;
/** S3 takes 5 MiB to 5 GiB and 10,000 parts; one part is in memory at a time. */
const PART_BYTES = 16 * 1024 * 1024;
const PARTS_MAX = 10_000;
/** The server may round to seconds. */
const ROUNDING_MS = 60_000;

/**
 * Puts the file into a bucket with object lock in compliance mode: nobody, the account's owner included, can change or
 * delete it before its time. An object that is there is never replaced. Resolves when the lock was read back.
 */
export async function attachToS3(
  target: S3Target,
  attachment: Attachment,
  deps: AttachDeps,
): Promise<Attached> {
  const client = new sdk.S3Client(
    s3ClientConfig(target, `bundle.attach.${target.id}`, deps.secrets, ATTEMPTS),
  );
  const { caseId, digest, name } = attachment;
  const place = {
    Bucket: target.bucket,
    Key: `${target.prefix}/${encodeURIComponent(caseId)}/${digest.slice(0, 16)}-${encodeURIComponent(name)}`,
  };
  const retainUntil = new Date(deps.clock.nowMs() + target.retention_days * DAY_MS);
  const what = {
    ...place,
    ContentType: 'application/zip',
    Metadata: { 'custody-sha256': digest },
    ObjectLockMode: 'COMPLIANCE' as const,
    ObjectLockRetainUntilDate: retainUntil,
  };
  const file = await open(attachment.file, 'r');
  try {
    const VersionId = await upload(client, file, what, attachment, deps).catch((error: unknown) => {
      // The key has the digest in it: what is there is this bundle, taken there before.
      if (s3Failure(error).status === 412) return undefined;
      throw error;
    });
    const head = await client.send(new sdk.HeadObjectCommand({ ...place, ...(VersionId && { VersionId }) }));
    const until = head.ObjectLockMode === 'COMPLIANCE' ? head.ObjectLockRetainUntilDate : undefined;
    if (until === undefined || until.getTime() < retainUntil.getTime() - ROUNDING_MS)
      throw new PermanentError(
        'rejected',
        `cannot attach to ${target.id}: bucket ${target.bucket} did not lock what was put there; use a bucket with object lock`,
      );
    return { location: `s3://${place.Bucket}/${place.Key}${VersionId ? `?versionId=${VersionId}` : ''}` };
  } catch (cause) {
    deps.signal.throwIfAborted();
    throw s3Error(`attach to ${target.id}`, cause);
  } finally {
    await file.close();
    client.destroy();
  }
}

type Put = Pick<
  sdk.PutObjectCommandInput,
  'Bucket' | 'Key' | 'ContentType' | 'Metadata' | 'ObjectLockMode' | 'ObjectLockRetainUntilDate'
>;

/** One request for a small file, parts for a large one; gives the version. */
async function upload(
  client: sdk.S3Client,
  file: FileHandle,
  what: Put,
  { bytes }: Attachment,
  { signal, onBytes }: AttachDeps,
): Promise<string | undefined> {
  const options = { abortSignal: signal };
  if (bytes <= PART_BYTES) {
    const Body = await readPart(file, 0, bytes);
    const put = new sdk.PutObjectCommand({ ...what, Body, IfNoneMatch: '*', ChecksumAlgorithm: 'SHA256' });
    const { VersionId } = await client.send(put, options);
    onBytes(bytes, bytes);
    return VersionId;
  }
  const partBytes = Math.max(PART_BYTES, Math.ceil(bytes / PARTS_MAX));
  const { Bucket, Key } = what;
  const begun = await client.send(
    new sdk.CreateMultipartUploadCommand({ ...what, ChecksumAlgorithm: 'SHA256' }),
    options,
  );
  const under = { Bucket, Key, UploadId: begun.UploadId };
  try {
    const Parts: sdk.CompletedPart[] = [];
    for (let at = 0; at < bytes; at += partBytes) {
      const PartNumber = Parts.length + 1;
      const Body = await readPart(file, at, Math.min(partBytes, bytes - at));
      const part = new sdk.UploadPartCommand({ ...under, PartNumber, Body, ChecksumAlgorithm: 'SHA256' });
      const { ETag, ChecksumSHA256 } = await client.send(part, options);
      Parts.push({ PartNumber, ETag, ChecksumSHA256 });
      onBytes(Math.min(at + partBytes, bytes), bytes);
    }
    const complete = { ...under, MultipartUpload: { Parts }, IfNoneMatch: '*' };
    const { VersionId } = await client.send(new sdk.CompleteMultipartUploadCommand(complete), options);
    return VersionId;
  } catch (error) {
    // Parts that are left cost money and are no object.
    await client.send(new sdk.AbortMultipartUploadCommand(under)).catch(() => undefined);
    throw error;
  }
}

async function readPart(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const part = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(part, done, length - done, at + done);
    if (bytesRead === 0)
      throw new PermanentError('rejected', 'cannot attach: the file became shorter meanwhile');
    done += bytesRead;
  }
  return part;
}
