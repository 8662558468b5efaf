import type { Finding } from './detector.ts';
import { accessReferences } from './references-access.ts';
import { capital, shown } from './wording.ts';

const references = accessReferences['token-misuse'];

interface Token {
  /** Start of the digest. */
  readonly key: string;
  /** The event that first showed it. */
  readonly eventId: string;
}

export interface Reuse extends Token {
  readonly kind: 'actor' | 'client' | 'environment';
  readonly first: string;
  readonly second: string;
  /** Only the client itself says who it is. */
  readonly isAsserted: boolean;
}

const titles: Readonly<Record<Reuse['kind'], string>> = {
  actor: 'One token, two actors',
  client: 'One token, two clients',
  environment: 'One token, two environments',
};

export function describeReuse({ kind, first, second, isAsserted, key, eventId }: Reuse): Finding {
  const by = kind === 'environment' ? 'in' : 'by';
  const asserted = isAsserted ? ' (an id only the client asserts)' : '';
  const observed = `token ${tokenName(key)} was used ${by} ${kind} ${shown(first)}, then ${by} ${shown(second)}${asserted}`;
  const severity = kind === 'client' || isAsserted ? 'medium' : 'high';
  return {
    title: titles[kind],
    severity,
    score: severity === 'high' ? 0.95 : 0.75,
    reason: `${capital(observed)}: it was copied, or is shared.`,
    observed,
    normal: `a token has one ${kind}`,
    distance: `2 ${kind}s`,
    dedupKey: `${kind} ${key}`,
    evidence: [eventId],
    references,
  };
}

export function describeTwice({
  key,
  eventId,
  credentialClass,
}: Token & { readonly credentialClass: string }): Finding {
  const observed = `token ${tokenName(key)} of class ${shown(credentialClass, 48)} was accepted a second time`;
  return {
    title: 'Single-use token used twice',
    severity: 'high',
    score: 0.95,
    reason: `${capital(observed)}: it was replayed.`,
    observed,
    normal: 'such a token is good for one use',
    distance: '2 uses',
    dedupKey: `twice ${key}`,
    evidence: [eventId],
    references,
  };
}

export function describeLifetime(
  actorKey: string,
  credential: string,
  ttlSec: number,
  limitSec: number,
): Finding {
  const observed = `${credentialText(credential)} of ${shown(actorKey)} lives ${durationText(ttlSec)}`;
  return {
    title: 'Token that lives too long',
    severity: 'low',
    score: 0.4,
    reason: `${capital(observed)}; the limit is ${durationText(limitSec)}.`,
    observed,
    normal: `at most ${durationText(limitSec)}`,
    distance: `${(ttlSec / limitSec).toFixed(1)} times the limit`,
    dedupKey: `ttl ${actorKey} ${credential}`,
    references,
  };
}

export function describeAge(actorKey: string, credential: string, ageSec: number, limitSec: number): Finding {
  const observed = `${credentialText(credential)} of ${shown(actorKey)} is ${durationText(ageSec)} old`;
  return {
    title: 'Credential that should have been replaced',
    severity: ageSec > 4 * limitSec ? 'medium' : 'low',
    score: ageSec > 4 * limitSec ? 0.6 : 0.4,
    reason: `${capital(observed)}; credentials are replaced every ${durationText(limitSec)}.`,
    observed,
    normal: `at most ${durationText(limitSec)} old`,
    distance: `${(ageSec / limitSec).toFixed(1)} times the limit`,
    dedupKey: `age ${actorKey} ${credential}`,
    references,
  };
}

export interface Audience {
  readonly audience: string;
  readonly server: string;
  /** Another registered server that it names. */
  readonly other: string | undefined;
  readonly severity: Finding['severity'];
  /** Sessions of the server with tokens. */
  readonly history: number;
  readonly eventId: string;
}

export function describeAudience({ audience, server, other, severity, history, eventId }: Audience): Finding {
  const observed = `server ${shown(server)} was sent a token issued for ${shown(audience)}`;
  const normal =
    history === 0
      ? 'a token is sent to whom it was issued for'
      : `none of ${history} sessions of this server sent such a token`;
  return {
    title: 'Token for another audience',
    severity,
    score: severity === 'high' ? 0.9 : severity === 'medium' ? 0.7 : 0.4,
    reason: `${capital(observed)}${other === undefined ? '' : `, which is server ${shown(other)}`}; ${normal}.`,
    observed,
    normal,
    distance:
      other === undefined ? 'an audience that does not name the server' : 'the audience of another server',
    dedupKey: `audience ${server} ${audience}`,
    evidence: [eventId],
    references,
  };
}

const tokenName = (key: string) => `${key.slice(0, 12)}…`;
const credentialText = (credential: string) =>
  credential === '' ? 'the token' : `the credential of class ${shown(credential, 48)}`;
function durationText(sec: number): string {
  if (sec < 7200) return `${sec} s`;
  if (sec < 48 * 3600) return `${Math.round(sec / 360) / 10} h`;
  return `${Math.round(sec / 8640) / 10} days`;
}
