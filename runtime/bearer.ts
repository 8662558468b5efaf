import { createHash, timingSafeEqual } from 'node:crypto';

/** A token as read from its file or environment variable. */
export interface BearerToken {
  readonly value: string;
  /** Records sent with this token belong to this tenant whatever they say. */
  readonly tenant: string | undefined;
  /** Who it was given to. */
  readonly name?: string | undefined;
}

export type Authentication =
  | { readonly ok: true; readonly tenant: string | undefined; readonly token?: BearerToken }
  | { readonly ok: false; readonly reason: 'missing' | 'wrong' };

const digest = (value: string) => createHash('sha256').update(value).digest();

/**
 * Checks an `Authorization: Bearer` header against the configured tokens in constant time. With no token configured
 * everything passes (the configuration then allows loopback only).
 */
export function authenticate(header: string | undefined, tokens: readonly BearerToken[]): Authentication {
  if (tokens.length === 0) return { ok: true, tenant: undefined };
  const presented = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
  if (presented === undefined) return { ok: false, reason: 'missing' };
  const presentedDigest = digest(presented);
  let found: BearerToken | undefined;
  for (const token of tokens) if (timingSafeEqual(digest(token.value), presentedDigest)) found ??= token;
  return found === undefined
    ? { ok: false, reason: 'wrong' }
    : { ok: true, tenant: found.tenant, token: found };
}
