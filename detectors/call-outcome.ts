import { isConsequential, type CallFacts, type DetectEvent } from './detector.ts';

/**
 * Whether the call was made, as far as is known by now: refused and abandoned ones were not; one that failed was, because nobody
 * knows what it did before. `unknown`: a request nobody has answered yet.
 */
export function wasMade({
  event,
  call,
  decision,
}: Pick<DetectEvent, 'event' | 'call' | 'decision'>): 'yes' | 'no' | 'unknown' {
  if (decision === 'deny') return 'no';
  switch (call?.category) {
    case 'denied':
    case 'rate_limited':
    case 'cancelled':
      return 'no';
    case 'input_required':
      return 'unknown';
    case undefined:
    case 'unknown':
      return decision === 'allow' || event.phase !== 'request' ? 'yes' : 'unknown';
    default:
      return 'yes';
  }
}

/** The call can change something, or take something out. */
export function hasConsequences({ action, traits }: CallFacts): boolean {
  return isConsequential(action) || traits.egress || traits.privileged || traits.destructive;
}

const unauthenticatedCode =
  /^401$|unauthenticated|unauthori[sz]ed|authentication|invalid_(?:token|grant|client|credentials?|password|api_?key|signature)|bad_credentials|wrong_password|log_?in_fail|expired_token|token_expired/;

/** The code says that the caller is not who it says, or did not say: not that it may not. */
export function isUnauthenticated(code: string | undefined): boolean {
  return code !== undefined && unauthenticatedCode.test(plainCode(code));
}

/** RFC 6750: the token is good and does not cover what was asked; the server asks for one that does. */
export function isScopeChallenge(code: string | undefined): boolean {
  return code !== undefined && plainCode(code).includes('insufficient_scope');
}

function plainCode(code: string): string {
  return code
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[\s.-]+/g, '_');
}
