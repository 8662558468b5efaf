import type { Finding, FindingSubject } from './detector.ts';
import type { LookAlike } from './look-alike.ts';
import { accessReferences } from './references-access.ts';
import { capital, shown } from './wording.ts';

const references = accessReferences.unregistered;

export interface Unregistered {
  readonly kind: 'server' | 'client' | 'agent' | 'tool';
  readonly name: string;
  /** Of a tool. */
  readonly server: string | undefined;
  readonly lookAlike: LookAlike | undefined;
  readonly isComplete: boolean;
  /** Nearly all calls of the tenant go to registered servers. */
  readonly isHabit: boolean;
  readonly registryDigest: string;
}

/** The finding in words; `isLast`: more like it are held back for a while. */
export function describeUnregistered(
  { kind, name, server, lookAlike, isComplete, isHabit, registryDigest }: Unregistered,
  key: string,
  isGrave: boolean,
  isLast: boolean,
): Finding {
  const of = kind === 'tool' && server !== undefined ? ` of ${shown(server)}` : '';
  const observed = `${kind} ${shown(name)}${of} is not registered`;
  const like =
    lookAlike === undefined
      ? ''
      : lookAlike.kind === 'same-looking'
        ? `, and its name looks the same as ${shown(lookAlike.known)}, which is`
        : `, and its name is one letter off ${shown(lookAlike.known)}, which is`;
  const held = isLast ? ' There were many: more are held back for about an hour.' : '';
  return {
    title: lookAlike === undefined ? `Unregistered ${kind}` : `Unregistered ${kind} with the look of another`,
    severity: lookAlike !== undefined ? 'high' : isGrave || kind === 'server' ? 'medium' : 'low',
    score: lookAlike !== undefined ? 0.95 : isGrave ? 0.8 : 0.7,
    reason: `${capital(observed)}${like} (registry ${registryDigest.slice(0, 12)}).${held}`,
    observed,
    normal: isComplete
      ? `the registry names every ${kind}`
      : isHabit
        ? 'nearly every call of this tenant goes to a registered server'
        : `no ${kind} takes another's name`,
    distance: lookAlike === undefined ? 'not among them' : `taken for ${shown(lookAlike.known)}`,
    dedupKey: key,
    references,
  };
}

/** A call that the gateway should have told of. */
export interface Bypass extends FindingSubject {
  readonly eventId: string;
  readonly isGrave: boolean;
  readonly serverName: string;
}

/** Of `total` calls of the server, the gateway told of `joined`. */
export function describeBypass(
  { eventId, isGrave, ...about }: Bypass,
  joined: number,
  total: number,
  withinMs: number,
): Finding {
  const tool = about.toolName === undefined ? 'a tool' : shown(about.toolName);
  const minutes = `${Math.round(withinMs / 6000) / 10} min`;
  const observed = `a call of ${tool} of ${shown(about.serverName)}, of which no gateway told within ${minutes}`;
  const normal = `the gateway told of ${joined} of ${total} calls of it`;
  return {
    title: 'Call past the gateway',
    severity: isGrave ? 'high' : 'medium',
    score: joined / total,
    reason: `There was ${observed}; the server is registered behind a gateway, and ${normal}.`,
    observed,
    normal,
    distance: 'the gateway’s own word is missing',
    dedupKey: `bypass ${eventId}`,
    evidence: [eventId],
    about,
    references,
  };
}
