import { CustodyError, PermanentError, TransientError } from '../../runtime/errors.ts';

/** What a person does about it, by S3's error code. */
const ADVICE: Readonly<Record<string, string>> = {
  AccessDenied: 'the credentials do not allow it; docs/operations/anchors.md names what they must allow',
  InvalidAccessKeyId: 'the access key is not known there',
  SignatureDoesNotMatch: 'the secret access key is another',
  RequestTimeTooSkewed: 'the clock of this machine is wrong',
  CredentialsProviderError: 'the AWS SDK finds no credentials; set credentials',
  NoSuchBucket: 'there is no such bucket',
  PermanentRedirect: 'the bucket is in another region',
  AuthorizationHeaderMalformed: 'the bucket is in another region',
  NotImplemented: 'the server cannot do what is needed: object lock, versions, and writes on condition',
  InvalidRequest: 'the bucket has no object lock; it can only be made with it',
  InvalidBucketState: 'the bucket has no object lock; it can only be made with it',
};
/** Codes with a 4xx status that pass. */
const PASSING: ReadonlySet<string> = new Set([
  'RequestTimeout',
  'ConditionalRequestConflict',
  'OperationAborted',
  'TooManyRequests',
]);

export interface S3Failure {
  readonly code: string;
  /** Of the answer; `undefined` when there was none. */
  readonly status: number | undefined;
}

/** What the SDK threw, by code and status. */
export function s3Failure(error: unknown): S3Failure {
  const { name, code, $metadata } = error as {
    readonly name?: string;
    readonly code?: string;
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  return { code: code ?? name ?? 'unknown', status: $metadata?.httpStatusCode };
}

/** A failure of S3 as an error that says what to do. */
export function s3Error(action: string, cause: unknown): unknown {
  if (cause instanceof CustodyError) return cause;
  const { code, status } = s3Failure(cause);
  const advice = ADVICE[code];
  const message = `cannot ${action}: ${advice === undefined ? code : `${advice} (${code})`}`;
  if (status === 429 || code === 'SlowDown') return new TransientError('rate_limited', message, { cause });
  const isAnswered = status !== undefined && (status < 500 || status === 501) && !PASSING.has(code);
  if (isAnswered || advice !== undefined) return new PermanentError('rejected', message, { cause });
  return new TransientError('unavailable', message, { cause });
}
