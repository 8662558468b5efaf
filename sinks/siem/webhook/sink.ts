import { readFileSync } from 'node:fs';
import type { Clock } from '../../../runtime/clock.ts';
import { ConfigError } from '../../../runtime/errors.ts';
import type { Alert } from '../../../schemas/alert.ts';
import type { SinkConfig } from '../../../schemas/config.ts';
import type { Sink } from '../../sink.ts';
import { encodeOcsf } from '../ocsf/encode.ts';
import { classifyFailure, classifyStatus, EndpointGone, parseRetryAfterMs } from './classify.ts';
import { createPoster, type Answer, type Poster } from './post.ts';
import { parseSecrets, signedHeaders } from './sign.ts';

export type WebhookSinkConfig = Omit<Extract<SinkConfig, { type: 'webhook' }>, 'include_shadow'>;

export interface WebhookDeps {
  /** Reads the secret the configuration refers to. */
  readonly secrets: (reference: WebhookSinkConfig['secret']) => string;
  readonly clock: Clock;
}

/** Standard Webhooks advises bodies under 20 KB. */
const BODY_MAX_BYTES = 20_000;

/** One signed POST per alert (Standard Webhooks), body = OCSF. Acknowledged by a 2xx answer. */
export function createWebhookSink(config: WebhookSinkConfig, deps: WebhookDeps): Sink {
  let ready: { readonly poster: Poster; readonly keys: readonly Buffer[] } | undefined;
  let gone = false;

  const open = () => {
    const url = checkUrl(config);
    const policy = { allowPrivate: config.allow_private_addresses, onlyPrivate: url.protocol === 'http:' };
    const keys = parseSecrets(deps.secrets(config.secret), `sinks.${config.id}.secret`);
    return { poster: createPoster(url, policy, readCa(config)), keys };
  };

  const deliver = async (alert: Alert, signal: AbortSignal): Promise<void> => {
    if (gone) throw new EndpointGone(config.id);
    const { poster, keys } = (ready ??= open());
    const body = encodeOcsf(alert, BODY_MAX_BYTES);
    const headers = signedHeaders(alert.alert_id, Math.floor(deps.clock.nowMs() / 1000), body, keys);
    const attempt = withTimeout(signal, config.timeout_ms);
    let answer: Answer;
    try {
      answer = await poster.post(body, headers, attempt.signal);
    } catch (cause) {
      throw classifyFailure(config.id, cause);
    } finally {
      attempt.done();
    }
    const failure = classifyStatus(
      config.id,
      answer.status,
      parseRetryAfterMs(answer.retryAfter, deps.clock.nowMs()),
    );
    gone = failure instanceof EndpointGone;
    if (failure !== undefined) throw failure;
  };

  return {
    name: 'sink_webhook',
    id: config.id,
    acknowledgement: 'receiver',
    batchMaxCount: 1,
    start() {
      ready ??= open();
      return Promise.resolve();
    },
    stop() {
      ready?.poster.close();
      ready = undefined;
      return Promise.resolve();
    },
    async write(alerts, signal) {
      for (const alert of alerts) await deliver(alert, signal);
    },
  };
}

function checkUrl(config: WebhookSinkConfig): URL {
  const url = new URL(config.url);
  const path = `sinks.${config.id}.url`;
  const refuse = (reason: string) => new ConfigError(`cannot use ${path}: ${reason}`, { path });
  if (url.username !== '' || url.password !== '') throw refuse('it holds a credential; use secret');
  if (url.protocol === 'https:') return url;
  if (url.protocol === 'http:' && config.allow_private_addresses) return url;
  throw refuse('want https (http only with allow_private_addresses, and then to private addresses only)');
}

function readCa(config: WebhookSinkConfig): Buffer | undefined {
  if (config.ca_file === undefined) return undefined;
  try {
    return readFileSync(config.ca_file);
  } catch (cause) {
    const path = `sinks.${config.id}.ca_file`;
    throw new ConfigError(`cannot read ${path}: ${config.ca_file} is not readable`, { path, cause });
  }
}

/** A signal that also aborts when the whole attempt, answer headers included, takes too long. */
function withTimeout(signal: AbortSignal, timeoutMs: number): { signal: AbortSignal; done(): void } {
  const attempt = new AbortController();
  const expire = () => attempt.abort(new Error(`no answer in ${timeoutMs} ms`));
  const stop = () => attempt.abort(signal.reason);
  const timer = setTimeout(expire, timeoutMs);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  return {
    signal: attempt.signal,
    done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    },
  };
}
