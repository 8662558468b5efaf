import { CustodyError, PermanentError, TransientError } from '../../runtime/errors.ts';
import { engineCode, storeError } from './clickhouse-error.ts';

/** What somebody has to do after an engine error at start-up, by code. */
const REMEDIES = new Map<number, (words: string) => string>([
  [60, () => 'its tables are missing (run custody migrate)'],
  [81, () => 'it has no database custody (run custody migrate)'],
  [115, () => 'it does not know a setting custody pins (it must be ClickHouse 24.8 or newer)'],
  [164, () => 'the user is read-only (give it a role of deploy/clickhouse/roles.sql)'],
  [192, () => 'it does not know the user (check store.username)'],
  [193, () => 'it refuses the password (check store.username and store.password)'],
  [194, () => 'it wants a password (set store.password)'],
  [
    452,
    () =>
      'a settings profile forbids a setting custody pins (use the profiles of deploy/clickhouse/roles.sql)',
  ],
  [497, (words) => `the user lacks ${grantIn(words)} (see deploy/clickhouse/roles.sql)`],
  [516, () => 'it refuses user and password (check store.username and store.password)'],
]);
/** What is wrong is in our configuration, not on the server. */
const CONFIGURATION: ReadonlySet<number> = new Set([192, 193, 194, 516]);

const UNREACHABLE: ReadonlyMap<string, string> = new Map([
  ['ENOTFOUND', 'there is no host of that name (check store.url)'],
  ['EAI_AGAIN', 'the name server does not answer'],
  ['ECONNREFUSED', 'nothing listens there (check host and port of store.url, and that the server is up)'],
  ['EHOSTUNREACH', 'there is no route to it'],
  ['ENETUNREACH', 'there is no route to it'],
  ['ETIMEDOUT', 'it does not answer'],
  ['ECONNRESET', 'it closed the connection'],
]);

/** OpenSSL's and Node's codes for a certificate that is not trusted. */
const UNTRUSTED =
  /^(CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|ERR_TLS_CERT_ALTNAME_INVALID)/;
const TLS_FAILED = /^(EPROTO|ERR_SSL_|ERR_TLS_)/;

/** Says in one sentence why a server cannot be used, and what to do; classified by code. */
export function serverError(url: string, cause: unknown): CustodyError {
  if (cause instanceof CustodyError && cause.cause === undefined) return cause;
  const inner = cause instanceof CustodyError ? cause.cause : cause;
  const message = (reason: string) => `cannot use ClickHouse at ${url}: ${reason}`;
  const code = engineCode(inner);
  if (code !== undefined) {
    const remedy = REMEDIES.get(code);
    const words = inner instanceof Error ? inner.message : '';
    if (remedy === undefined) return storeError(`use ClickHouse at ${url}`, inner);
    return new PermanentError(
      CONFIGURATION.has(code) ? 'config_invalid' : 'rejected',
      message(remedy(words)),
      {
        cause: inner,
      },
    );
  }
  const errno = errnoOf(inner);
  if (UNTRUSTED.test(errno)) {
    const reason = `its certificate is not trusted: ${errno} (set store.ca_file, or use the name the certificate is for)`;
    return new PermanentError('config_invalid', message(reason), { cause: inner });
  }
  if (TLS_FAILED.test(errno)) {
    const reason = `there is no TLS: ${errno} (check store.url, store.cert_file and store.key_file)`;
    return new PermanentError('config_invalid', message(reason), { cause: inner });
  }
  const reason =
    UNREACHABLE.get(errno) ?? 'it does not answer in time, or not as ClickHouse does (check store.url)';
  return new TransientError('unavailable', message(reason), { cause: inner });
}

/** The right the engine names; its text is shown, never decided on. */
function grantIn(words: string): string {
  const grant = /have the grant ([A-Z ]+)(?:\([^)]*\))? ON ([\w.*`]+)/.exec(words);
  return grant === null ? 'a grant' : `GRANT ${grant[1] ?? ''} ON ${(grant[2] ?? '').replace(/\.$/, '')}`;
}

function errnoOf(cause: unknown): string {
  if (!(cause instanceof Error)) return '';
  if (cause instanceof AggregateError) return errnoOf(cause.errors[0]);
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
}
