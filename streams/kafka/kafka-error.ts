import { CustodyError, PermanentError, TransientError } from '../../runtime/errors.ts';

/** What a person does about it, by the broker's error type or the socket's error code. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the host name is unknown; check log.brokers',
  EAI_AGAIN: 'the host name cannot be looked up; check log.brokers and the name server',
  ECONNREFUSED: 'nothing listens there; check log.brokers and that the brokers run',
  ECONNRESET: 'the broker closed the connection; check that log.tls fits its listener',
  ETIMEDOUT: 'the broker did not answer; check log.brokers and the network',
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'the broker has a self-signed certificate; name its authority in log.tls.ca_file',
  SELF_SIGNED_CERT_IN_CHAIN: 'the authority is not trusted; name it in log.tls.ca_file',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the authority is not trusted; name it in log.tls.ca_file',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'the certificate names another host; check log.brokers or set log.tls.server_name',
  CLOSED: 'the broker closed the connection; check that log.tls and log.sasl fit its listener',
  NO_COORDINATOR:
    'no broker coordinates it for this user; grant WRITE and DESCRIBE on the transactional id prefix, READ on the group prefix',
  SASL: 'user name or password is wrong; check log.sasl',
  TOPIC_AUTHORIZATION_FAILED:
    'the user may not use the topic; grant READ, WRITE, DESCRIBE and DESCRIBE_CONFIGS on it',
  GROUP_AUTHORIZATION_FAILED:
    'the user may not use the consumer group; grant READ and DESCRIBE on the group prefix',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    'the user may not use the transactional id; grant WRITE and DESCRIBE on the transactional id prefix',
  CLUSTER_AUTHORIZATION_FAILED:
    'the user may not write; grant WRITE on the topic prefix, before Kafka 3.0 also IDEMPOTENT_WRITE on the cluster',
  UNKNOWN_TOPIC_OR_PARTITION: 'the topic does not exist; run custody topics',
  NOT_ENOUGH_REPLICAS: 'too few replicas are in sync; check the brokers',
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 'too few replicas are in sync; check the brokers',
  KAFKA_STORAGE_ERROR: 'a broker cannot write its disk',
};

/** Nothing gets better by repeating these until somebody changes something. */
const NEEDS_A_HUMAN: ReadonlySet<string> = new Set([
  'ENOTFOUND',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SASL',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);

/** Errors of kafkajs that carry neither. It swallows why it found no coordinator. */
const BY_NAME: Readonly<Record<string, string>> = {
  KafkaJSSASLAuthenticationError: 'SASL',
  KafkaJSConnectionClosedError: 'CLOSED',
  KafkaJSGroupCoordinatorNotFound: 'NO_COORDINATOR',
};

/** The broker's error type or the socket's code at the bottom of a kafkajs error. */
export function kafkaErrorType(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = innerOf(at)) {
    const { type, code, name } = at as Error & { type?: unknown; code?: unknown };
    const named = BY_NAME[name];
    if (named !== undefined) return named;
    if (typeof type === 'string') return type;
    if (typeof code === 'string') return code;
  }
  return undefined;
}

/** What is inside an error: its cause, or the first of several. */
function innerOf(error: Error): unknown {
  const { cause, errors } = error as Error & { errors?: unknown };
  const inner: unknown = Array.isArray(errors) ? errors[0] : cause;
  return inner === error ? undefined : inner;
}

/** A failure of Kafka while the pipeline runs: it is tried again, the message says what to look at. */
export function kafkaError(action: string, cause: unknown): CustodyError {
  if (cause instanceof CustodyError) return cause;
  return new TransientError('unavailable', `cannot ${action}: ${reasonOf(cause)}`, { cause });
}

/** The same at start, where whoever starts the program should hear at once of what will not pass by itself. */
export function kafkaStartError(action: string, cause: unknown): CustodyError {
  const type = kafkaErrorType(cause);
  if (cause instanceof CustodyError || type === undefined || !NEEDS_A_HUMAN.has(type))
    return kafkaError(action, cause);
  return new PermanentError('rejected', `cannot ${action}: ${reasonOf(cause)}`, { cause });
}

function reasonOf(cause: unknown): string {
  const type = kafkaErrorType(cause);
  if (type === undefined) return 'Kafka did not answer; check that the brokers run and can be reached';
  const advice = ADVICE[type];
  return advice === undefined ? `Kafka says ${type}` : `${advice} (${type})`;
}
