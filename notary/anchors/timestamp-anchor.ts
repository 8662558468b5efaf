import { randomBytes } from 'node:crypto';
import { readPemCertificates } from '../../evidence/certificate.ts';
import { DerError } from '../../evidence/der.ts';
import { formatNote } from '../../evidence/note/note.ts';
import {
  readTimestampResponse,
  timestampRequest,
  verifyTimestamp,
  whyNotOver,
} from '../../evidence/timestamp.ts';
import type { TimestampToken } from '../../evidence/timestamp-token.ts';
import type { Clock } from '../../runtime/clock.ts';
import { ConfigError, PermanentError, TransientError } from '../../runtime/errors.ts';
import type { AnchorConfigOf } from '../../schemas/config/anchors.ts';
import type { Anchor } from '../anchor.ts';
import { createPace } from './pace.ts';
import { type Answer, createCaller, failureOf, readAnchorFile } from './post.ts';

const NONCE_BYTES = 8;

/**
 * A timestamp authority (RFC 3161): a token over the SHA-256 of the note's text and the log's signatures. The authority
 * keeps nothing, so there is no `latest`.
 * @throws ConfigError
 */
export function openTimestampAnchor(
  config: AnchorConfigOf<'rfc3161'>,
  { clock }: { readonly clock: Clock },
): Anchor {
  const { id, ca_file } = config;
  const pinned = readPinned(config);
  const caller = createCaller({
    url: new URL(config.url),
    ca: ca_file === undefined ? undefined : readAnchorFile(id, 'ca_file', ca_file),
    timeoutMs: config.timeout_ms,
    clock,
  });
  const pace = createPace(config.interval_ms, clock);
  const action = `have timestamp authority ${caller.host} stamp`;
  const refused = (reason: string) => new PermanentError('rejected', `cannot ${action}: ${reason}`);

  function tokenIn({ body }: Answer): TimestampToken {
    try {
      const response = readTimestampResponse(body);
      if ('token' in response) return response.token;
      if (!response.isPassing) throw refused(`it refused, ${response.refused}`);
      throw new TransientError('unavailable', `cannot ${action}: it refused, ${response.refused}`);
    } catch (error) {
      if (error instanceof DerError) throw refused(`its answer is no token: ${error.message}`);
      throw error;
    }
  }

  return {
    id,
    type: 'rfc3161',
    minIntervalMs: config.interval_ms,
    async publish({ note }) {
      if (!pace.isDue()) return undefined;
      const message = Buffer.from(formatNote(note));
      const nonce = randomBytes(NONCE_BYTES);
      const answer = await caller.post(timestampRequest(message, nonce), 'application/timestamp-query');
      if (answer.status !== 200) throw failureOf(action, answer);
      const token = tokenIn(answer);
      if (token.nonce !== BigInt(`0x${nonce.toString('hex')}`))
        throw refused('its token answers another request');
      const verdict = pinned === undefined ? undefined : verifyTimestamp(token.der, message, pinned);
      const reason =
        whyNotOver(token, message) ??
        (verdict !== undefined && 'reason' in verdict ? verdict.reason : undefined);
      if (reason !== undefined) throw refused(reason);
      pace.done();
      return { type: 'timestamp', token: token.der };
    },
    close() {
      caller.close();
      return Promise.resolve();
    },
  };
}

function readPinned({ id, certificates_file }: AnchorConfigOf<'rfc3161'>): string | undefined {
  if (certificates_file === undefined) return undefined;
  const pem = readAnchorFile(id, 'certificates_file', certificates_file).toString('latin1');
  try {
    readPemCertificates(pem);
    return pem;
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause;
    const path = `notary.anchors.${id}.certificates_file`;
    throw new ConfigError(`cannot use ${path}: ${cause.message}`, { path, cause });
  }
}
