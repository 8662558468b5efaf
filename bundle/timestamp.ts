import { randomBytes } from 'node:crypto';
import { DerError } from '../evidence/der.ts';
import { readTimestampResponse, timestampRequest, whyNotOver } from '../evidence/timestamp.ts';
import { createCaller, failureOf } from '../notary/anchors/post.ts';
import type { Clock } from '../runtime/clock.ts';
import { PermanentError } from '../runtime/errors.ts';

const NONCE_BYTES = 8;
const TIMEOUT_MS = 30_000;

/** Asks an RFC 3161 authority for a token over the bytes. Who may be believed is decided by whoever verifies. */
export function timestampFrom(url: URL, clock: Clock): (bytes: Uint8Array) => Promise<Uint8Array> {
  return async (bytes) => {
    const caller = createCaller({ url, ca: undefined, timeoutMs: TIMEOUT_MS, clock });
    const action = `have timestamp authority ${caller.host} stamp`;
    const refused = (reason: string) =>
      new PermanentError('rejected', `cannot ${action}: ${reason}; leave out --timestamp, or name another`);
    try {
      const nonce = randomBytes(NONCE_BYTES);
      const answer = await caller.post(timestampRequest(bytes, nonce), 'application/timestamp-query');
      if (answer.status !== 200) throw failureOf(action, answer);
      const response = readTimestampResponse(answer.body);
      if (!('token' in response)) throw refused(`it refused, ${response.refused}`);
      if (response.token.nonce !== BigInt(`0x${nonce.toString('hex')}`))
        throw refused('its token answers another request');
      const reason = whyNotOver(response.token, bytes);
      if (reason !== undefined) throw refused(reason);
      return response.token.der;
    } catch (error) {
      if (error instanceof DerError) throw refused(`its answer is no token: ${error.message}`);
      throw error;
    } finally {
      caller.close();
    }
  };
}
