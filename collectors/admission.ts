import { createHash } from 'node:crypto';
import { authenticate } from '../runtime/bearer.ts';
import { unixNano } from '../runtime/clock.ts';
import { InputError, TransientError } from '../runtime/errors.ts';
import type { IngestDeps } from './intake.ts';
import type { NormalizeContext } from './normalize/context.ts';
import { provenanceSettings } from './normalize/provenance/settings.ts';
import { rateLimit } from './rate-limit.ts';

/** What is known of a sender after the check of its credential. */
export interface Sender {
  /** Fixed by the token; undefined = records may name their own. */
  readonly tenant: string | undefined;
}

const RATE_RETRY_MS = 1000;

/**
 * Lets a request in by credential and rate. Throws InputError `unauthorized` or TransientError `rate_limited`. The rate
 * counts per token, and per address for requests without a valid one.
 */
export function createAdmission(
  deps: IngestDeps,
): (authorization: string | undefined, address: string) => Sender {
  const withinRate = rateLimit(deps.config.requests_per_second_max, deps.clock);
  return (authorization, address) => {
    const authentication = authenticate(authorization, deps.tokens);
    const byToken = authentication.ok && deps.tokens.length > 0;
    const sender = byToken ? `token ${fingerprint(authorization ?? '')}` : `address ${address}`;
    if (!withinRate(sender)) {
      throw new TransientError(
        'rate_limited',
        'cannot take the request: too many requests from this sender',
        {
          retryAfterMs: RATE_RETRY_MS,
        },
      );
    }
    if (!authentication.ok) {
      const reason =
        authentication.reason === 'missing' ? 'a bearer token is required' : 'the bearer token is not known';
      throw new InputError('unauthorized', `cannot take the request: ${reason}`);
    }
    return { tenant: authentication.tenant };
  };
}

/** The context in which one request's records are normalised. */
export function contextOf(
  deps: IngestDeps,
  collector: NormalizeContext['collector'],
  sender: Sender,
): NormalizeContext {
  return {
    collector,
    tenant: sender.tenant ?? deps.config.tenant,
    tenantPinned: sender.tenant !== undefined,
    observedTimeUnixNano: unixNano(deps.clock.nowMs()),
    digestKey: deps.digestKey,
    stringMaxBytes: deps.config.string_max_bytes,
    provenance: provenanceSettings(deps.config.provenance),
  };
}

function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
